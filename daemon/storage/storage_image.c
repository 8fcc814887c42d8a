#include "daemon/storage/storage_image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "db/cache.h"
#include "drivers/host/op.h"
#include "drivers/storage/unpack.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/strv.h"

#define METADATA_MAX (UINT64_C(64) * 1024 * 1024) /* Metadata and templates of a split image. */

/* What may be unpacked: the volume's size, and never more than the disk has. */
static int choose_limit(const struct storage_volume *vol, uint64_t *ret_bytes, struct error **err)
{
	struct storage_space space;

	int r = storage_driver_pool_space(vol->pool, &space, err);
	if (r < 0)
		return r;
	uint64_t left = space.total_bytes - space.used_bytes;
	*ret_bytes = vol->size > 0 && vol->size < left ? vol->size : left;
	/* 0 would be no limit at all. */
	if (*ret_bytes == 0)
		*ret_bytes = 1;
	return 0;
}

static int unpack_one(const struct storage_volume *vol, int fd, const char *path,
                      enum unpack_form form, uint64_t max_bytes, struct op *op, struct error **err)
{
	const struct unpack unpack = {
		.fd = fd,
		.path = path,
		.form = form,
		.max_bytes = max_bytes,
		.what = "image",
	};

	return unpack_archive(vol->pool->host, &unpack, op, err);
}

static int make_rootfs(const char *rootfs, struct error **err)
{
	if (mkdir(rootfs, 0755) < 0 && errno != EEXIST)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", rootfs);
	/* Not what the umask leaves: everybody in the container must get in. */
	if (chmod(rootfs, 0755) < 0)
		return error_set_errno(err, -errno, "Failed setting mode of \"%s\"", rootfs);
	return 0;
}

int storage_image_unpack(struct state *state, const char *fingerprint, struct storage_volume *vol,
                         struct op *op, struct error **err)
{
	scoped_free char *meta_path = path_join(state->dirs->images, fingerprint, NULL);
	scoped_free char *rootfs_path = xasprintf("%s.rootfs", meta_path);
	scoped_free char *path = storage_driver_volume_path(vol);
	scoped_free char *rootfs = xasprintf("%s/rootfs", path);
	uint64_t max_bytes;
	struct stat st;

	int r = choose_limit(vol, &max_bytes, err);
	if (r < 0)
		return r;
	scoped_fd int meta = open(meta_path, O_RDONLY | O_CLOEXEC);
	if (meta < 0)
		return error_set_errno(err, -errno, "Failed opening image \"%s\"", fingerprint);
	scoped_fd int root = open(rootfs_path, O_RDONLY | O_CLOEXEC);
	if (root < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed opening image \"%s\"", fingerprint);

	bool is_split = root >= 0;
	r = unpack_one(vol, meta, path, UNPACK_IMAGE, is_split ? METADATA_MAX : max_bytes, op, err);
	if (r == 0 && is_split)
		r = make_rootfs(rootfs, err);
	if (r == 0 && is_split)
		r = unpack_one(vol, root, rootfs, UNPACK_TREE, max_bytes, op, err);
	if (r < 0)
		return r;
	if (lstat(rootfs, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, 400, "Invalid image: \"rootfs\" is not a directory");
	return 0;
}

/* Makes the volume with what is in the image; removes it if that fails. */
static int create_unpacked(struct state *state, const char *fingerprint, struct storage_volume *vol,
                           struct op *op, struct error **err)
{
	int r = storage_driver_volume_create(vol, op, err);
	if (r < 0)
		return r;

	r = storage_image_unpack(state, fingerprint, vol, op, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_driver_volume_delete(vol, NULL, &ignored);
	}
	return r;
}

static bool is_row_of(const struct db_storage_volume *row, const char *fingerprint,
                      const char *member)
{
	return row->type == DB_VOLUME_IMAGE && strcmp(row->name, fingerprint) == 0 &&
	       strcmp(row->member, member) == 0;
}

/* Its row says that it was finished. */
static int has_row(struct state *state, const char *pool, const char *fingerprint,
                   struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *member = state_member_name(state);

	int r = db_cache_view(state->cache, DB_VOLUMES, &view, err);
	if (r < 0)
		return r;
	const struct db_storage_volumes *rows = db_cache_volumes(view);
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_storage_volume *row = &rows->rows[i];

		if (is_row_of(row, fingerprint, member) && strcmp(row->pool, pool) == 0)
			return 1;
	}
	return 0;
}

