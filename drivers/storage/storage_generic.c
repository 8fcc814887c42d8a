#include "drivers/storage/storage_generic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/host/op.h"
#include "drivers/storage/storage_rsync.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/tree.h"
#include "lib/base/tree_copy.h"
#include "lib/linux/filesystem.h"

#define DEFAULT_IMAGE_SIZE (UINT64_C(10) * 1024 * 1024 * 1024)

int storage_generic_pool_space(struct storage_pool *pool, struct storage_space *ret_space,
                               struct error **err)
{
	struct filesystem_space space;

	int r = filesystem_space(pool->path, &space);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading space of \"%s\"", pool->path);

	*ret_space = (struct storage_space){
		.used_bytes = space.used_bytes,
		.total_bytes = space.total_bytes,
		.used_inodes = space.used_inodes,
		.total_inodes = space.total_inodes,
	};
	return 0;
}

static int make_snapshots_dir(const char *path, struct error **err)
{
	if (mkdir(path, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		return error_set_errno(err, -errno, "Failed creating directory \"%s\"", path);
	}

	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		filesystem_spread(fd);
	return 0;
}

int storage_generic_make_dir(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);
	mode_t mode = storage_layout_volume_mode(vol->kind);

	if (vol->snapshot) {
		scoped_free char *parent =
			storage_layout_snapshots_path(vol->pool->path, vol->kind, vol->name);

		int r = make_snapshots_dir(parent, err);
		if (r < 0)
			return r;
	}

	if (mkdir(path, 0700) < 0) {
		if (errno == EEXIST)
			return error_set(err, 409, "Storage volume \"%s\" already exists",
			                 vol->snapshot ? vol->snapshot : vol->name);
		return error_set_errno(err, -errno, "Failed creating directory \"%s\"", path);
	}
	if (chmod(path, mode) < 0) {
		int r = error_set_errno(err, -errno, "Failed setting mode of \"%s\"", path);

		rmdir(path);
		return r;
	}
	return 0;
}

int storage_generic_make_image(const struct storage_volume *vol, struct error **err)
{
	if (vol->content != STORAGE_BLOCK)
		return 0;

	scoped_free char *path = storage_driver_image_path(vol);
	uint64_t size = vol->size > 0 ? vol->size : DEFAULT_IMAGE_SIZE;

	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", path);
	if (ftruncate(fd, (off_t)size) < 0)
		return error_set_errno(err, -errno, "Failed setting size of \"%s\"", path);
	return 0;
}

int storage_generic_resize_image(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = storage_driver_image_path(vol);
	struct stat st;

	if (vol->content != STORAGE_BLOCK || vol->size == 0)
		return 0;

	scoped_fd int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	if ((uint64_t)st.st_size > vol->size)
		return error_set(err, 400, "Block volumes cannot be shrunk");
	if (ftruncate(fd, (off_t)vol->size) < 0)
		return error_set_errno(err, -errno, "Failed setting size of \"%s\"", path);
	return 0;
}

int storage_generic_volume_delete(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);

	int r = tree_remove(path, 0);
	if (r < 0)
		return error_set_errno(err, r, "Failed removing \"%s\"", path);

	if (vol->kind != STORAGE_IMAGE) {
		scoped_free char *parent =
			storage_layout_snapshots_path(vol->pool->path, vol->kind, vol->name);

		/* Goes with the last snapshot, and stays while it holds others. */
		rmdir(parent);
	}
	return 0;
}

static int open_dir(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	return fd;
}

struct fill {
	struct op *op;
	const char *what;
};

static void report_fill(uint64_t bytes, void *arg)
{
	const struct fill *fill = arg;

	op_report(fill->op,
	          &(struct op_progress){ .stage = "fs", .what = fill->what, .bytes = bytes });
}

static int fill(const struct storage_volume *dst, const struct storage_volume *src,
                const struct storage_volume *like, struct op *op, struct error **err)
{
	struct fill fill = { op, (like ? like : dst)->name };
	struct tree_copy_options options = {
		.cancel = op_cancel(op),
		.progress = report_fill,
		.arg = &fill,
		.keep_owner = true,
	};

	scoped_fd int from = open_dir(src, err);
	if (from < 0)
		return from;
	scoped_fd int to = open_dir(dst, err);
	if (to < 0)
		return to;
	scoped_fd int old = like ? open_dir(like, err) : -1;
	if (like && old < 0)
		return old;

	int r = tree_copy_like(from, to, old, &options);
	if (r == -ECANCELED || r == -ETIMEDOUT)
		return op_check(op, err);
	if (r < 0)
		return error_set_errno(err, r, "Failed copying \"%s\" to \"%s\"", src->name,
		                       dst->name);
	return 0;
}

