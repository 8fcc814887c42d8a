#include "lib/base/tree_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/dir_stack.h"
#include "lib/base/fd.h"
#include "lib/base/map.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"

#define PIECE (UINT64_C(16) << 20) /* Between looks at the cancel token. */
#define MAX_XATTR ((size_t)65536)  /* XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */
#define SMALL ((off_t)65536)       /* Files up to this are read and written by hand. */
#define ATTEMPTS 3                 /* At an entry that is replaced while it is copied. */

struct copy {
	const struct tree_copy_options *options;
	int root;              /* Of the new tree. */
	struct dir_stack dirs; /* Of the new tree, down to where the walk is. */
	uint64_t bytes;
	bool can_clone, cannot_clone;
	struct dir_stack likes; /* Empty without a tree to take from. */
	size_t n_unlike;        /* Levels that are not in it. */
	bool cannot_link;
	struct map *links; /* "device:inode" of files with several names: path of the first. */
	char *buffer;      /* 2 * MAX_XATTR bytes: names and a value, or data of a small file. */
};

static void report(const struct copy *c)
{
	if (c->options->progress)
		c->options->progress(c->bytes, c->options->arg);
}

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
		report(c);

		int r = cancel_code(c->options->cancel);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_small(struct copy *c, int from, int to, off_t size)
{
	ssize_t n = fd_read_full(from, c->buffer, (size_t)size);

	if (n < 0)
		return (int)n;
	for (ssize_t done = 0; done < n;) {
		ssize_t written = write(to, c->buffer + done, (size_t)(n - done));

		if (written < 0)
			return -errno;
		done += written;
	}
	c->bytes += (uint64_t)n;
	report(c);
	return 0;
}

