#include "lib/base/tree_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/map.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"

#define PIECE (UINT64_C(16) << 20) /* Between looks at the cancel token. */
#define MAX_XATTR ((size_t)65536)  /* XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */

struct copy {
	const struct tree_copy_options *options;
	int to; /* Root of the new tree. */
	uint64_t bytes;
	struct map
		*links; /* "device:inode" of files with several names to the path of the first. */
	struct map
		*times; /* Paths of directories, whose times are set at the end, to struct stat. */
};

static int copy_range(struct copy *c, int from, int to, off_t start, off_t end)
{
	if (lseek(from, start, SEEK_SET) < 0 || lseek(to, start, SEEK_SET) < 0)
		return -errno;

	while (start < end) {
		int64_t n = fd_copy(from, to, MIN_OF((uint64_t)(end - start), PIECE));
		if (n < 0)
			return (int)n;
		if (n == 0)
			return 0; /* It has become shorter meanwhile. */

		start += n;
		c->bytes += (uint64_t)n;
		if (c->options->progress)
			c->options->progress(c->bytes, c->options->arg);

		int r = cancel_code(c->options->cancel);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Copies what is not a hole. */
static int copy_data(struct copy *c, int from, int to, off_t size)
{
	if (size == 0)
		return 0;
	if (ioctl(to, FICLONE, from) == 0) {
		c->bytes += (uint64_t)size;
		return 0;
	}
	if (ftruncate(to, size) < 0)
		return -errno;

	for (off_t end = 0;;) {
		off_t start = lseek(from, end, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			return 0;
		if (start < 0)
			return copy_range(c, from, to, 0, size);

		end = lseek(from, start, SEEK_HOLE);
		if (end < 0)
			end = size;

		int r = copy_range(c, from, to, start, end);
		if (r < 0)
			return r;
	}
}

static int copy_xattr(const char *from, const char *to, const char *name, char *value)
{
	ssize_t size = getxattr(from, name, value, MAX_XATTR);

	if (size < 0)
		return errno == ENODATA ? 0 : -errno;
	if (setxattr(to, name, value, (size_t)size, 0) == 0)
		return 0;

	/* A filesystem without them still holds the files. */
	return errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
}

/* Both through /proc, which works for fds of O_PATH as well. */
static int copy_xattrs(const struct copy *c, int from, int to)
{
	char from_path[FD_PATH_SIZE], to_path[FD_PATH_SIZE];
	scoped_free char *names = xmalloc(2 * MAX_XATTR);
	char *value = names + MAX_XATTR;

	fd_path(from, from_path);
	fd_path(to, to_path);
	ssize_t size = listxattr(from_path, names, MAX_XATTR);
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;

	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		if (!c->options->keep_owner && !str_starts(name, "user."))
			continue;

		int r = copy_xattr(from_path, to_path, name, value);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Owner first: changing it clears the set-id bits and capabilities. */
static int copy_attributes(const struct copy *c, int from, int to, const struct stat *st)
{
	char path[FD_PATH_SIZE];

	if (c->options->keep_owner &&
	    fchownat(to, "", st->st_uid, st->st_gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st->st_mode))
		return 0;
	if (chmod(fd_path(to, path), st->st_mode & 07777) < 0)
		return -errno;

	return copy_xattrs(c, from, to);
}

static int set_times(int dir, const char *name, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_link(int from_dir, const char *from_name, int dir, const char *name)
{
	char target[4096];
	ssize_t len = readlinkat(from_dir, from_name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;

	target[len] = '\0';
	return symlinkat(target, dir, name) < 0 ? -errno : 0;
}

static int copy_file(struct copy *c, const struct tree_entry *entry, int dir, const char *name)
{
	scoped_fd int from = openat(entry->dir, entry->name,
	                            O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (from < 0)
		return -errno;

	struct stat st;
	if (fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EAGAIN; /* Replaced since it was looked at. */

	scoped_fd int to =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;

	return copy_data(c, from, to, st.st_size);
}

/* Makes the new entry, without its attributes. Returns 1 if it is to be left out. */
static int make_entry(struct copy *c, const struct tree_entry *entry, int dir, const char *name)
{
	mode_t type = entry->st->st_mode & S_IFMT;

	switch (type) {
	case S_IFREG:
		return copy_file(c, entry, dir, name);
	case S_IFDIR:
		return mkdirat(dir, name, 0700) < 0 ? -errno : 0;
	case S_IFLNK:
		return copy_link(entry->dir, entry->name, dir, name);
	case S_IFIFO:
		return mkfifoat(dir, name, 0600) < 0 ? -errno : 0;
	case S_IFCHR:
	case S_IFBLK:
		if (!c->options->keep_owner)
			return 1;
		return mknodat(dir, name, type | 0600, entry->st->st_rdev) < 0 ? -errno : 0;
	default: /* Sockets mean nothing without their process. */
		return 1;
	}
}

/* Makes another name of a file that was copied before. Returns 1 if it was not. */
static int make_hard_link(struct copy *c, const struct tree_entry *entry, int dir, const char *name)
{
	const char *first_name;
	char key[64];

	if (S_ISDIR(entry->st->st_mode) || entry->st->st_nlink < 2)
		return 1;

	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)entry->st->st_dev,
	         (unsigned long long)entry->st->st_ino);
	const char *first = map_get(c->links, key);
	if (!first) {
		map_set(c->links, key, xstrdup(entry->path));
		return 1;
	}

	scoped_fd int first_dir = path_open_parent(c->to, first, &first_name);
	if (first_dir < 0)
		return first_dir;

	return linkat(first_dir, first_name, dir, name, 0) < 0 ? -errno : 0;
}

static int visit(const struct tree_entry *entry, void *arg)
{
	struct copy *c = arg;
	const char *name;

	int r = cancel_code(c->options->cancel);
	if (r < 0)
		return r;
	if (S_ISDIR(entry->st->st_mode))
		map_set(c->times, entry->path, xmemdup(entry->st, sizeof(*entry->st)));
	if (!*entry->path)
		return copy_attributes(c, entry->dir, c->to, entry->st);

	scoped_fd int dir = path_open_parent(c->to, entry->path, &name);
	if (dir < 0)
		return dir;

	r = make_hard_link(c, entry, dir, name);
	if (r <= 0)
		return r;

	r = make_entry(c, entry, dir, name);
	if (r != 0)
		return r < 0 ? r : 0;

	scoped_fd int from = openat(entry->dir, entry->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	scoped_fd int to = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || to < 0)
		return -errno;

	r = copy_attributes(c, from, to, entry->st);
	return r < 0 || S_ISDIR(entry->st->st_mode) ? r : set_times(dir, name, entry->st);
}

static int set_all_times(struct copy *c)
{
	MAP_FOREACH (e, c->times) {
		const char *name = ".";
		scoped_fd int dir = *e->key ? path_open_parent(c->to, e->key, &name)
		                            : openat(c->to, ".", O_PATH | O_CLOEXEC);
		if (dir < 0)
			return dir;

		int r = set_times(dir, name, e->value);
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_copy(int from, int to, const struct tree_copy_options *options)
{
	scoped(map_freep) struct map *links = map_new(free);
	scoped(map_freep) struct map *times = map_new(free);
	static const struct tree_copy_options none;
	struct copy c = {
		.options = options ? options : &none,
		.to = to,
		.links = links,
		.times = times,
	};

	int r = tree_walk(from, visit, &c);
	return r < 0 ? r : set_all_times(&c);
}
