/*
 * The "btrfs" driver: a pool is a filesystem or a part of one, a volume a subvolume in it.
 *
 * Copies and snapshots cost nothing, volumes travel as send streams, sizes are quota groups, which
 * are switched on when the first size is set. What holds the pool is its source: a file of its own
 * that is looped ($MUSTER_DIR/disks/POOL.img), a block device, or a directory on a btrfs that is
 * there already, bound to the pool's place.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/host/host.h"
#include "drivers/storage/btrfs_quota.h"
#include "drivers/storage/btrfs_subvol.h"
#include "drivers/storage/storage_btrfs_private.h"
#include "drivers/storage/storage_generic.h"
#include "drivers/storage/storage_volume_keys.h"
#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"
#include "lib/linux/block.h"
#include "lib/linux/filesystem.h"
#include "lib/linux/mount.h"

#define GIB (UINT64_C(1024) * 1024 * 1024)
#define MIN_SIZE \
	(UINT64_C(120) * 1024 * 1024) /* mkfs.btrfs makes nothing smaller than 109 MiB. \
	                               */

static int check_mount_options(const char *value, struct error **err)
{
	scoped_free char *data = NULL;
	unsigned long flags;

	if (mount_parse_options(value, &flags, &data) < 0)
		return error_set(err, 400, "Invalid mount options \"%s\"", value);
	return 0;
}

/* clang-format off */
static const struct conf_key pool_keys[] = {
	{ .name = "source", .type = CONF_STRING, .flags = CONF_LOCAL,
	  .doc = "Block device, file or btrfs directory that holds the pool; empty: a file of its own." },
	{ .name = "source.wipe", .type = CONF_BOOL, .flags = CONF_LOCAL,
	  .doc = "Whether what is on the block device may be overwritten." },
	{ .name = "size", .type = CONF_SIZE, .flags = CONF_LOCAL | CONF_LIVE,
	  .doc = "Size of a pool in a file of its own; may grow later." },
	{ .name = "btrfs.mount_options", .type = CONF_STRING, .flags = CONF_LIVE,
	  .fallback = "user_subvol_rm_allowed", .check = check_mount_options,
	  .doc = "How the pool is mounted." },
	{ .name = NULL },
};

static const struct conf_key volume_keys[] = { STORAGE_VOLUME_KEYS };
/* clang-format on */

/* What a source is, told by what is there. */
enum source_kind { SOURCE_LOOP, SOURCE_DEVICE, SOURCE_DIRECTORY };

static int btrfs_probe(struct error **err)
{
	static const char *const tools[] = { "btrfs", "mkfs.btrfs" };

	for (size_t i = 0; i < COUNT_OF(tools); i++)
		if (!command_exists(tools[i]))
			return error_set(err, 412, "Required tool \"%s\" is missing", tools[i]);
	return 0;
}

static char *btrfs_version(void)
{
	const char *argv[] = { "btrfs", "version", NULL };
	scoped(command_done) struct command c = { .argv = argv, .timeout_ms = 10000 };

	if (command_run(&c) < 0 || c.status != 0 || !c.output)
		return xstrdup("");
	/* "btrfs-progs v6.2 \n" and perhaps lines about how it was built. */
	const char *v = strstr(c.output, " v");
	return v ? xasprintf("%.*s", (int)strcspn(v + 2, " \n"), v + 2) : xstrdup("");
}

static char *loop_path(const struct storage_pool *pool)
{
	return xasprintf("%s/disks/%s.img", pool->host->var_dir, pool->name);
}

static const char *source_of(const struct storage_pool *pool)
{
	return smap_get_or(pool->config, "source", "");
}

static bool is_own_loop(const struct storage_pool *pool)
{
	scoped_free char *path = loop_path(pool);

	return strcmp(source_of(pool), path) == 0;
}

static enum source_kind kind_of(const struct storage_pool *pool)
{
	const char *source = source_of(pool);
	struct stat st;

