#include "drivers/storage/storage_driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/host/op.h"
#include "drivers/storage/storage_generic.h"
#include "drivers/storage/storage_rsync.h"
#include "lib/base/alloc.h"
#include "lib/base/enum.h"
#include "lib/base/file.h"
#include "lib/base/strv.h"
#include "lib/linux/mount.h"

const struct storage_driver *const storage_drivers[] = {
	&storage_dir_driver,
	&storage_btrfs_driver,
	NULL,
};

/* A stream of a driver's own is called as the driver. */
static const char *const streams[] = {
	[STORAGE_STREAM_RSYNC] = "rsync",
	[STORAGE_STREAM_BTRFS] = "btrfs",
};
ENUM_IS_COMPLETE(streams, STORAGE_N_STREAMS);

const struct storage_driver *storage_driver_find(const char *name)
{
	for (const struct storage_driver *const *d = storage_drivers; *d; d++)
		if (strcmp((*d)->name, name) == 0)
			return *d;

	return NULL;
}

char *storage_driver_volume_path(const struct storage_volume *vol)
{
	return storage_layout_volume_path(vol->pool->path, vol->kind, vol->name, vol->snapshot);
}

char *storage_driver_image_path(const struct storage_volume *vol)
{
	scoped_free char *dir = storage_driver_volume_path(vol);

	return xasprintf("%s/%s", dir, vol->content == STORAGE_ISO ? "root.iso" : "root.img");
}

int storage_driver_pool_create(struct storage_pool *pool, struct op *op, struct error **err)
{
	if (pool->driver->probe && pool->driver->probe(err) < 0)
		return (*err)->code;
	if (pool->driver->pool_prepare && pool->driver->pool_prepare(pool, err) < 0)
		return (*err)->code;
	return pool->driver->pool_create(pool, op, err);
}

int storage_driver_pool_delete(struct storage_pool *pool, struct op *op, struct error **err)
{
	return pool->driver->pool_delete(pool, op, err);
}

/* Removes what a crash left of volumes that were being made or replaced. */
static void remove_temporary(struct storage_pool *pool, enum storage_kind kind)
{
	scoped_free char *path = xasprintf("%s/%s", pool->path, storage_layout_folder(kind, false));
	scoped(strv_freep) char **names = NULL;
	const struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir)))
		if (storage_layout_is_temporary_name(entry->d_name))
			strv_add(&names, entry->d_name);
	if (dir)
		closedir(dir);

	STRV_FOREACH (name, names) {
		scoped(error_freep) struct error *ignored = NULL;
		struct storage_volume vol = { .pool = pool, .kind = kind, .name = name };

		storage_driver_volume_delete(&vol, NULL, &ignored);
	}
}

int storage_driver_pool_mount(struct storage_pool *pool, struct error **err)
{
	int r = pool->driver->pool_mount(pool, err);
	if (r < 0)
		return error_wrap(err, "Failed mounting storage pool \"%s\"", pool->name);

	r = storage_layout_make_folders(pool->path, err);
	if (r < 0)
		return r;

	for (int kind = 0; kind < STORAGE_KIND_COUNT; kind++)
		remove_temporary(pool, (enum storage_kind)kind);

	r = mount_can_idmap(pool->path);
	if (r < 0)
		return error_set_errno(err, r, "Failed probing \"%s\"", pool->path);
	pool->can_idmap = r > 0;
	return 0;
}

int storage_driver_pool_unmount(struct storage_pool *pool, struct error **err)
{
	return pool->driver->pool_unmount(pool, err);
}

int storage_driver_pool_update(struct storage_pool *pool, const struct smap *old,
                               struct error **err)
{
	return pool->driver->pool_update ? pool->driver->pool_update(pool, old, err) : 0;
}

int storage_driver_pool_space(struct storage_pool *pool, struct storage_space *ret_space,
                              struct error **err)
{
	if (pool->driver->pool_space)
		return pool->driver->pool_space(pool, ret_space, err);
	return storage_generic_pool_space(pool, ret_space, err);
}

int storage_driver_volume_create(struct storage_volume *vol, struct op *op, struct error **err)
{
	return vol->pool->driver->volume_create(vol, op, err);
}

int storage_driver_volume_delete(struct storage_volume *vol, struct op *op, struct error **err)
{
	if (vol->pool->driver->volume_delete)
		return vol->pool->driver->volume_delete(vol, op, err);
	return storage_generic_volume_delete(vol, err);
}

int storage_driver_volume_copy(struct storage_volume *dst, const struct storage_volume *src,
                               struct op *op, struct error **err)
{
	if (dst->pool == src->pool && dst->pool->driver->volume_copy)
		return dst->pool->driver->volume_copy(dst, src, op, err);
	return storage_generic_volume_copy(dst, src, op, err);
}

