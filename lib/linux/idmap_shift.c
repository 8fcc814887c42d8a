#include "lib/linux/idmap_shift.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"
#include "lib/base/tree.h"
#include "lib/linux/xattr.h"

struct shifter {
	const struct idmap *map;
	enum idmap_shift direction;
	struct cancel *cancel;
	dev_t dev;

	/* Inodes with several names that were changed: an open hash table, 0 is a free slot. */
	ino_t *seen;
	size_t n_seen, n_slots;

	uint8_t value[XATTR_VALUE_MAX]; /* Of the extended attribute at hand. */
};

static bool map_id(bool is_uid, uint32_t id, uint32_t *ret_id, void *arg)
{
	const struct shifter *s = arg;

	if (s->direction == IDMAP_SHIFT_TO_HOST)
		return is_uid ? idmap_uid_to_host(s->map, id, ret_id)
		              : idmap_gid_to_host(s->map, id, ret_id);
	return is_uid ? idmap_uid_from_host(s->map, id, ret_id)
	              : idmap_gid_from_host(s->map, id, ret_id);
}

/* Adds 'ino'; false if it was there. */
static bool seen_add(struct shifter *s, ino_t ino)
{
	if (s->n_seen * 2 >= s->n_slots) {
		ino_t *old = s->seen;
		size_t n_old = s->n_slots;

		s->n_slots = n_old > 0 ? n_old * 2 : 1024;
		s->seen = xcalloc(s->n_slots, sizeof(*s->seen));
		s->n_seen = 0;
		for (size_t i = 0; i < n_old; i++)
			if (old[i] != 0)
				seen_add(s, old[i]);
		free(old);
	}

	size_t i = (size_t)(ino * UINT64_C(0x9e3779b97f4a7c15)) & (s->n_slots - 1);
	while (s->seen[i] != 0) {
		if (s->seen[i] == ino)
			return false;
		i = (i + 1) & (s->n_slots - 1);
	}
	s->seen[i] = ino;
	s->n_seen++;
	return true;
}

static int shift_acl(struct shifter *s, const char *path, const char *name)
{
	ssize_t size = lgetxattr(path, name, s->value, sizeof(s->value));
	if (size < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;

	int r = xattr_acl_map(s->value, (size_t)size, map_id, s);
	if (r <= 0)
		return r;
	return lsetxattr(path, name, s->value, (size_t)size, 0) < 0 ? -errno : 0;
}

/* chown(2) removes file capabilities, so they are read before it and written after. */
static ssize_t read_capability(struct shifter *s, const char *path)
{
	ssize_t size = lgetxattr(path, XATTR_CAPABILITY, s->value, XATTR_CAPS_SZ_3);
	if (size < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;

	size_t mapped = (size_t)size;
	int r = xattr_capability_map(s->value, &mapped, map_id, s);
	/* What is no capability that we know is put back as it was. */
	return r < 0 ? size : (ssize_t)mapped;
}

static int put_mode_back(const struct tree_entry *entry, const char *path)
{
	scoped_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char fd_name[FD_PATH_SIZE];

	if (fd < 0)
		return -errno;
	return chmod(fd_path(fd, fd_name), entry->st->st_mode & 07777) < 0 ? -errno : 0;
}

static int shift_inode(struct shifter *s, const struct tree_entry *entry, const char *path)
{
	const struct stat *st = entry->st;
	uid_t uid = st->st_uid;
	gid_t gid = st->st_gid;
	ssize_t capability_size = 0;
	int r = 0;

	if (!map_id(true, uid, &uid, s))
		uid = st->st_uid;
	if (!map_id(false, gid, &gid, s))
		gid = st->st_gid;

	if (S_ISREG(st->st_mode))
		capability_size = read_capability(s, path);
	if (capability_size < 0)
		return (int)capability_size;

	if ((uid != st->st_uid || gid != st->st_gid) &&
	    fchownat(entry->dir, entry->name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -errno;
	if (S_ISLNK(st->st_mode))
		return 0;

	if (st->st_mode & (S_ISUID | S_ISGID))
		r = put_mode_back(entry, path);
	if (r == 0 && capability_size > 0 &&
	    lsetxattr(path, XATTR_CAPABILITY, s->value, (size_t)capability_size, 0) < 0)
		r = -errno;
	if (r == 0)
		r = shift_acl(s, path, XATTR_ACL_ACCESS);
	if (r == 0 && S_ISDIR(st->st_mode))
		r = shift_acl(s, path, XATTR_ACL_DEFAULT);
	return r;
}

static int visit(const struct tree_entry *entry, void *arg)
{
	struct shifter *s = arg;

	int r = cancel_code(s->cancel);
	if (r < 0)
		return r;
	if (entry->st->st_dev != s->dev)
		return TREE_SKIP;
	if (!S_ISDIR(entry->st->st_mode) && entry->st->st_nlink > 1 &&
	    !seen_add(s, entry->st->st_ino))
		return 0;

	/* The attribute calls want a path; this one cannot leave the directory. */
	scoped_free char *path = xasprintf("/proc/self/fd/%d/%s", entry->dir, entry->name);
	return shift_inode(s, entry, path);
}

int idmap_shift_tree(int dir_fd, const struct idmap *map, enum idmap_shift direction,
                     struct cancel *cancel)
{
	struct stat st;

	if (map->n_entries == 0)
		return 0;
	if (fstat(dir_fd, &st) < 0)
		return -errno;

	struct shifter *s = xcalloc(1, sizeof(*s));
	s->map = map;
	s->direction = direction;
	s->cancel = cancel;
	s->dev = st.st_dev;

	int r = tree_walk(dir_fd, visit, s);
	free(s->seen);
	free(s);
	return r;
}