static int create_image_volume(struct state *state, const char *fingerprint,
                               struct storage_volume *image, struct op *op, struct error **err)
{
	const char *pool = image->pool->name;

	/* A row without files, or files without a row: left by a crash. */
	int r = has_row(state, pool, fingerprint, err);
	if (r > 0)
		r = storage_rows_delete(
			state, STORAGE_ROWS_KEY(STORAGE_IMAGE, "default", pool, fingerprint), err);
	if (r == 0)
		r = storage_driver_volume_delete(image, op, err);
	if (r == 0)
		r = create_unpacked(state, fingerprint, image, op, err);
	if (r < 0)
		return r;

	r = storage_rows_create(state,
	                        STORAGE_ROWS_KEY(STORAGE_IMAGE, "default", pool, fingerprint),
	                        STORAGE_FILESYSTEM, NULL, NULL, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_driver_volume_delete(image, NULL, &ignored);
	}
	return r;
}

static int sync_filesystem(const char *path, struct error **err)
{
	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return error_set_errno(err, -errno, "Failed syncing \"%s\"", path);
	return 0;
}

/* Its name says that it is complete, so its bytes must be on the disk before. */
static int keep_unpacked(struct state *state, const char *fingerprint, struct storage_volume *kept,
                         struct op *op, struct error **err)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped_free char *name = storage_layout_temporary_name();
	struct storage_volume fresh = *kept;

	fresh.name = name;
	int r = create_unpacked(state, fingerprint, &fresh, op, err);
	if (r < 0)
		return r;
	r = sync_filesystem(kept->pool->path, err);
	if (r == 0)
		r = storage_driver_volume_rename(&fresh, kept->name, err);
	if (r < 0)
		storage_driver_volume_delete(&fresh, NULL, &ignored);
	return r;
}

/* Whether the unpacked image is there and complete: 1 or 0. */
static int is_complete(struct state *state, const char *fingerprint, struct storage_volume *image,
                       struct error **err)
{
	if (!storage_driver_volume_exists(image))
		return 0;
	if (image->pool->driver->caps & STORAGE_CAP_IMAGE_COPIES)
		return 1;
	return has_row(state, image->pool->name, fingerprint, err);
}

static int make_unpacked(struct state *state, const char *fingerprint, struct storage_volume *image,
                         struct op *op, struct error **err)
{
	return image->pool->driver->caps & STORAGE_CAP_IMAGE_COPIES
	               ? keep_unpacked(state, fingerprint, image, op, err)
	               : create_image_volume(state, fingerprint, image, op, err);
}

/* Yields the image locked shared, with its unpacked form there. */
static int lock_unpacked(struct state *state, struct operation *operation, const char *fingerprint,
                         struct storage_volume *image, struct lock **ret_lock, struct error **err)
{
	struct cancel *cancel = operation ? operation_cancel_token(operation) : NULL;
	struct op op = storage_service_op(operation);

	for (;;) {
		scoped(locks_releasep) struct lock *lock = NULL;

		int r = locks_take_shared(state->locks, LOCK_IMAGE, fingerprint, cancel, &lock,
		                          err);
		if (r == 0)
			r = is_complete(state, fingerprint, image, err);
		if (r < 0)
			return r;
		if (r > 0) {
			*ret_lock = TAKE_PTR(lock);
			return 0;
		}

		locks_release(lock);
		lock = NULL;
		r = locks_take(state->locks, LOCK_IMAGE, fingerprint, cancel, &lock, err);
		/* Somebody else may have made it in between. */
		if (r == 0)
			r = is_complete(state, fingerprint, image, err);
		if (r == 0)
			r = make_unpacked(state, fingerprint, image, &op, err);
		if (r < 0)
			return r;
	}
}