	if (block_is_device(source))
		return SOURCE_DEVICE;
	if (is_own_loop(pool) || (stat(source, &st) == 0 && S_ISREG(st.st_mode)))
		return SOURCE_LOOP;
	return SOURCE_DIRECTORY;
}

/* A fifth of what is free where the file will be, within 5 and 30 GiB. */
static int choose_size(const struct storage_pool *pool, uint64_t *ret_size, struct error **err)
{
	struct filesystem_space space;

	int r = filesystem_space(pool->host->var_dir, &space);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading space of \"%s\"",
		                       pool->host->var_dir);
	uint64_t size = space.free_bytes / 5;
	size = MAX_OF(size, 5 * GIB);
	size = MIN_OF(size, 30 * GIB);
	*ret_size = size;
	return 0;
}

static int prepare_loop(struct storage_pool *pool, struct error **err)
{
	scoped_free char *path = loop_path(pool);
	const char *text = smap_get(pool->config, "size");
	int64_t given;
	uint64_t size = 0;

	if (str_is_empty(text)) {
		int r = choose_size(pool, &size, err);
		if (r < 0)
			return r;
		smap_setf(pool->config, "size", "%lluB", (unsigned long long)size);
	} else {
		if (parse_size(text, &given) < 0 || given < (int64_t)MIN_SIZE)
			return error_set(err, 400, "Invalid size \"%s\" of storage pool \"%s\"",
			                 text, pool->name);
	}
	smap_set(pool->config, "source", path);
	return 0;
}

static int btrfs_pool_prepare(struct storage_pool *pool, struct error **err)
{
	scoped_free char *path = loop_path(pool);
	const char *source = source_of(pool);

	if (str_is_empty(source) || strcmp(source, path) == 0)
		return prepare_loop(pool, err);

	if (!path_is_absolute(source))
		return error_set(err, 400, "Source \"%s\" is not an absolute path", source);
	scoped_free char *clean = path_clean(source);
	if (path_is_beneath(pool->host->var_dir, clean) && strcmp(clean, pool->path) != 0)
		return error_set(err, 400,
		                 "Source \"%s\" is within the state directory of the daemon",
		                 source);

	smap_set(pool->config, "volatile.initial_source", source);
	smap_set(pool->config, "source", clean);
	return 0;
}

static int create_loop_file(struct storage_pool *pool, struct error **err)
{
	scoped_free char *disks = xasprintf("%s/disks", pool->host->var_dir);
	const char *path = source_of(pool);
	int64_t size;

	int r = file_make_dirs(disks, 0700);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", disks);
	r = parse_size(smap_get_or(pool->config, "size", ""), &size);
	if (r < 0)
		return error_set(err, 400, "Invalid size of storage pool \"%s\"", pool->name);

	scoped_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", path);
	if (ftruncate(fd, size) < 0 || filesystem_make("btrfs", path, pool->name, false, err) < 0) {
		r = *err ? (*err)->code
		         : error_set_errno(err, -errno, "Failed growing \"%s\"", path);
		unlink(path);
		return r;
	}
	return 0;
}

static int create_on_device(struct storage_pool *pool, struct error **err)
{
	const char *source = source_of(pool);
	bool wipe = smap_is_true(pool->config, "source.wipe");

	if (wipe && block_is_device(source)) {
		int r = block_wipe(source);
		if (r < 0)
			return error_set_errno(err, r, "Failed wiping \"%s\"", source);
	}
	return filesystem_make("btrfs", source, pool->name, wipe, err);
}

