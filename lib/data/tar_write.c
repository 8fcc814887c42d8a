#include "lib/data/tar_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/bytes.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/tree.h"
#include "lib/data/libarchive.h"

#define BUFFER_SIZE ((size_t)256 * 1024)
#define MAX_XATTR ((size_t)65536) /* XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */

struct tar_writer {
	struct archive *archive;
	struct tar_write_options options;
	int problem; /* What the fd or the callback said, or 0. */
};

static void free_entry(struct archive_entry **e)
{
	libarchive.entry_free(*e);
}

static int fail(struct tar_writer *w, struct error **err)
{
	const char *problem = libarchive.error_string(w->archive);

	if (w->problem)
		return error_set_errno(err, w->problem, "Failed writing archive");

	return error_set(err, 500, "Failed writing archive: %s",
	                 problem ? problem : "unknown problem");
}

static la_ssize_t write_out(struct archive *a, void *arg, const void *data, size_t size)
{
	struct tar_writer *w = arg;
	int r = w->options.write ? w->options.write(data, size, w->options.arg)
	                         : fd_write_full(w->options.fd, data, size);

	if (r == 0)
		return (la_ssize_t)size;

	w->problem = r;
	libarchive.set_error(a, -r, "Failed writing");
	return -1;
}

static int add_filter(struct tar_writer *w, struct error **err)
{
	const struct tar_write_options *o = &w->options;
	char number[16];

	/* libarchive's names are ours; it has none for what is no filter. */
	if (o->compression != COMPRESS_NONE &&
	    libarchive.write_add_filter_by_name(w->archive, compress_name(o->compression)) <
	            ARCHIVE_WARN)
		return error_set(err, 400, "An archive cannot be compressed with \"%s\"",
		                 compress_name(o->compression));

	snprintf(number, sizeof(number), "%d", o->level);
	if (o->level && o->compression != COMPRESS_NONE &&
	    libarchive.write_set_filter_option(w->archive, NULL, "compression-level", number) <
	            ARCHIVE_WARN)
		return error_set(err, 400, "Invalid compression level %d", o->level);

	/* Not all know these. */
	snprintf(number, sizeof(number), "%d", o->threads);
	if (o->threads > 1)
		libarchive.write_set_filter_option(w->archive, NULL, "threads", number);
	if (o->compression == COMPRESS_GZIP)
		libarchive.write_set_filter_option(w->archive, NULL, "timestamp", NULL);
	libarchive.clear_error(w->archive);
	return 0;
}

int tar_write_open(const struct tar_write_options *options, struct tar_writer **ret,
                   struct error **err)
{
	scoped(tar_write_closep) struct tar_writer *w = xcalloc(1, sizeof(*w));

	w->options = *options;
	int r = libarchive_load(err);
	if (r < 0)
		return r;
	w->archive = libarchive.write_new();
	if (!w->archive)
		abort();

	r = add_filter(w, err);
	if (r < 0)
		return r;

	libarchive.write_set_format_pax_restricted(w->archive);

	/* What other programs read; libarchive would write its own form as well. */
	libarchive.write_set_format_option(w->archive, "pax", "xattrheader", "SCHILY");
	libarchive.write_set_bytes_per_block(w->archive, 64 * 1024);
	libarchive.write_set_bytes_in_last_block(w->archive, 1);
	if (libarchive.write_open(w->archive, w, NULL, write_out, NULL) < ARCHIVE_WARN)
		return fail(w, err);

	*ret = TAKE_PTR(w);
	return 0;
}

static struct archive_entry *make_entry(const struct tar_entry *entry)
{
	struct archive_entry *e = libarchive.entry_new();
	if (!e)
		abort();

	libarchive.entry_copy_pathname(e, entry->path);
	libarchive.entry_set_mode(e, entry->mode);
	libarchive.entry_set_uid(e, entry->uid);
	libarchive.entry_set_gid(e, entry->gid);
	libarchive.entry_set_size(
		e, S_ISREG(entry->mode) && !entry->hardlink ? (la_int64_t)entry->size : 0);
	libarchive.entry_set_mtime(e, entry->mtime / DATE_SECOND,
	                           (long)(entry->mtime % DATE_SECOND));
	if (S_ISCHR(entry->mode) || S_ISBLK(entry->mode))
		libarchive.entry_set_rdev(e, entry->rdev);
	if (entry->hardlink)
		libarchive.entry_copy_hardlink(e, entry->hardlink);
	else if (entry->symlink)
		libarchive.entry_copy_symlink(e, entry->symlink);
	if (entry->acl_access)
		libarchive.entry_acl_from_text(e, entry->acl_access, ARCHIVE_ENTRY_ACL_TYPE_ACCESS);
	if (entry->acl_default)
		libarchive.entry_acl_from_text(e, entry->acl_default,
		                               ARCHIVE_ENTRY_ACL_TYPE_DEFAULT);
	for (size_t i = 0; i < entry->n_xattrs; i++)
		libarchive.entry_xattr_add_entry(e, entry->xattrs[i].name, entry->xattrs[i].value,
		                                 entry->xattrs[i].size);
	return e;
}