static int copy_around_holes(struct copy *c, int from, int to, off_t size)
{
	if (ftruncate(to, size) < 0)
		return -errno;

	/* As it was found: who writes on and on does not keep us. */
	for (off_t end = 0; end < size;) {
		off_t start = lseek(from, end, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			return 0;
		if (start < 0)
			return copy_range(c, from, to, 0, size);

		end = lseek(from, start, SEEK_HOLE);
		if (end < 0 || end > size)
			end = size;

		int r = copy_range(c, from, to, start, end);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_data(struct copy *c, int from, int to, const struct stat *st)
{
	bool may_have_holes = (off_t)st->st_blocks * 512 < st->st_size;

	if (st->st_size == 0)
		return 0;
	if (!c->cannot_clone) {
		if (ioctl(to, FICLONE, from) == 0) {
			c->can_clone = true;
			c->bytes += (uint64_t)st->st_size;
			return 0;
		}
		c->cannot_clone = errno == EOPNOTSUPP || errno == ENOTTY || errno == EXDEV;
	}
	if (may_have_holes)
		return copy_around_holes(c, from, to, st->st_size);
	return st->st_size <= SMALL ? copy_small(c, from, to, st->st_size)
	                            : copy_range(c, from, to, 0, st->st_size);
}

/* Names what attributes are read from or written to: an fd, or (-1) an entry by its path. */
struct attributed {
	int fd;
	char path[FD_PATH_SIZE + NAME_MAX + 2];
};

static struct attributed entry_of(int dir, const char *name)
{
	struct attributed a = { .fd = -1 };

	/* The calls want a path; this one cannot leave the directory. */
	snprintf(a.path, sizeof(a.path), "/proc/self/fd/%d/%s", dir, name);
	return a;
}

static int copy_xattr(const struct attributed *from, const struct attributed *to, const char *name,
                      char *value)
{
	ssize_t size = from->fd >= 0 ? fgetxattr(from->fd, name, value, MAX_XATTR)
	                             : lgetxattr(from->path, name, value, MAX_XATTR);
	if (size < 0)
		return errno == ENODATA ? 0 : -errno;

	int r = to->fd >= 0 ? fsetxattr(to->fd, name, value, (size_t)size, 0)
	                    : lsetxattr(to->path, name, value, (size_t)size, 0);
	/* A filesystem without them still holds the files. */
	return r == 0 || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
}

static int copy_xattrs(const struct copy *c, const struct attributed *from,
                       const struct attributed *to)
{
	char *names = c->buffer, *value = names + MAX_XATTR;
	ssize_t size = from->fd >= 0 ? flistxattr(from->fd, names, MAX_XATTR)
	                             : llistxattr(from->path, names, MAX_XATTR);

	/* ENOENT: an entry that is gone meanwhile. */
	if (size < 0)
		return errno == EOPNOTSUPP || errno == ENOENT ? 0 : -errno;
	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		if (!c->options->keep_owner && !str_starts(name, "user."))
			continue;

		int r = copy_xattr(from, to, name, value);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	return 0;
}

/* Owner first: changing it clears the set-id bits and capabilities. Times last. */
static int copy_attributes(const struct copy *c, int from, int to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (c->options->keep_owner && fchown(to, st->st_uid, st->st_gid) < 0)
		return -errno;
	if (fchmod(to, st->st_mode & 07777) < 0)
		return -errno;

	int r = copy_xattrs(c, &(const struct attributed){ .fd = from },
	                    &(const struct attributed){ .fd = to });
	return r < 0 ? r : futimens(to, times) < 0 ? -errno : 0;
}

/* The same for what cannot be opened: links and nodes. */
static int copy_entry_attributes(const struct copy *c, const struct tree_entry *entry, int dir,
                                 const struct stat *st)
{
	const char *name = entry->name;
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (c->options->keep_owner &&
	    fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st->st_mode) &&
	    fchmodat(dir, name, st->st_mode & 07777, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (c->options->keep_owner) {
		const struct attributed from = entry_of(entry->dir, name);
		const struct attributed to = entry_of(dir, name);
		int r = copy_xattrs(c, &from, &to);

		if (r < 0)
			return r;
	}
	return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* -EAGAIN: it is no longer what it was. */
static int copy_link(const struct copy *c, const struct tree_entry *entry, int dir,
                     const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(entry->dir, entry->name, target, sizeof(target) - 1);

	if (len < 0)
		return errno == EINVAL ? -EAGAIN : -errno;

	target[len] = '\0';
	if (symlinkat(target, dir, entry->name) < 0)
		return -errno;
	return copy_entry_attributes(c, entry, dir, st);
}

static int copy_node(const struct copy *c, const struct tree_entry *entry, int dir,
                     const struct stat *st)
{
	mode_t type = st->st_mode & S_IFMT;

	/* Devices need root, and sockets mean nothing without their process. */
	if (type != S_IFIFO && !c->options->keep_owner)
		return 0;
	if (mknodat(dir, entry->name, type | 0600, st->st_rdev) < 0)
		return -errno;
	return copy_entry_attributes(c, entry, dir, st);
}

static int open_file(const struct copy *c, const struct tree_entry *entry)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = -1;

	/* Reading is not to be seen in the original. */
	if (c->options->keep_owner)
		fd = openat(entry->dir, entry->name, flags | O_NOATIME);
	if (fd < 0)
		fd = openat(entry->dir, entry->name, flags);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -EAGAIN : -errno;
	return fd;
}

/* 1 if both hold the same bytes, 0 if not. */
static int has_same_content(struct copy *c, int a, int b, off_t size)
{
	char *other = c->buffer + MAX_XATTR;

	for (off_t at = 0; at < size; at += (off_t)MAX_XATTR) {
		size_t n = (size_t)MIN_OF(size - at, (off_t)MAX_XATTR);
		int r = cancel_code(c->options->cancel);

		if (r < 0)
			return r;
		if (fd_read_full_at(a, c->buffer, n, at) != (ssize_t)n ||
		    fd_read_full_at(b, other, n, at) != (ssize_t)n ||
		    memcmp(c->buffer, other, n) != 0)
			return 0;
	}
	return 1;
}

static bool has_likes(const struct copy *c)
{
	return c->likes.levels.n_items > 0 && c->n_unlike == 0 && !c->cannot_link;
}

static bool is_like(const struct stat *a, const struct stat *b)
{
	return a->st_nlink == 1 && b->st_nlink == 1 && a->st_mode == b->st_mode &&
	       a->st_uid == b->st_uid && a->st_gid == b->st_gid && a->st_rdev == b->st_rdev &&
	       a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Gives what was compared, 'other', a name in the new tree; returns 1 if that cannot be. */
static int link_like(struct copy *c, const struct tree_entry *entry, int dir,
                     const struct stat *other)
{
	struct stat linked;

	if (linkat(dir_stack_fd(&c->likes), entry->name, dir, entry->name, 0) < 0) {
		/* Other projects of a quota are like other filesystems. */
		c->cannot_link = errno == EXDEV || errno == EPERM;
		return 1;
	}
	if (fstatat(dir, entry->name, &linked, AT_SYMLINK_NOFOLLOW) < 0 ||
	    linked.st_ino != other->st_ino) {
		unlinkat(dir, entry->name, 0);
		return 1;
	}
	c->bytes += S_ISREG(other->st_mode) ? (uint64_t)other->st_size : 0;
	report(c);
	return 0;
}

/* Takes the file from the other tree if it is the same there; returns 1 if it is not. */
static int take_file(struct copy *c, const struct tree_entry *entry, int dir, int from,
                     const struct stat *st)
{
	struct stat other;

	if (!has_likes(c) || c->can_clone)
		return 1;
	scoped_fd int like = openat(dir_stack_fd(&c->likes), entry->name,
	                            O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (like < 0 || fstat(like, &other) < 0 || !is_like(st, &other))
		return 1;
	/* Attributes are few; what has some is copied. */
	if (flistxattr(from, NULL, 0) > 0 || flistxattr(like, NULL, 0) > 0)
		return 1;
	int r = has_same_content(c, from, like, st->st_size);
	if (r <= 0)
		return r < 0 ? r : 1;
	return link_like(c, entry, dir, &other);
}

static bool has_same_target(int a, int b, const char *name)
{
	char target[PATH_MAX], other[PATH_MAX];
	ssize_t n = readlinkat(a, name, target, sizeof(target));

	return n >= 0 && readlinkat(b, name, other, sizeof(other)) == n &&
	       memcmp(target, other, (size_t)n) == 0;
}

/* The same for links and nodes. */
static int take_entry(struct copy *c, const struct tree_entry *entry, int dir,
                      const struct stat *st)
{
	struct stat other;

	if (!has_likes(c))
		return 1;
	int like_dir = dir_stack_fd(&c->likes);
	if (fstatat(like_dir, entry->name, &other, AT_SYMLINK_NOFOLLOW) < 0 || !is_like(st, &other))
		return 1;
	if (S_ISLNK(st->st_mode) && !has_same_target(entry->dir, like_dir, entry->name))
		return 1;

	const struct attributed from = entry_of(entry->dir, entry->name);
	const struct attributed like = entry_of(like_dir, entry->name);
	if (llistxattr(from.path, NULL, 0) > 0 || llistxattr(like.path, NULL, 0) > 0)
		return 1;
	return link_like(c, entry, dir, &other);
}

static int copy_file(struct copy *c, const struct tree_entry *entry, int dir)
{
	struct stat st;
	scoped_fd int from = open_file(c, entry);

	if (from < 0)
		return from;
	if (fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EAGAIN;

	int r = take_file(c, entry, dir, from, &st);
	if (r <= 0)
		return r;
	scoped_fd int to = openat(dir, entry->name,
	                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;

	r = copy_data(c, from, to, &st);
	return r < 0 ? r : copy_attributes(c, from, to, &st);
}

static int copy_dir(struct copy *c, const struct tree_entry *entry, int dir)
{
	if (mkdirat(dir, entry->name, 0700) < 0)
		return -errno;

	int fd = openat(dir, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : dir_stack_push_take(&c->dirs, fd, NULL);
	if (r < 0 || c->likes.levels.n_items == 0)
		return r;

	int like = c->n_unlike > 0 ? -1
	                           : openat(dir_stack_fd(&c->likes), entry->name,
	                                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (like >= 0)
		return dir_stack_push_take(&c->likes, like, NULL);
	c->n_unlike++;
	return 0;
}

static int leave_dir(struct copy *c)
{
	int r = dir_stack_pop(&c->dirs);

	if (r < 0 || c->likes.levels.n_items == 0)
		return r;
	if (c->n_unlike == 0)
		return dir_stack_pop(&c->likes);
	c->n_unlike--;
	return 0;
}

/* Opens the directory that holds 'path', which may be longer than the kernel takes at once. */
static int open_parent(int root, const char *path, const char **ret_name)
{
	scoped_fd int at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (at >= 0 && strlen(path) >= PATH_MAX) {
		const char *end = memrchr(path, '/', PATH_MAX - 1);
		scoped_free char *piece = end ? xstrndup(path, (size_t)(end - path)) : NULL;
		int next = piece ? path_open_beneath(at, piece, O_RDONLY | O_DIRECTORY, 0)
		                 : -ENAMETOOLONG;

		if (next < 0)
			return next;
		close(at);
		at = next;
		path = end + 1;
	}
	return at < 0 ? -errno : path_open_parent(at, path, ret_name);
}

/* Makes another name of a file that was copied before. Returns 1 if it was not. */
static int make_hard_link(struct copy *c, const struct tree_entry *entry, int dir,
                          const struct stat *st)
{
	const char *first_name;
	char key[64];

	if (st->st_nlink < 2)
		return 1;

	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
	         (unsigned long long)st->st_ino);
	const char *first = map_get(c->links, key);
	if (first) {
		scoped_fd int first_dir = open_parent(c->root, first, &first_name);

		if (first_dir < 0)
			return first_dir;
		if (linkat(first_dir, first_name, dir, entry->name, 0) == 0)
			return 0;
		/* It was left out, or has as many names as the filesystem can count. */
		if (errno != ENOENT && errno != EMLINK)
			return -errno;
	}
	map_set(c->links, key, xstrdup(entry->path));
	return 1;
}

static int copy_entry(struct copy *c, const struct tree_entry *entry, const struct stat *st)
{
	int dir = dir_stack_fd(&c->dirs);

	if (S_ISDIR(st->st_mode))
		return copy_dir(c, entry, dir);

	int r = make_hard_link(c, entry, dir, st);
	if (r <= 0)
		return r;
	if (S_ISREG(st->st_mode))
		return copy_file(c, entry, dir);
	r = take_entry(c, entry, dir, st);
	if (r <= 0)
		return r;
	return S_ISLNK(st->st_mode) ? copy_link(c, entry, dir, st) : copy_node(c, entry, dir, st);
}

static int visit(const struct tree_entry *entry, void *arg)
{
	struct copy *c = arg;
	struct stat st = *entry->st;

	int r = cancel_code(c->options->cancel);
	if (r < 0)
		return r;
	if (!*entry->path)
		return 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		r = copy_entry(c, entry, &st);
		if (r != -EAGAIN)
			break;
		if (fstatat(entry->dir, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    S_ISDIR(st.st_mode))
			return 0;
	}
	/* What is gone, or never stays the same, is left out. */
	return r == -ENOENT || r == -EAGAIN ? 0 : r;
}

static int leave(const struct tree_entry *entry, int fd, void *arg)
{
	struct copy *c = arg;
	int r = fd < 0 ? 0 : copy_attributes(c, fd, dir_stack_fd(&c->dirs), entry->st);

	return r < 0 || !*entry->path ? r : leave_dir(c);
}

static int push_root(struct dir_stack *stack, int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : dir_stack_push_take(stack, fd, NULL);
}

int tree_copy_like(int from, int to, int like, const struct tree_copy_options *options)
{
	scoped(map_freep) struct map *links = map_new(free);
	scoped_free char *buffer = xmalloc(2 * MAX_XATTR);
	static const struct tree_copy_options none;
	struct copy c = {
		.options = options ? options : &none,
		.root = to,
		.links = links,
		.buffer = buffer,
	};
	const struct tree_visitor visitor = { .visit = visit, .leave = leave, .arg = &c };

	int r = push_root(&c.dirs, to);
	if (r == 0 && like >= 0)
		r = push_root(&c.likes, like);
	if (r == 0)
		r = tree_walk_with(from, &visitor);
	dir_stack_done(&c.dirs);
	dir_stack_done(&c.likes);
	return r;
}

int tree_copy(int from, int to, const struct tree_copy_options *options)
{
	return tree_copy_like(from, to, -1, options);
}
