#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/btrfs_quota.h"
#include "drivers/storage/btrfs_subvol.h"
#include "drivers/storage/storage_btrfs_private.h"
#include "drivers/storage/storage_generic.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/strv.h"

/* The directory that holds the volume or snapshot, which is made if it is missing, and its name. */
static int open_folder(const struct storage_volume *vol, const char **ret_name, struct error **err)
{
	scoped_free char *path = NULL;

	if (vol->snapshot) {
		path = storage_layout_snapshots_path(vol->pool->path, vol->kind, vol->name);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return error_set_errno(err, -errno, "Failed creating \"%s\"", path);
	} else {
		path = path_join(vol->pool->path, storage_layout_folder(vol->kind, false), NULL);
	}

	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	*ret_name = vol->snapshot ? vol->snapshot : vol->name;
	return fd;
}

static int open_volume(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	return fd;
}

/* The number of a subvolume, or 0. */
static uint64_t id_of(int dir, const char *name)
{
	uint64_t id = 0;

	scoped_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && btrfs_subvol_id(fd, &id) == 0 ? id : 0;
}

/* Removes a subvolume, if there is one of that name. */
static int remove_one(int dir, const char *name, struct storage_pool *pool, struct error **err)
{
	uint64_t id = pool->has_quotas ? id_of(dir, name) : 0;

	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	int r = btrfs_subvol_delete(dir, name);
	if (r < 0)
		return error_set_errno(err, r, "Failed deleting subvolume \"%s\"", name);
	/* It stays if the kernel is not done with the subvolume, and then does no harm. */
	if (id != 0)
		(void)btrfs_quota_forget(dir, id);
	return 0;
}

static int apply_size(const struct storage_volume *vol, int fd, struct error **err)
{
	uint64_t referenced, exclusive, limit;
	int r = 0;

	if (vol->size == 0 && !vol->pool->has_quotas)
		return 0;
	if (!vol->pool->has_quotas) {
		r = btrfs_quota_enable(fd);
		if (r < 0)
			return error_set_errno(err, r, "Failed enabling quotas");
		vol->pool->has_quotas = true;
	}

	r = btrfs_quota_usage(fd, &referenced, &exclusive, &limit);
	if (r == 0 && vol->size > 0 && referenced > vol->size)
		return error_set(err, 507, "Volume \"%s\" holds more than the new size", vol->name);
	if (r == 0 && limit == vol->size)
		return 0;
	r = btrfs_quota_set_limit(fd, vol->size);
	if (r < 0)
		return error_set_errno(err, r, "Failed setting size of \"%s\"", vol->name);
	return 0;
}

static int apply_mode(const struct storage_volume *vol, int fd, struct error **err)
{
	if (fchmod(fd, storage_layout_volume_mode(vol->kind)) < 0)
		return error_set_errno(err, -errno, "Failed setting mode of \"%s\"", vol->name);
	return 0;
}

/* Mode and size of a subvolume that was just made; removes it if that fails. */
static int complete(const struct storage_volume *vol, int dir, const char *name, bool set_mode,
                    struct error **err)
{
	scoped_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? error_set_errno(err, -errno, "Failed opening \"%s\"", name) : 0;

	if (r == 0 && set_mode)
		r = apply_mode(vol, fd, err);
	if (r == 0)
		r = apply_size(vol, fd, err);
	if (r < 0)
		btrfs_subvol_delete(dir, name);
	return r;
}

static int create_failed(int code, const char *name, struct error **err)
{
	if (code == -EEXIST)
		return error_set(err, 409, "Storage volume \"%s\" already exists", name);
	return error_set_errno(err, code, "Failed creating subvolume \"%s\"", name);
}

int storage_btrfs_volume_create(struct storage_volume *vol, struct op *op, struct error **err)
{
	const char *name = "";

	scoped_fd int dir = open_folder(vol, &name, err);
	if (dir < 0)
		return dir;
	int r = btrfs_subvol_create(dir, name);
	if (r < 0)
		return create_failed(r, name, err);
	r = complete(vol, dir, name, true, err);
	if (r < 0)
		return r;

	r = storage_generic_make_image(vol, err);
	if (r < 0)
		btrfs_subvol_delete(dir, name);
	return r;
}

