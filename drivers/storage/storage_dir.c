/*
 * The "dir" driver: a pool is a directory, a volume a directory in it.
 *
 * It has nothing of its own: copies and snapshots are copies of files (which share their blocks
 * where the filesystem can), and sizes are limited with project quotas where the filesystem has
 * them. Elsewhere a size is accepted and means nothing. A pool whose source is elsewhere is bound
 * to its place below the state directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/host/host.h"
#include "drivers/storage/storage_driver.h"
#include "drivers/storage/storage_generic.h"
#include "drivers/storage/storage_volume_keys.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/path.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"
#include "lib/linux/mount.h"
#include "lib/linux/quota.h"

/* clang-format off */
static const struct conf_key pool_keys[] = {
	{ .name = "source", .type = CONF_STRING, .flags = CONF_LOCAL,
	  .doc = "Directory that holds the pool; it must be empty." },
	{ .name = "rsync.bwlimit", .type = CONF_SIZE, .flags = CONF_LIVE, .fallback = "0",
	  .doc = "Most bytes a second that copies may send, or 0." },
	{ .name = "rsync.compression", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_IDLE, .fallback = "true",
	  .doc = "Whether streams between servers are compressed." },
	{ .name = NULL },
};

static const struct conf_key volume_keys[] = { STORAGE_VOLUME_KEYS };
/* clang-format on */

static char *dir_version(void)
{
	return xstrdup("1");
}

static const char *source_of(const struct storage_pool *pool)
{
	return smap_get_or(pool->config, "source", pool->path);
}

static bool is_elsewhere(const struct storage_pool *pool)
{
	return strcmp(source_of(pool), pool->path) != 0;
}

/* 1 if the directory has nothing in it (but lost+found), 0 if it has. */
static int is_empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 1;

	if (!dir)
		return -errno;
	while (r > 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "lost+found") != 0)
			r = 0;
	closedir(dir);
	return r;
}

static int dir_pool_prepare(struct storage_pool *pool, struct error **err)
{
	const char *source = smap_get(pool->config, "source");

	if (str_is_empty(source)) {
		smap_set(pool->config, "source", pool->path);
		return 0;
	}
	if (!path_is_absolute(source))
		return error_set(err, 400, "Source \"%s\" is not an absolute path", source);

	scoped_free char *clean = path_clean(source);
	if (strcmp(clean, pool->path) != 0 && path_is_beneath(pool->host->var_dir, clean))
		return error_set(err, 400,
		                 "Source \"%s\" is within the state directory of the daemon",
		                 source);
	smap_set(pool->config, "source", clean);
	return 0;
}

static int dir_pool_create(struct storage_pool *pool, struct op *op, struct error **err)
{
	const char *source = source_of(pool);

	if (is_elsewhere(pool)) {
		int empty = is_empty_dir(source);

		if (empty == -ENOENT)
			return error_set(err, 400, "Source \"%s\" does not exist", source);
		if (empty == -ENOTDIR)
			return error_set(err, 400, "Source \"%s\" is not a directory", source);
		if (empty < 0)
			return error_set_errno(err, empty, "Failed reading \"%s\"", source);
		if (empty == 0)
			return error_set(err, 400, "Source \"%s\" is not empty", source);
	}

	int r = file_make_dirs(pool->path, 0711);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", pool->path);
	r = is_empty_dir(pool->path);
	if (r == 0)
		return error_set(err, 400, "Source \"%s\" is not empty", pool->path);
	return r < 0 ? error_set_errno(err, r, "Failed reading \"%s\"", pool->path) : 0;
}

static int dir_pool_mount(struct storage_pool *pool, struct error **err)
{
	int r = file_make_dirs(pool->path, 0711);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", pool->path);

	if (is_elsewhere(pool)) {
		r = mount_is_mountpoint(pool->path);
		if (r == 0)
			r = mount_bind(source_of(pool), pool->path, true);
		if (r < 0)
			return error_set_errno(err, r, "Failed binding \"%s\"", source_of(pool));
	}
	if (chmod(pool->path, 0711) < 0)
		return error_set_errno(err, -errno, "Failed setting mode of \"%s\"", pool->path);

	pool->has_quotas = quota_is_supported(pool->path) > 0;
	return 0;
}