/* A warning is about a name that is not UTF-8, which is then written as it is. */
static int write_header(struct tar_writer *w, struct archive_entry *e, struct error **err)
{
	return libarchive.write_header(w->archive, e) < ARCHIVE_WARN ? fail(w, err) : 0;
}

int tar_write_entry(struct tar_writer *w, const struct tar_entry *entry, struct error **err)
{
	scoped(free_entry) struct archive_entry *e = make_entry(entry);

	return write_header(w, e, err);
}

int tar_write_data(struct tar_writer *w, const void *data, size_t size, struct error **err)
{
	for (const char *at = data; size;) {
		la_ssize_t n = libarchive.write_data(w->archive, at, size);
		if (n <= 0)
			return fail(w, err);

		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int tar_write_bytes(struct tar_writer *w, const char *path, const void *data, size_t size,
                    mode_t mode, int64_t mtime, struct error **err)
{
	const struct tar_entry entry = {
		.path = path,
		.mode = S_IFREG | mode,
		.size = size,
		.mtime = mtime,
	};
	int r = tar_write_entry(w, &entry, err);

	return r < 0 ? r : tar_write_data(w, data, size, err);
}

int tar_write_dir(struct tar_writer *w, const char *path, mode_t mode, int64_t mtime,
                  struct error **err)
{
	const struct tar_entry entry = { .path = path, .mode = S_IFDIR | mode, .mtime = mtime };

	return tar_write_entry(w, &entry, err);
}

struct tree {
	struct tar_writer *writer;
	const struct tar_tree_options *options;
	struct error **err;
	struct map
		*links; /* "device:inode" of files with several names to the path of the first. */
	char *buffer;   /* Of BUFFER_SIZE: file content. */
	char *xattrs;   /* Of 2 * MAX_XATTR: the list of names, and what was read of values. */
	uint64_t bytes;
};

/* One file while it is added. */
struct file {
	const struct tree_entry *entry;
	int fd; /* O_PATH, or open for reading if it is a regular file. */
	struct tar_entry tar;
	ARRAY_OF(struct tar_xattr) xattrs; /* Names and values owned. */
	struct strbuf acl_access, acl_default;
	char *symlink;
};

static void file_done(struct file *f)
{
	for (size_t i = 0; i < f->xattrs.n_items; i++) {
		free((void *)f->xattrs.items[i].name);
		free((void *)f->xattrs.items[i].value);
	}
	ARRAY_DONE(&f->xattrs);
	strbuf_done(&f->acl_access);
	strbuf_done(&f->acl_default);
	free(f->symlink);
	if (f->fd >= 0)
		close(f->fd);
}

static int fail_file(struct tree *t, const struct file *f, int code)
{
	return error_set_errno(t->err, code, "Failed adding \"%s\" to the archive", f->entry->path);
}

static bool map_id(const struct tree *t, bool is_user, uint32_t id, uint32_t *ret)
{
	bool (*fn)(uint32_t from, uint32_t * to, void *arg) =
		is_user ? t->options->map_uid : t->options->map_gid;

	if (fn)
		return fn(id, ret, t->options->arg);

	*ret = id;
	return true;
}

/* The kernel's form of a POSIX ACL (acl_xattr_header in posix_acl_xattr.h) as text. */
static int read_acl(struct tree *t, const void *value, size_t size, struct strbuf *b)
{
	struct bytes in = { .data = value, .size = size };

	if (bytes_le32(&in) != 2)
		return -EINVAL;

	while (in.size && !in.is_bad) {
		unsigned tag = bytes_le16(&in), perm = bytes_le16(&in);
		uint32_t id = bytes_le32(&in);
		bool has_id = tag == 0x02 || tag == 0x08, is_user = tag == 0x01 || tag == 0x02;

		if (has_id && !map_id(t, is_user, id, &id))
			return -EOVERFLOW;

		strbuf_addf(b, "%s%s:", b->size ? "," : "",
		            is_user       ? "user"
		            : tag == 0x10 ? "mask"
		            : tag == 0x20 ? "other"
		                          : "group");
		if (has_id)
			strbuf_addf(b, "%u", id);
		strbuf_addf(b, ":%c%c%c", perm & 4 ? 'r' : '-', perm & 2 ? 'w' : '-',
		            perm & 1 ? 'x' : '-');
	}
	return in.is_bad ? -EINVAL : 0;
}

static int add_xattr(struct tree *t, struct file *f, const char *path, const char *name)
{
	char *value = t->xattrs + MAX_XATTR;
	ssize_t size = getxattr(path, name, value, MAX_XATTR);

	if (size < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	if (str_equals(name, "system.posix_acl_access"))
		return read_acl(t, value, (size_t)size, &f->acl_access);
	if (str_equals(name, "system.posix_acl_default"))
		return read_acl(t, value, (size_t)size, &f->acl_default);

	ARRAY_ADD(&f->xattrs,
	          (struct tar_xattr){ xstrdup(name), xmemdup(value, (size_t)size), (size_t)size });
	return 0;
}

static int add_xattrs(struct tree *t, struct file *f)
{
	char path[FD_PATH_SIZE];

	/* Through the fd; a link has none that matter, and this would follow it. */
	if (S_ISLNK(f->entry->st->st_mode))
		return 0;

	fd_path(f->fd, path);
	ssize_t size = listxattr(path, t->xattrs, MAX_XATTR);
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;

	for (const char *name = t->xattrs; name < t->xattrs + size; name += strlen(name) + 1) {
		int r = add_xattr(t, f, path, name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_symlink(struct file *f)
{
	char target[4096];
	ssize_t size = readlinkat(f->fd, "", target, sizeof(target) - 1);

	if (size < 0)
		return -errno;

	target[size] = '\0';
	f->symlink = xstrdup(target);
	f->tar.symlink = f->symlink;
	return 0;
}

static int open_file(struct file *f)
{
	bool is_regular = S_ISREG(f->entry->st->st_mode);
	const char *name = *f->entry->name ? f->entry->name : ".";
	struct stat st;

	f->fd = openat(f->entry->dir, name,
	               O_NOFOLLOW | O_CLOEXEC |
	                       (is_regular ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH));
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st) < 0)
		return -errno;

	/* Replaced since it was looked at. */
	return st.st_ino == f->entry->st->st_ino && st.st_dev == f->entry->st->st_dev ? 0 : -ESTALE;
}

/* Fills the record from the file. */
static int describe(struct tree *t, struct file *f)
{
	const struct stat *st = f->entry->st;

	int r = open_file(f);
	if (r < 0)
		return r;

	f->tar.mode = st->st_mode;
	f->tar.size = (uint64_t)st->st_size;
	f->tar.rdev = st->st_rdev;
	f->tar.mtime = (int64_t)st->st_mtim.tv_sec * DATE_SECOND + st->st_mtim.tv_nsec;
	if (!map_id(t, true, st->st_uid, &f->tar.uid) || !map_id(t, false, st->st_gid, &f->tar.gid))
		return -EOVERFLOW;

	r = S_ISLNK(st->st_mode) ? add_symlink(f) : add_xattrs(t, f);
	f->tar.xattrs = f->xattrs.items;
	f->tar.n_xattrs = f->xattrs.n_items;
	f->tar.acl_access = f->acl_access.text;
	f->tar.acl_default = f->acl_default.text;
	return r;
}

/* Tells libarchive where data is; nothing if there are no holes. */
static void find_holes(const struct file *f, struct archive_entry *e)
{
	off_t size = f->entry->st->st_size, start, end = 0;

	/* Without a hole there is no need to look for one. */
	if ((off_t)f->entry->st->st_blocks * 512 >= size)
		return;

	while (end < size && (start = lseek(f->fd, end, SEEK_DATA)) >= 0) {
		end = lseek(f->fd, start, SEEK_HOLE);
		if (end < 0)
			end = size;
		libarchive.entry_sparse_add_entry(e, start, end - start);
	}
	if (end == 0)
		libarchive.entry_sparse_add_entry(e, size, 0);
}

static int report(struct tree *t, size_t size)
{
	t->bytes += size;
	if (t->options->progress)
		t->options->progress(t->bytes, t->options->arg);

	int r = cancel_code(t->options->cancel);
	return r < 0 ? error_set_errno(t->err, r, "Failed writing archive") : 0;
}

/* All of the file, zeros for holes (libarchive drops them again). */
static int write_content(struct tree *t, const struct file *f)
{
	off_t size = f->entry->st->st_size, data = 0;

	for (off_t at = 0; at < size;) {
		size_t piece = (size_t)MIN_OF(size - at, (off_t)BUFFER_SIZE);

		/* 'data' is where the next data begins. */
		if (at >= data) {
			data = lseek(f->fd, at, SEEK_DATA);
			if (data < 0)
				data = errno == ENXIO ? size : at;
		}

		ssize_t n = 0;
		if (data > at)
			piece = (size_t)MIN_OF((off_t)piece, data - at);
		else
			n = fd_read_full_at(f->fd, t->buffer, piece, at);
		if (n < 0)
			return fail_file(t, f, (int)n);

		/* What is missing of a file that became shorter is zero, too. */
		memset(t->buffer + n, 0, piece - (size_t)n);
		int r = tar_write_data(t->writer, t->buffer, piece, t->err);
		if (r == 0)
			r = report(t, piece);
		if (r < 0)
			return r;
		at += (off_t)piece;
	}
	return 0;
}

/* Whether this is another name of a file that was added before. */
static bool is_hard_link(struct tree *t, struct file *f)
{
	const struct stat *st = f->entry->st;
	char key[64];

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return false;

	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
	         (unsigned long long)st->st_ino);
	f->tar.hardlink = map_get(t->links, key);
	if (!f->tar.hardlink)
		map_set(t->links, key, xstrdup(f->tar.path));
	return f->tar.hardlink != NULL;
}

static int add_file(struct tree *t, struct file *f)
{
	int r = describe(t, f);
	if (r < 0)
		return fail_file(t, f, r);
	if (is_hard_link(t, f))
		return tar_write_entry(t->writer, &f->tar, t->err);

	scoped(free_entry) struct archive_entry *e = make_entry(&f->tar);
	bool has_content = S_ISREG(f->tar.mode);
	if (has_content)
		find_holes(f, e);

	r = write_header(t->writer, e, t->err);
	return r < 0 || !has_content ? r : write_content(t, f);
}

static int visit(const struct tree_entry *entry, void *arg)
{
	struct tree *t = arg;
	const struct tar_tree_options *o = t->options;
	bool has_prefix = !str_is_empty(o->prefix);

	if (S_ISSOCK(entry->st->st_mode) || (!*entry->path && !has_prefix))
		return 0;
	if (*entry->path && o->skip && o->skip(entry->path, entry->st, o->arg))
		return TREE_SKIP;

	scoped_free char *path = xasprintf("%s%s%s", has_prefix ? o->prefix : "",
	                                   has_prefix && *entry->path ? "/" : "", entry->path);
	struct file f = { .entry = entry, .fd = -1, .tar = { .path = path } };
	int r = add_file(t, &f);
	file_done(&f);
	return r < 0 ? r : report(t, 0);
}

int tar_write_tree(struct tar_writer *w, int dir, const struct tar_tree_options *options,
                   struct error **err)
{
	scoped(map_freep) struct map *links = map_new(free);
	scoped_free char *memory = xmalloc(BUFFER_SIZE + 2 * MAX_XATTR);
	struct error *problem = NULL;
	struct tree t = {
		.writer = w,
		.options = options,
		.err = &problem,
		.links = links,
		.buffer = memory,
		.xattrs = memory + BUFFER_SIZE,
	};

	int r = tree_walk(dir, visit, &t);
	if (problem)
		return error_move(err, &problem);

	return r < 0 ? error_set_errno(err, r, "Failed reading the tree for the archive") : 0;
}

int tar_write_finish(struct tar_writer *w, struct error **err)
{
	return libarchive.write_close(w->archive) < ARCHIVE_WARN ? fail(w, err) : 0;
}

void tar_write_close(struct tar_writer *w)
{
	if (!w)
		return;

	if (w->archive) {
		/* Without this, freeing would still write the end. */
		libarchive.write_fail(w->archive);
		libarchive.write_free(w->archive);
	}
	free(w);
}