int storage_btrfs_volume_delete(struct storage_volume *vol, struct op *op, struct error **err)
{
	const char *name = "";

	scoped_fd int dir = open_folder(vol, &name, err);
	if (dir < 0)
		return dir;
	int r = remove_one(dir, name, vol->pool, err);
	if (r < 0)
		return r;

	if (vol->kind != STORAGE_IMAGE) {
		scoped_free char *folder =
			storage_layout_snapshots_path(vol->pool->path, vol->kind, vol->name);

		/* Goes with the last snapshot. */
		rmdir(folder);
	}
	return 0;
}

int storage_btrfs_volume_copy(struct storage_volume *dst, const struct storage_volume *src,
                              struct op *op, struct error **err)
{
	bool readonly = dst->snapshot != NULL;
	const char *name = "";

	scoped_fd int source = open_volume(src, err);
	if (source < 0)
		return source;
	scoped_fd int dir = open_folder(dst, &name, err);
	if (dir < 0)
		return dir;

	int r = btrfs_subvol_snapshot(source, dir, name, readonly);
	if (r < 0)
		return create_failed(r, name, err);
	return readonly ? 0 : complete(dst, dir, name, true, err);
}

int storage_btrfs_volume_resize(struct storage_volume *vol, struct error **err)
{
	scoped_fd int fd = open_volume(vol, err);

	return fd < 0 ? fd : apply_size(vol, fd, err);
}

int storage_btrfs_volume_space(struct storage_volume *vol, struct storage_space *ret_space,
                               struct error **err)
{
	uint64_t referenced, exclusive, limit;

	if (!vol->pool->has_quotas)
		return -ENOTSUP;
	scoped_fd int fd = open_volume(vol, err);
	if (fd < 0)
		return fd;

	int r = btrfs_quota_usage(fd, &referenced, &exclusive, &limit);
	if (r == -ENOENT)
		return -ENOTSUP;
	if (r < 0)
		return error_set_errno(err, r, "Failed reading usage of \"%s\"", vol->name);
	*ret_space = (struct storage_space){ .used_bytes = referenced, .total_bytes = limit };
	return 0;
}

int storage_btrfs_volume_snapshot(struct storage_volume *snap, struct op *op, struct error **err)
{
	struct storage_volume vol = *snap;

	vol.snapshot = NULL;
	return storage_btrfs_volume_copy(snap, &vol, op, err);
}

bool storage_btrfs_volume_has_nested(const struct storage_volume *vol)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped(strv_freep) char **paths = NULL;
	scoped_fd int fd = open_volume(vol, &ignored);

	/* What cannot be told is treated as if it were so: file by file always works. */
	return fd < 0 || btrfs_subvol_nested(fd, &paths) < 0 || strv_len(paths) > 0;
}

int storage_btrfs_volume_replace(const struct storage_volume *vol, int source, struct error **err)
{
	scoped_free char *new_name = storage_layout_temporary_name();
	const char *name = "";

	assert(!vol->snapshot);
	scoped_fd int dir = open_folder(vol, &name, err);
	if (dir < 0)
		return dir;
	int r = btrfs_subvol_snapshot(source, dir, new_name, false);
	if (r < 0)
		return create_failed(r, name, err);
	r = complete(vol, dir, new_name, false, err);
	if (r < 0)
		return r;

	/* One step for whoever looks: the new one is there, or still the old one. */
	bool exists = faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (renameat2(dir, new_name, dir, name, exists ? RENAME_EXCHANGE : RENAME_NOREPLACE) < 0) {
		r = error_set_errno(err, -errno, "Failed replacing \"%s\"", name);
		btrfs_subvol_delete(dir, new_name);
		return r;
	}
	return exists ? remove_one(dir, new_name, vol->pool, err) : 0;
}

int storage_btrfs_volume_restore(struct storage_volume *vol, const char *snapshot, struct op *op,
                                 struct error **err)
{
	struct storage_volume snap = *vol;

	snap.snapshot = snapshot;
	scoped_fd int source = open_volume(&snap, err);
	return source < 0 ? source : storage_btrfs_volume_replace(vol, source, err);
}