static int dir_pool_unmount(struct storage_pool *pool, struct error **err)
{
	int r = is_elsewhere(pool) ? mount_remove(pool->path) : 0;

	return r < 0 ? error_set_errno(err, r, "Failed unmounting \"%s\"", pool->path) : 0;
}

static int dir_pool_delete(struct storage_pool *pool, struct op *op, struct error **err)
{
	/* A source that is gone with its disk must not keep the pool from being forgotten. */
	int r = file_is_dir(pool->path) ? tree_remove(pool->path, TREE_KEEP_ROOT) : 0;
	if (r < 0 && r != -ENOENT)
		return error_set_errno(err, r, "Failed removing what is in \"%s\"", pool->path);
	r = dir_pool_unmount(pool, err);
	if (r < 0)
		return r;
	if (rmdir(pool->path) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed removing \"%s\"", pool->path);
	return 0;
}

/*
 * The project id of a volume is the inode number of its directory: unique on the filesystem for as
 * long as the volume lives, and nothing to keep track of. 0 where it does not fit.
 */
static uint32_t project_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || st.st_ino > UINT32_MAX)
		return 0;
	return (uint32_t)st.st_ino;
}

static int apply_size(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);
	uint32_t id = project_of(path), current;
	uint64_t used, limit;

	if (!vol->pool->has_quotas || id == 0 || vol->content != STORAGE_FILESYSTEM)
		return 0;

	int r = quota_project(path, &current);
	if (r == 0 && vol->size == 0 && current == 0)
		return 0;
	if (r == 0 && current != id)
		r = quota_set_project(path, id);
	if (r == 0)
		r = quota_usage(path, id, &used, &limit);
	if (r == 0 && vol->size > 0 && used > vol->size)
		return error_set(err, 507, "Volume \"%s\" holds more than the new size", vol->name);
	if (r == 0)
		r = quota_set_limit(path, id, vol->size);
	return r < 0 ? error_set_errno(err, r, "Failed setting size of \"%s\"", vol->name) : 0;
}

static int dir_volume_create(struct storage_volume *vol, struct op *op, struct error **err)
{
	int r = storage_generic_make_dir(vol, err);
	if (r < 0)
		return r;

	r = storage_generic_make_image(vol, err);
	if (r == 0)
		r = apply_size(vol, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_generic_volume_delete(vol, &ignored);
	}
	return r;
}

static int dir_volume_delete(struct storage_volume *vol, struct op *op, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);
	uint32_t id = vol->pool->has_quotas ? project_of(path) : 0;

	int r = storage_generic_volume_delete(vol, err);
	/* The next directory with this inode number starts without a limit. */
	if (r == 0 && id != 0)
		(void)quota_set_limit(vol->pool->path, id, 0);
	return r;
}

static int dir_volume_resize(struct storage_volume *vol, struct error **err)
{
	return apply_size(vol, err);
}

static int dir_volume_space(struct storage_volume *vol, struct storage_space *ret_space,
                            struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);
	uint32_t id = project_of(path), current = 0;
	struct storage_space space = { 0 };

	if (!vol->pool->has_quotas || id == 0 || quota_project(path, &current) < 0 || current != id)
		return -ENOTSUP;

	int r = quota_usage(path, id, &space.used_bytes, &space.total_bytes);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading usage of \"%s\"", vol->name);
	*ret_space = space;
	return 0;
}

const struct storage_driver storage_dir_driver = {
	.name = "dir",
	.caps = STORAGE_CAP_IMAGE_COPIES,
	.pool_keys = pool_keys,
	.volume_keys = volume_keys,
	.version = dir_version,
	.pool_prepare = dir_pool_prepare,
	.pool_create = dir_pool_create,
	.pool_delete = dir_pool_delete,
	.pool_mount = dir_pool_mount,
	.pool_unmount = dir_pool_unmount,
	.volume_create = dir_volume_create,
	.volume_delete = dir_volume_delete,
	.volume_resize = dir_volume_resize,
	.volume_space = dir_volume_space,
};