static int create_copied(struct state *state, struct operation *operation, const char *fingerprint,
                         struct storage_volume *vol, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);
	struct storage_volume kept = {
		.pool = vol->pool,
		.kind = STORAGE_IMAGE,
		.name = fingerprint,
	};

	if (!storage_service_use_image(state, vol->pool->name, fingerprint) &&
	    !storage_driver_volume_exists(&kept))
		return create_unpacked(state, fingerprint, vol, &op, err);

	int r = lock_unpacked(state, operation, fingerprint, &kept, &lock, err);
	if (r == 0)
		return storage_driver_volume_copy(vol, &kept, &op, err);
	if (op_cancelled(&op))
		return r;

	/* There may be no space for one more. */
	error_clear(err);
	return create_unpacked(state, fingerprint, vol, &op, err);
}

int storage_image_create_volume(struct state *state, struct operation *operation,
                                const char *fingerprint, struct storage_volume *vol,
                                struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);
	struct storage_volume image = {
		.pool = vol->pool,
		.kind = STORAGE_IMAGE,
		.name = fingerprint,
	};

	if (vol->pool->driver->caps & STORAGE_CAP_IMAGE_COPIES)
		return create_copied(state, operation, fingerprint, vol, err);
	if (!(vol->pool->driver->caps & STORAGE_CAP_IMAGE_VOLUMES))
		return create_unpacked(state, fingerprint, vol, &op, err);

	int r = lock_unpacked(state, operation, fingerprint, &image, &lock, err);
	return r < 0 ? r : storage_driver_volume_copy(vol, &image, &op, err);
}

static bool is_image(const struct db_view *view, const char *fingerprint)
{
	const struct db_images *images = db_cache_images(view);

	for (size_t i = 0; i < images->n; i++)
		if (strcmp(images->rows[i].fingerprint, fingerprint) == 0)
			return true;
	return false;
}

void storage_image_sweep(struct state *state, struct storage_pool *pool)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	scoped_free char *path =
		xasprintf("%s/%s", pool->path, storage_layout_folder(STORAGE_IMAGE, false));
	scoped(strv_freep) char **names = NULL;
	const struct dirent *entry;

	if (!(pool->driver->caps & STORAGE_CAP_IMAGE_COPIES) ||
	    db_cache_view(state->cache, DB_IMAGES, &view, &ignored) < 0)
		return;
	DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !is_image(view, entry->d_name))
			strv_add(&names, entry->d_name);
	if (dir)
		closedir(dir);

	STRV_FOREACH (name, names) {
		scoped(error_freep) struct error *failed = NULL;
		struct storage_volume kept = { .pool = pool, .kind = STORAGE_IMAGE, .name = name };

		if (storage_driver_volume_delete(&kept, NULL, &failed) < 0)
			log_warn("Failed removing an image that is none any more: %s", failed->msg);
	}
}

/* What is kept without a row. */
static int delete_kept(struct state *state, const char *fingerprint, const char *member,
                       struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(state->cache, DB_POOLS, &view, err);
	if (r < 0)
		return r;
	const struct db_storage_pools *rows = db_cache_pools(view);
	for (size_t i = 0; i < rows->n; i++) {
		struct storage_volume kept = { .kind = STORAGE_IMAGE, .name = fingerprint };
		scoped(error_freep) struct error *ignored = NULL;

		/* A pool that cannot be opened is swept when it can be. */
		if (!db_storage_pool_is_created_on(&rows->rows[i], member) ||
		    storage_service_pool(state, rows->rows[i].name, &kept.pool, &ignored) < 0 ||
		    !(kept.pool->driver->caps & STORAGE_CAP_IMAGE_COPIES))
			continue;
		r = storage_driver_volume_delete(&kept, NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int storage_image_delete(struct state *state, const char *fingerprint, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *member = state_member_name(state);

	int r = db_cache_view(state->cache, DB_VOLUMES, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_volumes *rows = db_cache_volumes(view);
	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		const struct db_storage_volume *row = &rows->rows[i];
		struct storage_volume image = { .kind = STORAGE_IMAGE, .name = fingerprint };

		if (!is_row_of(row, fingerprint, member))
			continue;
		r = storage_service_pool(state, row->pool, &image.pool, err);
		if (r == 0)
			r = storage_driver_volume_delete(&image, NULL, err);
		if (r == 0)
			r = storage_rows_delete(
				state,
				STORAGE_ROWS_KEY(STORAGE_IMAGE, "default", row->pool, fingerprint),
				err);
	}
	return r < 0 ? r : delete_kept(state, fingerprint, member, err);
}
