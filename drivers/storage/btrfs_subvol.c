#include "drivers/storage/btrfs_subvol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#define SUBVOL_INODE 256 /* The number of every subvolume's top. */

int btrfs_subvol_is_one(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_ino == SUBVOL_INODE;
}

int btrfs_subvol_create(int dir, const char *name)
{
	struct btrfs_ioctl_vol_args args = { 0 };

	if (!str_copy(args.name, BTRFS_SUBVOL_NAME_MAX, name))
		return -ENAMETOOLONG;
	return ioctl(dir, BTRFS_IOC_SUBVOL_CREATE, &args) < 0 ? -errno : 0;
}

static int snapshot_one(int source, int dir, const char *name, bool readonly)
{
	struct btrfs_ioctl_vol_args_v2 args = {
		.fd = source,
		.flags = readonly ? BTRFS_SUBVOL_RDONLY : 0,
	};

	if (!str_copy(args.name, BTRFS_SUBVOL_NAME_MAX, name))
		return -ENAMETOOLONG;
	return ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? -errno : 0;
}

static int destroy_one(int dir, const char *name)
{
	struct btrfs_ioctl_vol_args args = { 0 };

	if (!str_copy(args.name, BTRFS_SUBVOL_NAME_MAX, name))
		return -ENAMETOOLONG;
	return ioctl(dir, BTRFS_IOC_SNAP_DESTROY, &args) < 0 ? -errno : 0;
}

static int get_flags(int fd, uint64_t *ret_flags)
{
	__u64 flags;

	if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0)
		return -errno;
	*ret_flags = flags;
	return 0;
}

int btrfs_subvol_is_readonly(int fd)
{
	uint64_t flags = 0;

	int r = get_flags(fd, &flags);
	return r < 0 ? r : (flags & BTRFS_SUBVOL_RDONLY) != 0;
}

int btrfs_subvol_set_readonly(int fd, bool readonly)
{
	uint64_t before = 0;

	int r = get_flags(fd, &before);
	if (r < 0)
		return r;
	__u64 after =
		readonly ? before | BTRFS_SUBVOL_RDONLY : before & ~(uint64_t)BTRFS_SUBVOL_RDONLY;
	if (after == before)
		return 0;
	return ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &after) < 0 ? -errno : 0;
}

int btrfs_subvol_id(int fd, uint64_t *ret_id)
{
	struct btrfs_ioctl_ino_lookup_args args = { .objectid = BTRFS_FIRST_FREE_OBJECTID };

	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &args) < 0)
		return -errno;
	*ret_id = args.treeid;
	return 0;
}

static int add_nested(int fd, const char *prefix, char ***paths);

/* Adds the subvolume 'treeid', whose name is in the directory 'dirid', and those nested in it. */
static int add_child(int fd, const char *prefix, uint64_t treeid, uint64_t dirid, char ***paths)
{
	scoped_free struct btrfs_ioctl_ino_lookup_user_args *lookup = xcalloc(1, sizeof(*lookup));

	lookup->treeid = treeid;
	lookup->dirid = dirid;
	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP_USER, lookup) < 0)
		/* It lies in a directory that is gone, or moved meanwhile. */
		return errno == ENOENT ? 0 : -errno;

	scoped_free char *relative = xasprintf("%s%s", lookup->path, lookup->name);
	scoped_free char *path = xasprintf("%s%s", prefix, relative);
	strv_add(paths, path);

	scoped_fd int child = path_open_beneath(fd, relative, O_RDONLY | O_DIRECTORY, 0);
	if (child < 0)
		return child;
	scoped_free char *inner = xasprintf("%s/", path);
	return add_nested(child, inner, paths);
}

static int add_nested(int fd, const char *prefix, char ***paths)
{
	scoped_free struct btrfs_ioctl_get_subvol_rootref_args *refs = xcalloc(1, sizeof(*refs));
	bool has_more;

	do {
		int r = ioctl(fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, refs);

		has_more = r < 0 && errno == EOVERFLOW;
		if (r < 0 && !has_more)
			return -errno;
		for (size_t i = 0; i < refs->num_items; i++) {
			r = add_child(fd, prefix, refs->rootref[i].treeid, refs->rootref[i].dirid,
			              paths);
			if (r < 0)
				return r;
		}
	} while (has_more);
	return 0;
}