int storage_driver_volume_refresh(struct storage_volume *dst, const struct storage_volume *src,
                                  struct op *op, struct error **err)
{
	return storage_generic_volume_refresh(dst, src, op, err);
}

int storage_driver_volume_replace(struct storage_volume *vol, struct storage_volume *fresh,
                                  struct error **err)
{
	return storage_generic_volume_replace(vol, fresh, err);
}

int storage_driver_volume_rename(struct storage_volume *vol, const char *name, struct error **err)
{
	if (vol->pool->driver->volume_rename)
		return vol->pool->driver->volume_rename(vol, name, err);
	return storage_generic_volume_rename(vol, name, err);
}

int storage_driver_volume_resize(struct storage_volume *vol, struct error **err)
{
	int r = storage_generic_resize_image(vol, err);

	if (r < 0 || !vol->pool->driver->volume_resize)
		return r;
	return vol->pool->driver->volume_resize(vol, err);
}

int storage_driver_volume_space(struct storage_volume *vol, struct storage_space *ret_space,
                                struct error **err)
{
	if (vol->content != STORAGE_FILESYSTEM) {
		scoped_free char *path = storage_driver_image_path(vol);
		struct stat st;

		if (lstat(path, &st) < 0)
			return error_set_errno(err, -errno, "Failed reading \"%s\"", path);
		*ret_space = (struct storage_space){
			.used_bytes = (uint64_t)st.st_blocks * 512,
			.total_bytes = (uint64_t)st.st_size,
		};
		return 0;
	}
	if (!vol->pool->driver->volume_space)
		return -ENOTSUP;
	return vol->pool->driver->volume_space(vol, ret_space, err);
}

bool storage_driver_volume_exists(const struct storage_volume *vol)
{
	scoped_free char *path = storage_driver_volume_path(vol);

	return file_is_dir(path);
}

int storage_driver_snapshot_create(struct storage_volume *snap, struct op *op, struct error **err)
{
	if (snap->pool->driver->snapshot_create)
		return snap->pool->driver->snapshot_create(snap, op, err);
	return storage_generic_snapshot_create(snap, op, err);
}

int storage_driver_snapshot_restore(struct storage_volume *vol, const char *snapshot, struct op *op,
                                    struct error **err)
{
	if (vol->pool->driver->snapshot_restore)
		return vol->pool->driver->snapshot_restore(vol, snapshot, op, err);
	return storage_generic_snapshot_restore(vol, snapshot, op, err);
}

int storage_driver_volume_send(struct storage_volume *vol, const struct storage_transfer *transfer,
                               struct op *op, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);

	if (transfer->stream != STORAGE_STREAM_RSYNC)
		return vol->pool->driver->volume_send(vol, transfer, op, err);
	return storage_rsync_send(vol->pool->host, path, transfer, op, err);
}

int storage_driver_volume_receive(struct storage_volume *vol,
                                  const struct storage_transfer *transfer, struct op *op,
                                  struct error **err)
{
	if (transfer->stream != STORAGE_STREAM_RSYNC)
		return vol->pool->driver->volume_receive(vol, transfer, op, err);

	assert(!vol->snapshot);
	scoped_free char *path = storage_driver_volume_path(vol);
	bool is_new = transfer->pass == 0 && !transfer->refresh;
	int r = 0;

	if (is_new) {
		struct storage_volume empty = *vol;

		empty.content = STORAGE_FILESYSTEM;
		r = storage_driver_volume_create(&empty, op, err);
		if (r < 0)
			return r;
	}

	r = storage_rsync_receive(path, transfer, op, err);
	if (r < 0 && is_new) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_driver_volume_delete(vol, NULL, &ignored);
	}
	return r;
}

void storage_driver_transfer_end(struct storage_volume *vol)
{
	if (vol->pool->driver->transfer_end)
		vol->pool->driver->transfer_end(vol);
}

bool storage_driver_can_receive(const struct storage_driver *driver, enum storage_stream stream)
{
	if (stream == STORAGE_STREAM_RSYNC)
		return true;
	return (driver->caps & STORAGE_CAP_OPTIMIZED_SEND) &&
	       strcmp(driver->name, streams[stream]) == 0;
}

bool storage_driver_can_send(const struct storage_volume *vol, enum storage_stream stream)
{
	const struct storage_driver *driver = vol->pool->driver;

	if (!storage_driver_can_receive(driver, stream))
		return false;
	return stream == STORAGE_STREAM_RSYNC || !driver->volume_has_nested ||
	       !driver->volume_has_nested(vol);
}

const char *storage_driver_stream_name(enum storage_stream stream)
{
	return streams[stream];
}

bool storage_driver_parse_stream(const char *name, enum storage_stream *ret_stream)
{
	int value = ENUM_VALUE(streams, name);

	if (value < 0)
		return false;
	*ret_stream = (enum storage_stream)value;
	return true;
}
