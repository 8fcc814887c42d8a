#include "drivers/storage/unpack_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/data/tar_read.h"

#define METADATA_MAX ((size_t)1024 * 1024)
#define MAX_DEPTH 512

/* Times of directories are set at the end: what is made in them would change them again. */
struct dir_time {
	char *path;
	int64_t mtime;
};

struct unpacker {
	int dir;
	enum unpack_form form;
	const struct unpack_tar_limits *limits;
	struct tar_reader *reader;
	uint64_t bytes, inodes;
	ARRAY_OF(struct dir_time) dir_times;
};

/* An entry about to be made. */
struct target {
	int parent;
	const char *name; /* In 'parent'. */
	const char *path; /* Below the target directory, for messages. */
	const struct tar_entry *entry;
};

bool unpack_tar_path(const char *name, char ret_path[UNPACK_TAR_PATH_SIZE])
{
	size_t size = 0, depth = 0;

	if (name[0] == '/' || name[0] == '\0')
		return false;

	while (*name) {
		size_t len = strcspn(name, "/");

		if (len == 2 && name[0] == '.' && name[1] == '.')
			return false;
		if (len > 255 || size + len + 2 > UNPACK_TAR_PATH_SIZE || depth > MAX_DEPTH)
			return false;
		if (len > 0 && !(len == 1 && name[0] == '.')) {
			if (size > 0)
				ret_path[size++] = '/';
			memcpy(ret_path + size, name, len);
			size += len;
			depth++;
		}
		name += len;
		while (*name == '/')
			name++;
	}
	ret_path[size] = '\0';
	return true;
}

bool unpack_tar_is_image_path(const char *path)
{
	return strcmp(path, "metadata.yaml") == 0 || strcmp(path, "templates") == 0 ||
	       strcmp(path, "rootfs") == 0 || str_starts(path, "templates/") ||
	       str_starts(path, "rootfs/");
}

static int bad_name(const char *name, struct error **err)
{
	scoped_free char *shown =
		str_is_utf8(name, strlen(name)) ? xstrdup(name) : xstrdup("(not UTF-8)");

	return error_set(err, 400, "Invalid archive: entry \"%.200s\" is not below its root",
	                 shown);
}

static int fail(int code, const char *path, struct error **err)
{
	if (code == -ELOOP || code == -EXDEV || code == -ENOTDIR)
		return error_set(err, 400,
		                 "Invalid archive: entry \"%.200s\" goes through a link or file",
		                 path);
	if (code == -ENOSPC || code == -EDQUOT)
		return error_set(err, 507, "No space left to unpack \"%.200s\"", path);
	return error_set_errno(err, code, "Failed unpacking \"%.200s\"", path);
}

/* Opens the directory that holds 'path', making what the archive did not mention. */
static int open_parent(struct unpacker *u, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	int fd;

	if (!slash) {
		*ret_name = path;
		fd = path_open_beneath(u->dir, "", O_RDONLY | O_DIRECTORY, 0);
	} else {
		scoped_free char *parent = xasprintf("%.*s", (int)(slash - path), path);

		*ret_name = slash + 1;
		fd = path_open_beneath(u->dir, parent, O_RDONLY | O_DIRECTORY, 0);
		if (fd == -ENOENT)
			fd = path_make_beneath(u->dir, parent, 0755);
	}
	return fd;
}