int btrfs_subvol_nested(int fd, char ***ret_paths)
{
	scoped(strv_freep) char **paths = NULL;

	int r = add_nested(fd, "", &paths);
	if (r < 0)
		return r;
	*ret_paths = TAKE_PTR(paths);
	return 0;
}

/* As path_open_parent(), for calls that want a directory which is open for reading. */
static int open_parent(int dir, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	scoped_free char *parent = xasprintf("%.*s", slash ? (int)(slash - path) : 0, path);

	*ret_name = slash ? slash + 1 : path;
	return path_open_beneath(dir, parent, O_RDONLY | O_DIRECTORY, 0);
}

/* A snapshot has an empty directory where the source has a nested subvolume. */
static int snapshot_nested(int source, int copy, const char *path)
{
	const char *name;

	scoped_fd int from = path_open_beneath(source, path, O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return from;
	scoped_fd int parent = open_parent(copy, path, &name);
	if (parent < 0)
		return parent;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return snapshot_one(from, parent, name, false);
}

static int set_readonly_nested(int copy, char **paths)
{
	STRV_FOREACH (path, paths) {
		scoped_fd int fd = path_open_beneath(copy, path, O_RDONLY | O_DIRECTORY, 0);
		int r = fd < 0 ? fd : btrfs_subvol_set_readonly(fd, true);

		if (r < 0)
			return r;
	}
	return btrfs_subvol_set_readonly(copy, true);
}

int btrfs_subvol_snapshot(int source, int dir, const char *name, bool readonly)
{
	scoped(strv_freep) char **paths = NULL;

	int r = btrfs_subvol_nested(source, &paths);
	if (r < 0)
		return r;
	if (strv_len(paths) == 0)
		return snapshot_one(source, dir, name, readonly);

	r = snapshot_one(source, dir, name, false);
	if (r < 0)
		return r;
	scoped_fd int copy = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = copy < 0 ? -errno : 0;
	for (char **path = paths; r == 0 && *path; path++)
		r = snapshot_nested(source, copy, *path);
	if (r == 0 && readonly)
		r = set_readonly_nested(copy, paths);
	if (r < 0)
		btrfs_subvol_delete(dir, name);
	return r;
}

int btrfs_subvol_delete_nested(int fd)
{
	scoped(strv_freep) char **paths = NULL;

	int r = btrfs_subvol_nested(fd, &paths);
	if (r < 0 || strv_len(paths) == 0)
		return r;

	/* Nothing can be removed from what is read-only. */
	r = btrfs_subvol_set_readonly(fd, false);
	STRV_FOREACH (path, paths) {
		scoped_fd int nested = path_open_beneath(fd, path, O_RDONLY | O_DIRECTORY, 0);

		if (nested >= 0)
			btrfs_subvol_set_readonly(nested, false);
	}

	/* Those that hold others were listed before them. */
	for (size_t i = strv_len(paths); r == 0 && i-- > 0;) {
		const char *name;
		scoped_fd int parent = open_parent(fd, paths[i], &name);

		r = parent < 0 ? parent : destroy_one(parent, name);
	}
	return r;
}

int btrfs_subvol_delete(int dir, const char *name)
{
	scoped_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	int r = btrfs_subvol_delete_nested(fd);
	return r < 0 ? r : destroy_one(dir, name);
}

int btrfs_subvol_send(int fd, int parent, int pipe)
{
	uint64_t parent_id = 0;

	if (parent >= 0) {
		int r = btrfs_subvol_id(parent, &parent_id);

		if (r < 0)
			return r;
	}

	__u64 sources[] = { parent_id };
	struct btrfs_ioctl_send_args args = {
		.send_fd = pipe,
		.parent_root = parent_id,
		.clone_sources = parent >= 0 ? sources : NULL,
		.clone_sources_count = parent >= 0 ? 1 : 0,
	};
	return ioctl(fd, BTRFS_IOC_SEND, &args) < 0 ? -errno : 0;
}

int btrfs_subvol_sync(int fd)
{
	return ioctl(fd, BTRFS_IOC_SYNC, NULL) < 0 ? -errno : 0;
}