int storage_generic_fill(const struct storage_volume *dst, const struct storage_volume *src,
                         struct op *op, struct error **err)
{
	return fill(dst, src, NULL, op, err);
}

/* The copy of a volume of another kind has that one's mode. */
static int set_mode(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);

	if (chmod(path, storage_layout_volume_mode(vol->kind)) < 0)
		return error_set_errno(err, -errno, "Failed setting mode of \"%s\"", path);
	return 0;
}

int storage_generic_volume_copy(struct storage_volume *dst, const struct storage_volume *src,
                                struct op *op, struct error **err)
{
	struct storage_volume empty = *dst;

	/* The file of a block volume comes with the copy. */
	empty.content = STORAGE_FILESYSTEM;
	int r = dst->snapshot ? storage_generic_make_dir(dst, err)
	                      : storage_driver_volume_create(&empty, op, err);
	if (r < 0)
		return r;

	r = storage_generic_fill(dst, src, op, err);
	if (r == 0 && dst->kind != src->kind)
		r = set_mode(dst, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_driver_volume_delete(dst, NULL, &ignored);
	}
	return r;
}

int storage_generic_volume_refresh(struct storage_volume *dst, const struct storage_volume *src,
                                   struct op *op, struct error **err)
{
	scoped_free char *from = storage_driver_volume_path(src);
	scoped_free char *to = storage_driver_volume_path(dst);

	return storage_rsync_local(from, to, op, err);
}

int storage_generic_volume_rename(struct storage_volume *vol, const char *name, struct error **err)
{
	struct storage_volume renamed = *vol;

	if (vol->snapshot)
		renamed.snapshot = name;
	else
		renamed.name = name;

	scoped_free char *from = storage_driver_volume_path(vol);
	scoped_free char *to = storage_driver_volume_path(&renamed);
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		return error_set_errno(err, -errno, "Failed renaming \"%s\" to \"%s\"", from, to);
	if (vol->snapshot || vol->kind == STORAGE_IMAGE)
		return 0;

	scoped_free char *from_snapshots =
		storage_layout_snapshots_path(vol->pool->path, vol->kind, vol->name);
	scoped_free char *to_snapshots =
		storage_layout_snapshots_path(vol->pool->path, vol->kind, name);
	/* An empty folder that an earlier volume of that name left is not in the way. */
	rmdir(to_snapshots);
	if (renameat2(AT_FDCWD, from_snapshots, AT_FDCWD, to_snapshots, RENAME_NOREPLACE) == 0 ||
	    errno == ENOENT)
		return 0;

	int r = error_set_errno(err, -errno, "Failed renaming \"%s\" to \"%s\"", from_snapshots,
	                        to_snapshots);
	if (rename(to, from) < 0)
		return error_wrap(err, "Volume stays under its new name \"%s\"", name);
	return r;
}

int storage_generic_snapshot_create(struct storage_volume *snap, struct op *op, struct error **err)
{
	struct storage_volume vol = *snap;

	vol.snapshot = NULL;
	return storage_generic_volume_copy(snap, &vol, op, err);
}

int storage_generic_volume_replace(struct storage_volume *vol, struct storage_volume *fresh,
                                   struct error **err)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped_free char *from = storage_driver_volume_path(fresh);
	scoped_free char *to = storage_driver_volume_path(vol);

	/* One step for whoever looks; 'fresh' is the old one afterwards. */
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) < 0 &&
	    (errno != ENOENT || renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)) {
		int r = error_set_errno(err, -errno, "Failed replacing \"%s\"", to);

		storage_driver_volume_delete(fresh, NULL, &ignored);
		return r;
	}
	/* What stays is removed when the pool is opened the next time. */
	if (storage_driver_volume_delete(fresh, NULL, &ignored) < 0)
		log_warn("Failed removing what \"%s\" was before: %s", vol->name, ignored->msg);
	return 0;
}

int storage_generic_snapshot_restore(struct storage_volume *vol, const char *snapshot,
                                     struct op *op, struct error **err)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped_free char *name = storage_layout_temporary_name();
	struct storage_volume snap = *vol, fresh = *vol;

	snap.snapshot = snapshot;
	fresh.name = name;
	/* The file of a block volume comes with the copy, and its size with the file. */
	if (vol->content != STORAGE_FILESYSTEM)
		fresh.size = 0;
	fresh.content = STORAGE_FILESYSTEM;
	int r = storage_driver_volume_create(&fresh, op, err);
	if (r < 0)
		return r;
	r = fill(&fresh, &snap, vol, op, err);
	if (r == 0)
		return storage_generic_volume_replace(vol, &fresh, err);
	storage_driver_volume_delete(&fresh, NULL, &ignored);
	return r;
}