/* Removes what is in the way of an entry that is not a directory. */
static int make_way(const struct target *t)
{
	if (unlinkat(t->parent, t->name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	return unlinkat(t->parent, t->name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static bool is_wanted_xattr(const char *name)
{
	return str_starts(name, "user.") || strcmp(name, "security.capability") == 0;
}

static int apply_acl(int fd, const char *name, const char *text, acl_type_t type)
{
	if (!text || *text == '\0')
		return 0;

	acl_t acl = acl_from_text(text);
	if (!acl)
		return -errno;
	int r = type == ACL_TYPE_ACCESS ? acl_set_fd(fd, acl)
	        : fchdir(fd) < 0        ? -1
	                                : acl_set_file(name, type, acl);
	r = r < 0 ? -errno : 0;
	acl_free(acl);
	return r;
}

/* Attributes and ACLs are worth much less than the file: what cannot be kept is left out. */
static void apply_attributes(int fd, const struct tar_entry *entry)
{
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct tar_xattr *x = &entry->xattrs[i];

		if (is_wanted_xattr(x->name))
			(void)fsetxattr(fd, x->name, x->value, x->size, 0);
	}
	(void)apply_acl(fd, NULL, entry->acl_access, ACL_TYPE_ACCESS);
	if (S_ISDIR(entry->mode))
		(void)apply_acl(fd, ".", entry->acl_default, ACL_TYPE_DEFAULT);
}

static void fill_times(int64_t mtime, struct timespec times[2])
{
	int64_t ns = mtime % DATE_SECOND;

	if (ns < 0)
		ns += DATE_SECOND;
	times[0].tv_sec = (mtime - ns) / DATE_SECOND;
	times[0].tv_nsec = ns;
	times[1] = times[0];
}

static int write_blocks(struct unpacker *u, int fd, const char *path, struct error **err)
{
	for (;;) {
		const char *data;
		const void *block;
		size_t size;
		int64_t offset;

		int r = tar_read_block(u->reader, &block, &size, &offset, err);
		if (r <= 0)
			return r;

		u->bytes += size;
		if (u->limits->max_bytes > 0 && u->bytes > u->limits->max_bytes)
			return error_set(err, 413, "Archive unpacks to more than %llu bytes",
			                 (unsigned long long)u->limits->max_bytes);
		data = block;
		while (size > 0) {
			ssize_t n = pwrite(fd, data, size, (off_t)offset);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return fail(-errno, path, err);
			data += n;
			offset += n;
			size -= (size_t)n;
		}
	}
}

static int make_file(struct unpacker *u, const struct target *t, struct error **err)
{
	const struct tar_entry *e = t->entry;
	struct timespec times[2];

	int r = make_way(t);
	if (r < 0)
		return fail(r, t->path, err);
	scoped_fd int fd = openat(t->parent, t->name,
	                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(-errno, t->path, err);

	r = write_blocks(u, fd, t->path, err);
	if (r < 0)
		return r;
	/* A hole at the end has no block. */
	if (e->size > INT64_MAX || ftruncate(fd, (off_t)e->size) < 0)
		return fail(-errno, t->path, err);

	/* Capabilities and set-id bits go with a change of owner, so that comes first. */
	if (fchown(fd, e->uid, e->gid) < 0 || fchmod(fd, e->mode & 07777) < 0)
		return fail(-errno, t->path, err);
	apply_attributes(fd, e);
	fill_times(e->mtime, times);
	return futimens(fd, times) < 0 ? fail(-errno, t->path, err) : 0;
}

static int make_dir(struct unpacker *u, const struct target *t, struct error **err)
{
	const struct tar_entry *e = t->entry;

	if (mkdirat(t->parent, t->name, 0700) < 0) {
		struct stat st;

		if (errno != EEXIST || fstatat(t->parent, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(-errno, t->path, err);
		if (!S_ISDIR(st.st_mode) &&
		    (unlinkat(t->parent, t->name, 0) < 0 || mkdirat(t->parent, t->name, 0700) < 0))
			return fail(-errno, t->path, err);
	}

	scoped_fd int fd =
		openat(t->parent, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, e->uid, e->gid) < 0 || fchmod(fd, e->mode & 07777) < 0)
		return fail(-errno, t->path, err);
	apply_attributes(fd, e);
	ARRAY_ADD(&u->dir_times, (struct dir_time){ xstrdup(t->path), e->mtime });
	return 0;
}

static int make_symlink(const struct target *t, struct error **err)
{
	const struct tar_entry *e = t->entry;
	struct timespec times[2];

	int r = make_way(t);
	if (r < 0)
		return fail(r, t->path, err);
	if (!e->symlink || symlinkat(e->symlink, t->parent, t->name) < 0)
		return fail(e->symlink ? -errno : -EINVAL, t->path, err);
	fill_times(e->mtime, times);
	if (fchownat(t->parent, t->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(t->parent, t->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(-errno, t->path, err);
	return 0;
}

static int make_node(const struct target *t, struct error **err)
{
	const struct tar_entry *e = t->entry;
	struct timespec times[2];

	int r = make_way(t);
	if (r < 0)
		return fail(r, t->path, err);
	if (mknodat(t->parent, t->name, (e->mode & S_IFMT) | 0600, e->rdev) < 0) {
		/* Not even root may where the daemon itself is in a container. */
		if (errno == EPERM)
			return 0;
		return fail(-errno, t->path, err);
	}
	fill_times(e->mtime, times);
	/* Nothing follows the name: it was made a moment ago in a directory that is ours alone. */
	if (fchownat(t->parent, t->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(t->parent, t->name, e->mode & 07777, 0) < 0 ||
	    utimensat(t->parent, t->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(-errno, t->path, err);
	return 0;
}

static int make_hardlink(struct unpacker *u, const struct target *t, struct error **err)
{
	char path[UNPACK_TAR_PATH_SIZE];
	const char *name;
	struct stat st;

	if (!unpack_tar_path(t->entry->hardlink, path) || path[0] == '\0' ||
	    (u->form == UNPACK_IMAGE && !unpack_tar_is_image_path(path)))
		return bad_name(t->entry->hardlink, err);
	if (strcmp(path, t->path) == 0)
		return 0;

	scoped_fd int parent = open_parent(u, path, &name);
	if (parent < 0)
		return fail(parent, path, err);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return error_set(err, 400,
		                 "Invalid archive: entry \"%.200s\" is a link to what is not there",
		                 t->path);

	int r = make_way(t);
	if (r < 0)
		return fail(r, t->path, err);
	/* Without AT_SYMLINK_FOLLOW a link to a link is one, too. */
	if (linkat(parent, name, t->parent, t->name, 0) < 0)
		return fail(-errno, t->path, err);
	return 0;
}

/* The entry for the target directory itself: its mode and owner count for a tree only. */
static int make_root(struct unpacker *u, const struct tar_entry *e, struct error **err)
{
	if (u->form == UNPACK_IMAGE || !S_ISDIR(e->mode))
		return 0;
	if (fchown(u->dir, e->uid, e->gid) < 0 || fchmod(u->dir, e->mode & 07777) < 0)
		return fail(-errno, ".", err);
	apply_attributes(u->dir, e);
	return 0;
}

static int make_entry(struct unpacker *u, const struct tar_entry *e, struct error **err)
{
	char path[UNPACK_TAR_PATH_SIZE];
	struct target t = { .path = path, .entry = e };

	if (!unpack_tar_path(e->path, path))
		return bad_name(e->path, err);
	if (path[0] == '\0')
		return make_root(u, e, err);
	if (u->form == UNPACK_IMAGE && !unpack_tar_is_image_path(path))
		return 0;
	if (u->limits->max_inodes > 0 && ++u->inodes > u->limits->max_inodes)
		return error_set(err, 413, "Archive has more than %llu entries",
		                 (unsigned long long)u->limits->max_inodes);

	scoped_fd int parent = open_parent(u, path, &t.name);
	if (parent < 0)
		return fail(parent, path, err);
	t.parent = parent;

	if (e->hardlink)
		return make_hardlink(u, &t, err);
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return make_file(u, &t, err);
	case S_IFDIR:
		return make_dir(u, &t, err);
	case S_IFLNK:
		return make_symlink(&t, err);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
		return make_node(&t, err);
	case S_IFSOCK:
		return 0;
	default:
		return error_set(err, 400, "Invalid archive: entry \"%.200s\" has no type", path);
	}
}

/* From the last to the first, so that a directory comes after what is in it. */
static void set_dir_times(struct unpacker *u)
{
	for (size_t i = u->dir_times.n_items; i-- > 0;) {
		const struct dir_time *d = &u->dir_times.items[i];
		struct timespec times[2];

		scoped_fd int fd = path_open_beneath(u->dir, d->path, O_RDONLY | O_DIRECTORY, 0);
		fill_times(d->mtime, times);
		/* It may have been replaced by something else since. */
		if (fd >= 0)
			(void)futimens(fd, times);
	}
}

int unpack_tar(int fd, int dir, enum unpack_form form, const struct unpack_tar_limits *limits,
               struct error **err)
{
	scoped(tar_read_closep) struct tar_reader *reader = NULL;
	struct unpacker u = { .dir = dir, .form = form, .limits = limits };
	const struct tar_entry *entry;

	int r = tar_read_open(fd, &reader, err);
	if (r < 0)
		return r;
	u.reader = reader;

	while ((r = tar_read_next(reader, &entry, err)) > 0) {
		r = make_entry(&u, entry, err);
		if (r < 0)
			break;
	}
	if (r == 0)
		set_dir_times(&u);

	for (size_t i = 0; i < u.dir_times.n_items; i++)
		free(u.dir_times.items[i].path);
	ARRAY_DONE(&u.dir_times);
	return r;
}

int unpack_tar_metadata(int fd, bool needs_rootfs, char **ret_text, struct error **err)
{
	scoped(tar_read_closep) struct tar_reader *reader = NULL;
	scoped_free char *text = NULL;
	const struct tar_entry *entry;
	bool has_rootfs = false;
	size_t size;

	int r = tar_read_open(fd, &reader, err);
	if (r < 0)
		return r;

	while ((!text || (needs_rootfs && !has_rootfs)) &&
	       (r = tar_read_next(reader, &entry, err)) > 0) {
		char path[UNPACK_TAR_PATH_SIZE];

		if (!unpack_tar_path(entry->path, path))
			return bad_name(entry->path, err);
		if (str_starts(path, "rootfs/") || strcmp(path, "rootfs") == 0)
			has_rootfs = true;
		if (strcmp(path, "metadata.yaml") != 0)
			continue;
		if (text || !S_ISREG(entry->mode) || entry->hardlink)
			return error_set(err, 400,
			                 "Invalid archive: \"metadata.yaml\" is not one file");
		r = tar_read_text(reader, METADATA_MAX, &text, &size, err);
		if (r < 0)
			return error_wrap(err, "Failed reading \"metadata.yaml\"");
		if (strlen(text) != size)
			return error_set(err, 400,
			                 "Invalid archive: \"metadata.yaml\" is not text");
	}
	if (r < 0)
		return r;
	if (!text)
		return error_set(err, 400, "Invalid image: no \"metadata.yaml\" in it");
	if (needs_rootfs && !has_rootfs)
		return error_set(err, 400, "Invalid image: no \"rootfs\" in it");

	*ret_text = TAKE_PTR(text);
	return 0;
}