/* A directory that is not there becomes a subvolume; one that is must be empty. */
static int create_in_directory(struct storage_pool *pool, struct error **err)
{
	const char *source = source_of(pool);
	scoped_free char *parent_path = path_dir(source);

	if (!filesystem_is_btrfs(file_exists(source) ? source : parent_path))
		return error_set(err, 400, "Source \"%s\" is not on a btrfs filesystem", source);

	scoped_fd int parent = open(parent_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", parent_path);
	int r = btrfs_subvol_create(parent, path_base(source));
	if (r < 0 && r != -EEXIST)
		return error_set_errno(err, r, "Failed creating subvolume \"%s\"", source);
	if (r == 0)
		return 0;

	/* rmdir() says more cheaply than a look whether something is in it, and then it is made. */
	if (unlinkat(parent, path_base(source), AT_REMOVEDIR) < 0)
		return error_set(err, 400, "Source \"%s\" is not an empty directory", source);
	r = btrfs_subvol_create(parent, path_base(source));
	return r < 0 ? error_set_errno(err, r, "Failed creating subvolume \"%s\"", source) : 0;
}

static int btrfs_pool_create(struct storage_pool *pool, struct op *op, struct error **err)
{
	if (is_own_loop(pool))
		return create_loop_file(pool, err);

	switch (kind_of(pool)) {
	case SOURCE_LOOP:
	case SOURCE_DEVICE:
		return create_on_device(pool, err);
	case SOURCE_DIRECTORY:
		break;
	}
	return create_in_directory(pool, err);
}

static int mount_source(struct storage_pool *pool, const char *options)
{
	const char *source = source_of(pool);
	scoped_free char *device = NULL;

	switch (kind_of(pool)) {
	case SOURCE_DIRECTORY:
		return strcmp(source, pool->path) == 0 ? 0 : mount_bind(source, pool->path, false);
	case SOURCE_DEVICE:
		return mount_filesystem(source, pool->path, "btrfs", options);
	case SOURCE_LOOP:
		break;
	}

	/* The mount keeps the device when this descriptor is closed. */
	scoped_fd int fd = block_loop_attach(source, &device);
	if (fd < 0)
		return fd;
	return mount_filesystem(device, pool->path, "btrfs", options);
}

static int btrfs_pool_mount(struct storage_pool *pool, struct error **err)
{
	const char *options =
		smap_get_or(pool->config, "btrfs.mount_options", "user_subvol_rm_allowed");

	int r = file_make_dirs(pool->path, 0711);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", pool->path);
	r = mount_is_mountpoint(pool->path);
	if (r == 0)
		r = mount_source(pool, options);
	if (r < 0)
		return error_set_errno(err, r, "Failed mounting \"%s\"", source_of(pool));
	if (!filesystem_is_btrfs(pool->path))
		return error_set(err, 500, "\"%s\" is not on a btrfs filesystem", pool->path);
	if (chmod(pool->path, 0711) < 0)
		return error_set_errno(err, -errno, "Failed setting mode of \"%s\"", pool->path);

	scoped_fd int fd = open(pool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pool->has_quotas = fd >= 0 && btrfs_quota_is_enabled(fd) > 0;
	return 0;
}

static int btrfs_pool_unmount(struct storage_pool *pool, struct error **err)
{
	int r = mount_remove(pool->path);

	return r < 0 ? error_set_errno(err, r, "Failed unmounting \"%s\"", pool->path) : 0;
}

/* Subvolumes cannot be removed as files can; so those go first. */
static int empty_directory_pool(struct storage_pool *pool, struct error **err)
{
	scoped_fd int fd = open(pool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT
		               ? 0
		               : error_set_errno(err, -errno, "Failed opening \"%s\"", pool->path);
	int r = btrfs_subvol_is_one(fd) > 0 ? btrfs_subvol_delete_nested(fd) : 0;
	if (r == 0)
		r = tree_remove(pool->path, TREE_KEEP_ROOT);
	return r < 0 ? error_set_errno(err, r, "Failed emptying \"%s\"", pool->path) : 0;
}

static int btrfs_pool_delete(struct storage_pool *pool, struct op *op, struct error **err)
{
	enum source_kind kind = kind_of(pool);
	const char *source = source_of(pool);
	int r = 0;

	if (kind == SOURCE_DIRECTORY && filesystem_is_btrfs(pool->path))
		r = empty_directory_pool(pool, err);
	if (r == 0)
		r = btrfs_pool_unmount(pool, err);
	if (r < 0)
		return r;

	if (is_own_loop(pool) && unlink(source) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed removing \"%s\"", source);
	/* The subvolume that the pool was; fails, and stays, when it is the top of a filesystem. */
	if (kind == SOURCE_DIRECTORY) {
		scoped_free char *parent_path = path_dir(source);
		scoped_fd int parent = open(parent_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (parent >= 0)
			(void)btrfs_subvol_delete(parent, path_base(source));
	}
	if (rmdir(pool->path) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed removing \"%s\"", pool->path);
	return 0;
}

static int grow(struct storage_pool *pool, uint64_t size, struct error **err)
{
	struct btrfs_ioctl_vol_args args = { .name = "max" };
	const char *source = source_of(pool);
	scoped_free char *device = NULL;
	struct stat st;

	if (stat(source, &st) < 0)
		return error_set_errno(err, -errno, "Failed reading \"%s\"", source);
	if (size < (uint64_t)st.st_size)
		return error_set(err, 400, "Pool cannot be shrunk");
	if (truncate(source, (off_t)size) < 0)
		return error_set_errno(err, -errno, "Failed growing \"%s\"", source);

	int r = block_loop_find(source, &device);
	if (r == 0)
		r = block_loop_refresh(device);
	if (r < 0)
		return error_set_errno(err, r, "Failed growing the loop device of \"%s\"", source);
	scoped_fd int fd = open(pool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BTRFS_IOC_RESIZE, &args) < 0)
		return error_set_errno(err, -errno, "Failed growing \"%s\"", pool->path);
	return 0;
}

static int btrfs_pool_update(struct storage_pool *pool, const struct smap *old, struct error **err)
{
	const char *size = smap_get_or(pool->config, "size", "");
	const char *options = smap_get_or(pool->config, "btrfs.mount_options", "");
	int64_t bytes;

	if (strcmp(size, smap_get_or(old, "size", "")) != 0 && !str_is_empty(size)) {
		if (!is_own_loop(pool))
			return error_set(err, 400, "Only pools in a file of their own have a size");
		if (parse_size(size, &bytes) < 0)
			return error_set(err, 400, "Invalid size \"%s\"", size);
		int r = grow(pool, (uint64_t)bytes, err);
		if (r < 0)
			return r;
	}
	if (strcmp(options, smap_get_or(old, "btrfs.mount_options", "")) != 0) {
		scoped_free char *all = xasprintf("remount,%s", options);
		int r = mount_filesystem(NULL, pool->path, NULL, all);

		if (r < 0)
			return error_set_errno(err, r, "Failed remounting with \"%s\"", options);
	}
	return 0;
}

const struct storage_driver storage_btrfs_driver = {
	.name = "btrfs",
	.caps = STORAGE_CAP_INSTANT_CLONE | STORAGE_CAP_OPTIMIZED_SEND | STORAGE_CAP_IMAGE_VOLUMES,
	.pool_keys = pool_keys,
	.volume_keys = volume_keys,
	.probe = btrfs_probe,
	.version = btrfs_version,
	.pool_prepare = btrfs_pool_prepare,
	.pool_create = btrfs_pool_create,
	.pool_delete = btrfs_pool_delete,
	.pool_mount = btrfs_pool_mount,
	.pool_unmount = btrfs_pool_unmount,
	.pool_update = btrfs_pool_update,
	.volume_create = storage_btrfs_volume_create,
	.volume_delete = storage_btrfs_volume_delete,
	.volume_copy = storage_btrfs_volume_copy,
	.volume_resize = storage_btrfs_volume_resize,
	.volume_space = storage_btrfs_volume_space,
	.volume_has_nested = storage_btrfs_volume_has_nested,
	.snapshot_create = storage_btrfs_volume_snapshot,
	.snapshot_restore = storage_btrfs_volume_restore,
	.volume_send = storage_btrfs_send_volume,
	.volume_receive = storage_btrfs_send_receive,
	.transfer_end = storage_btrfs_send_end,
};
