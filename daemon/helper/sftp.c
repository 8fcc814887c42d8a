#include "daemon/helper/sftp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/helper/sftp_path.h"
#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"

#define VERSION 3
#define MAX_READ (128 * 1024)
#define NAMES_AT_ONCE 100

/* Numbers of the protocol. */
enum packet {
	FXP_INIT = 1,
	FXP_VERSION = 2,
	FXP_OPEN = 3,
	FXP_CLOSE,
	FXP_READ,
	FXP_WRITE,
	FXP_LSTAT,
	FXP_FSTAT,
	FXP_SETSTAT,
	FXP_FSETSTAT,
	FXP_OPENDIR,
	FXP_READDIR,
	FXP_REMOVE,
	FXP_MKDIR,
	FXP_RMDIR,
	FXP_REALPATH,
	FXP_STAT,
	FXP_RENAME,
	FXP_READLINK,
	FXP_SYMLINK,
	FXP_STATUS = 101,
	FXP_HANDLE = 102,
	FXP_DATA = 103,
	FXP_NAME = 104,
	FXP_ATTRS = 105,
	FXP_EXTENDED = 200,
	FXP_EXTENDED_REPLY = 201,
};

enum status {
	FX_OK,
	FX_EOF,
	FX_NO_SUCH_FILE,
	FX_PERMISSION_DENIED,
	FX_FAILURE,
	FX_BAD_MESSAGE,
	FX_OP_UNSUPPORTED = 8,
};

enum attr_flag {
	ATTR_SIZE = 1 << 0,
	ATTR_UIDGID = 1 << 1,
	ATTR_PERMISSIONS = 1 << 2,
	ATTR_ACMODTIME = 1 << 3,
};
#define ATTR_EXTENDED 0x80000000U

enum open_flag {
	OPEN_READ = 1 << 0,
	OPEN_WRITE = 1 << 1,
	OPEN_APPEND = 1 << 2,
	OPEN_CREAT = 1 << 3,
	OPEN_TRUNC = 1 << 4,
	OPEN_EXCL = 1 << 5,
};

struct attrs {
	uint32_t flags;
	uint64_t size;
	uint32_t uid, gid;
	uint32_t mode;
	uint32_t atime, mtime;
};

struct handle {
	int fd;   /* -1: not in use. */
	DIR *dir; /* Of an open directory, which has the descriptor then. */
	bool is_append;
};

struct sftp {
	int root;
	bool has_begun; /* The version was agreed on. */
	struct handle handles[SFTP_MAX_HANDLES];
};

/* One request and where its answer goes. */
struct call {
	struct sftp *sftp;
	uint32_t id;
	struct bytes in;
	struct strbuf *out;
};

struct sftp *sftp_new(int root)
{
	struct sftp *sftp = xcalloc(1, sizeof(*sftp));

	sftp->root = root;
	for (size_t i = 0; i < SFTP_MAX_HANDLES; i++)
		sftp->handles[i].fd = -1;
	return sftp;
}

static void handle_close(struct handle *h)
{
	if (h->dir)
		closedir(h->dir);
	else if (h->fd >= 0)
		close(h->fd);
	*h = (struct handle){ .fd = -1 };
}

void sftp_free(struct sftp *sftp)
{
	if (!sftp)
		return;

	for (size_t i = 0; i < SFTP_MAX_HANDLES; i++)
		handle_close(&sftp->handles[i]);
	free(sftp);
}

/* --- Reading requests --- */

/* A string without NUL, owned by the caller; NULL if it is not one, or too long for a path. */
static char *take_text(struct call *c)
{
	uint32_t size = bytes_be32(&c->in);
	const uint8_t *data = bytes_take(&c->in, size);

	if (!data || size >= PATH_MAX || memchr(data, '\0', size)) {
		c->in.is_bad = true;
		return NULL;
	}
	return xstrndup((const char *)data, size);
}

static struct attrs take_attrs(struct call *c)
{
	struct attrs a = { .flags = bytes_be32(&c->in) };

	if (a.flags & ATTR_SIZE)
		a.size = bytes_be64(&c->in);
	if (a.flags & ATTR_UIDGID) {
		a.uid = bytes_be32(&c->in);
		a.gid = bytes_be32(&c->in);
	}
	if (a.flags & ATTR_PERMISSIONS)
		a.mode = bytes_be32(&c->in) & 07777;
	if (a.flags & ATTR_ACMODTIME) {
		a.atime = bytes_be32(&c->in);
		a.mtime = bytes_be32(&c->in);
	}
	/* Extended ones are pairs of strings that say nothing to us. */
	uint32_t n = a.flags & ATTR_EXTENDED ? bytes_be32(&c->in) : 0;
	for (uint32_t i = 0; i < 2 * n && !c->in.is_bad; i++)
		(void)bytes_take(&c->in, bytes_be32(&c->in));
	return a;
}

static struct handle *take_handle(struct call *c)
{
	uint32_t i;

	if (bytes_be32(&c->in) != 4)
		return NULL;
	i = bytes_be32(&c->in);
	return !c->in.is_bad && i < SFTP_MAX_HANDLES && c->sftp->handles[i].fd >= 0
	               ? &c->sftp->handles[i]
	               : NULL;
}

/* --- Writing answers --- */

static void put_string(struct strbuf *b, const char *s)
{
	size_t size = strlen(s);

	bytes_put_be32(b, (uint32_t)size);
	strbuf_add_n(b, s, size);
}

/* Begins an answer; its length is filled in when it is complete. */
static void begin(struct call *c, enum packet type)
{
	bytes_put_be32(c->out, 0);
	bytes_put_u8(c->out, (uint8_t)type);
	bytes_put_be32(c->out, c->id);
}

static int status(struct call *c, enum status code, const char *text)
{
	begin(c, FXP_STATUS);
	bytes_put_be32(c->out, code);
	put_string(c->out, text);
	put_string(c->out, "en");
	return 0;
}

/* The status of a negative errno; 0 is success. */
static int answer(struct call *c, int r)
{
	enum status code = FX_FAILURE;

	if (r >= 0)
		return status(c, FX_OK, "");
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		code = FX_NO_SUCH_FILE;
	else if (r == -EACCES || r == -EPERM)
		code = FX_PERMISSION_DENIED;
	return status(c, code, strerror(-r));
}

static int bad(struct call *c)
{
	return status(c, FX_BAD_MESSAGE, "Bad message");
}

static void put_attrs(struct strbuf *b, const struct stat *st)
{
	bytes_put_be32(b, ATTR_SIZE | ATTR_UIDGID | ATTR_PERMISSIONS | ATTR_ACMODTIME);
	bytes_put_be64(b, (uint64_t)st->st_size);
	bytes_put_be32(b, st->st_uid);
	bytes_put_be32(b, st->st_gid);
	bytes_put_be32(b, st->st_mode);
	bytes_put_be32(b, (uint32_t)st->st_atime);
	bytes_put_be32(b, (uint32_t)st->st_mtime);
}

static int answer_attrs(struct call *c, int r, const struct stat *st)
{
	if (r < 0)
		return answer(c, r);
	begin(c, FXP_ATTRS);
	put_attrs(c->out, st);
	return 0;
}

/* One name without attributes, as for links and real paths. */
static int answer_name(struct call *c, const char *name)
{
	begin(c, FXP_NAME);
	bytes_put_be32(c->out, 1);
	put_string(c->out, name);
	put_string(c->out, name);
	bytes_put_be32(c->out, 0);
	return 0;
}

/* Takes what is open. */
static int answer_handle(struct call *c, int fd, DIR *dir, bool is_append)
{
	uint32_t i = 0;

	while (i < SFTP_MAX_HANDLES && c->sftp->handles[i].fd >= 0)
		i++;
	if (i == SFTP_MAX_HANDLES) {
		handle_close(&(struct handle){ .fd = fd, .dir = dir });
		return status(c, FX_FAILURE, "Too many open files");
	}

	c->sftp->handles[i] = (struct handle){ .fd = fd, .dir = dir, .is_append = is_append };
	begin(c, FXP_HANDLE);
	bytes_put_be32(c->out, 4);
	bytes_put_be32(c->out, i);
	return 0;
}

/* --- Files --- */

/* Owner first: changing it clears bits of the mode. */
static int set_attrs(int fd, const struct attrs *a)
{
	const struct timespec times[2] = { { .tv_sec = a->atime }, { .tv_sec = a->mtime } };

	if ((a->flags & ATTR_SIZE) && ftruncate(fd, (off_t)a->size) < 0)
		return -errno;
	if ((a->flags & ATTR_UIDGID) && fchown(fd, a->uid, a->gid) < 0)
		return -errno;
	if ((a->flags & ATTR_PERMISSIONS) && fchmod(fd, a->mode) < 0)
		return -errno;
	if ((a->flags & ATTR_ACMODTIME) && futimens(fd, times) < 0)
		return -errno;
	return 0;
}

static int do_open(struct call *c)
{
	scoped_free char *path = take_text(c);
	uint32_t wanted = bytes_be32(&c->in);
	struct attrs attrs = take_attrs(c);
	bool writes = wanted & (OPEN_WRITE | OPEN_APPEND);
	int flags = writes ? (wanted & OPEN_READ ? O_RDWR : O_WRONLY) : O_RDONLY;
	struct stat st;

	if (c->in.is_bad)
		return bad(c);
	if (wanted & OPEN_CREAT)
		flags |= O_CREAT | (wanted & OPEN_EXCL ? O_EXCL : 0);
	if (writes)
		flags |=
			(wanted & OPEN_TRUNC ? O_TRUNC : 0) | (wanted & OPEN_APPEND ? O_APPEND : 0);
	int fd = sftp_path_open(c->sftp->root, path, flags,
	                        attrs.flags & ATTR_PERMISSIONS ? attrs.mode : 0644);
	if (fd >= 0 && (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))) {
		close(fd);
		fd = -EISDIR;
	}
	return fd < 0 ? answer(c, fd) : answer_handle(c, fd, NULL, wanted & OPEN_APPEND);
}

static int do_close(struct call *c)
{
	struct handle *h = take_handle(c);

	if (!h)
		return bad(c);
	handle_close(h);
	return answer(c, 0);
}

static int do_read(struct call *c)
{
	struct handle *h = take_handle(c);
	uint64_t offset = bytes_be64(&c->in);
	uint32_t size = bytes_be32(&c->in);

	if (!h || h->dir || c->in.is_bad || offset > INT64_MAX)
		return bad(c);
	if (size > MAX_READ)
		size = MAX_READ;

	/* Straight into the answer: type, id and count are before it. */
	begin(c, FXP_DATA);
	size_t head = c->out->size;
	bytes_put_be32(c->out, 0);
	ssize_t n = pread(h->fd, strbuf_reserve(c->out, size), size, (off_t)offset);
	if (n > 0) {
		const uint32_t count = (uint32_t)n;
		for (unsigned i = 0; i < 4; i++)
			c->out->text[head + i] = (char)(count >> (24 - 8 * i));
		strbuf_advance(c->out, (size_t)n);
		return 0;
	}

	int r = n < 0 ? -errno : 0;
	strbuf_truncate(c->out, head - 9);
	return r < 0 ? answer(c, r) : status(c, FX_EOF, "EOF");
}

static int do_write(struct call *c)
{
	struct handle *h = take_handle(c);
	uint64_t offset = bytes_be64(&c->in);
	uint32_t size = bytes_be32(&c->in);
	const uint8_t *data = bytes_take(&c->in, size);

	if (!h || h->dir || c->in.is_bad || offset > INT64_MAX)
		return bad(c);
	while (size > 0) {
		ssize_t n = h->is_append ? write(h->fd, data, size)
		                         : pwrite(h->fd, data, size, (off_t)offset);
		if (n <= 0)
			return answer(c, n < 0 ? -errno : -EIO);
		data += n;
		size -= (uint32_t)n;
		offset += (uint64_t)n;
	}
	return answer(c, 0);
}

static int do_lstat(struct call *c)
{
	scoped_free char *path = take_text(c);
	struct stat st;

	return c->in.is_bad ? bad(c)
	                    : answer_attrs(c, sftp_path_lstat(c->sftp->root, path, &st), &st);
}

static int do_stat(struct call *c)
{
	scoped_free char *path = take_text(c);
	struct stat st;

	return c->in.is_bad ? bad(c)
	                    : answer_attrs(c, sftp_path_stat(c->sftp->root, path, &st), &st);
}

static int do_fstat(struct call *c)
{
	struct handle *h = take_handle(c);
	struct stat st;

	if (!h)
		return bad(c);
	return answer_attrs(c, fstat(h->fd, &st) < 0 ? -errno : 0, &st);
}

static int do_setstat(struct call *c)
{
	scoped_free char *path = take_text(c);
	struct attrs attrs = take_attrs(c);

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int fd = sftp_path_open(c->sftp->root, path,
	                                  attrs.flags & ATTR_SIZE ? O_WRONLY : O_RDONLY, 0);
	return answer(c, fd < 0 ? fd : set_attrs(fd, &attrs));
}

static int do_fsetstat(struct call *c)
{
	struct handle *h = take_handle(c);
	struct attrs attrs = take_attrs(c);

	if (!h || c->in.is_bad)
		return bad(c);
	return answer(c, set_attrs(h->fd, &attrs));
}

/* --- Directories --- */

static int do_opendir(struct call *c)
{
	scoped_free char *path = take_text(c);

	if (c->in.is_bad)
		return bad(c);
	int fd = path_open_in_root(c->sftp->root, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return answer(c, fd);
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;
		close(fd);
		return answer(c, r);
	}
	return answer_handle(c, fd, dir, false);
}

/* As "ls -l" would print it; people see it in interactive clients. */
static void put_long_name(struct strbuf *b, const char *name, const struct stat *st)
{
	scoped_free char *text = xasprintf("%c%04o %4lu %8u %8u %12lld %s",
	                                   S_ISDIR(st->st_mode)   ? 'd'
	                                   : S_ISLNK(st->st_mode) ? 'l'
	                                                          : '-',
	                                   st->st_mode & 07777, (unsigned long)st->st_nlink,
	                                   st->st_uid, st->st_gid, (long long)st->st_size, name);

	put_string(b, text);
}

static int do_readdir(struct call *c)
{
	struct handle *h = take_handle(c);
	scoped(strbuf_done) struct strbuf names = { 0 };
	uint32_t n = 0;

	if (!h || !h->dir)
		return bad(c);
	while (n < NAMES_AT_ONCE) {
		struct stat st;

		errno = 0;
		struct dirent *e = readdir(h->dir);
		if (!e && errno != 0)
			return answer(c, -errno);
		if (!e)
			break;
		if (fstatat(h->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		put_string(&names, e->d_name);
		put_long_name(&names, e->d_name, &st);
		put_attrs(&names, &st);
		n++;
	}
	if (n == 0)
		return status(c, FX_EOF, "EOF");

	begin(c, FXP_NAME);
	bytes_put_be32(c->out, n);
	strbuf_add_n(c->out, names.text, names.size);
	return 0;
}

/* --- Names --- */

static int remove_path(struct call *c, int flags)
{
	scoped_free char *path = take_text(c);
	char name[NAME_MAX + 1];

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int dir = sftp_path_parent(c->sftp->root, path, name);
	if (dir < 0)
		return answer(c, dir);
	return answer(c, unlinkat(dir, name, flags) < 0 ? -errno : 0);
}

static int do_remove(struct call *c)
{
	return remove_path(c, 0);
}

static int do_rmdir(struct call *c)
{
	return remove_path(c, AT_REMOVEDIR);
}

static int do_mkdir(struct call *c)
{
	scoped_free char *path = take_text(c);
	struct attrs attrs = take_attrs(c);
	char name[NAME_MAX + 1];

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int dir = sftp_path_parent(c->sftp->root, path, name);
	if (dir < 0)
		return answer(c, dir == -EISDIR ? -EEXIST : dir);
	mode_t mode = attrs.flags & ATTR_PERMISSIONS ? attrs.mode : 0755;
	return answer(c, mkdirat(dir, name, mode) < 0 ? -errno : 0);
}

/* Text only: what is there is found by whoever opens it. */
static int do_realpath(struct call *c)
{
	scoped_free char *path = take_text(c);

	if (c->in.is_bad)
		return bad(c);
	scoped_free char *clean = path_join("/", path, NULL);
	return answer_name(c, clean);
}

static int rename_path(struct call *c, unsigned flags)
{
	scoped_free char *from = take_text(c);
	scoped_free char *to = take_text(c);
	char from_name[NAME_MAX + 1], to_name[NAME_MAX + 1];

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int from_dir = sftp_path_parent(c->sftp->root, from, from_name);
	if (from_dir < 0)
		return answer(c, from_dir);
	scoped_fd int to_dir = sftp_path_parent(c->sftp->root, to, to_name);
	if (to_dir < 0)
		return answer(c, to_dir);
	return answer(c, renameat2(from_dir, from_name, to_dir, to_name, flags) < 0 ? -errno : 0);
}

static int do_rename(struct call *c)
{
	return rename_path(c, RENAME_NOREPLACE);
}

static int do_readlink(struct call *c)
{
	scoped_free char *path = take_text(c);
	char name[NAME_MAX + 1], target[PATH_MAX];

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int dir = sftp_path_parent(c->sftp->root, path, name);
	if (dir < 0)
		return answer(c, dir);
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
	if (n < 0)
		return answer(c, -errno);
	target[n] = '\0';
	return answer_name(c, target);
}

/* Every client sends the target first, whatever the draft says. */
static int do_symlink(struct call *c)
{
	scoped_free char *target = take_text(c);
	scoped_free char *path = take_text(c);
	char name[NAME_MAX + 1];

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int dir = sftp_path_parent(c->sftp->root, path, name);
	if (dir < 0)
		return answer(c, dir == -EISDIR ? -EEXIST : dir);
	return answer(c, symlinkat(target, dir, name) < 0 ? -errno : 0);
}

/* --- Extensions of OpenSSH --- */

static int do_posix_rename(struct call *c)
{
	return rename_path(c, 0);
}

static int do_hardlink(struct call *c)
{
	scoped_free char *from = take_text(c);
	scoped_free char *to = take_text(c);
	char from_name[NAME_MAX + 1], to_name[NAME_MAX + 1];

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int from_dir = sftp_path_parent(c->sftp->root, from, from_name);
	if (from_dir < 0)
		return answer(c, from_dir);
	scoped_fd int to_dir = sftp_path_parent(c->sftp->root, to, to_name);
	if (to_dir < 0)
		return answer(c, to_dir);
	return answer(c, linkat(from_dir, from_name, to_dir, to_name, 0) < 0 ? -errno : 0);
}

static int do_statvfs(struct call *c)
{
	scoped_free char *path = take_text(c);
	struct statvfs fs;

	if (c->in.is_bad)
		return bad(c);
	scoped_fd int fd = path_open_in_root(c->sftp->root, path, O_PATH, 0);
	int r = fd < 0 ? fd : fstatvfs(fd, &fs) < 0 ? -errno : 0;
	if (r < 0)
		return answer(c, r);

	const uint64_t values[] = { fs.f_bsize,  fs.f_frsize, fs.f_blocks, fs.f_bfree,
		                    fs.f_bavail, fs.f_files,  fs.f_ffree,  fs.f_favail,
		                    fs.f_fsid,   fs.f_flag,   fs.f_namemax };
	begin(c, FXP_EXTENDED_REPLY);
	for (size_t i = 0; i < COUNT_OF(values); i++)
		bytes_put_be64(c->out, values[i]);
	return 0;
}

/* clang-format off */
static const struct {
	const char *name, *version;
	int (*run)(struct call *c);
} extensions[] = {
	{ "posix-rename@openssh.com", "1", do_posix_rename },
	{ "hardlink@openssh.com",     "1", do_hardlink },
	{ "statvfs@openssh.com",      "2", do_statvfs },
};
/* clang-format on */

static int do_extended(struct call *c)
{
	scoped_free char *name = take_text(c);

	if (c->in.is_bad)
		return bad(c);
	for (size_t i = 0; i < COUNT_OF(extensions); i++) {
		if (strcmp(extensions[i].name, name) == 0)
			return extensions[i].run(c);
	}

	return status(c, FX_OP_UNSUPPORTED, "Operation unsupported");
}

static int (*const requests[])(struct call *c) = {
	[FXP_OPEN] = do_open,         [FXP_CLOSE] = do_close,       [FXP_READ] = do_read,
	[FXP_WRITE] = do_write,       [FXP_LSTAT] = do_lstat,       [FXP_FSTAT] = do_fstat,
	[FXP_SETSTAT] = do_setstat,   [FXP_FSETSTAT] = do_fsetstat, [FXP_OPENDIR] = do_opendir,
	[FXP_READDIR] = do_readdir,   [FXP_REMOVE] = do_remove,     [FXP_MKDIR] = do_mkdir,
	[FXP_RMDIR] = do_rmdir,       [FXP_REALPATH] = do_realpath, [FXP_STAT] = do_stat,
	[FXP_RENAME] = do_rename,     [FXP_READLINK] = do_readlink, [FXP_SYMLINK] = do_symlink,
	[FXP_EXTENDED] = do_extended,
};

/* The first packet, and the only one without an id. */
static int greet(struct sftp *sftp, struct bytes *in, struct strbuf *reply)
{
	if (bytes_be32(in) < VERSION || in->is_bad)
		return -EPROTO;

	sftp->has_begun = true;
	bytes_put_be32(reply, 0);
	bytes_put_u8(reply, FXP_VERSION);
	bytes_put_be32(reply, VERSION);
	for (size_t i = 0; i < COUNT_OF(extensions); i++) {
		put_string(reply, extensions[i].name);
		put_string(reply, extensions[i].version);
	}
	return 0;
}

static int dispatch(struct sftp *sftp, struct bytes in, struct strbuf *reply)
{
	uint8_t type = bytes_u8(&in);

	if (!sftp->has_begun)
		return type == FXP_INIT ? greet(sftp, &in, reply) : -EPROTO;

	struct call c = { .sftp = sftp, .id = bytes_be32(&in), .in = in, .out = reply };

	if (c.in.is_bad)
		return -EPROTO;
	if (type >= COUNT_OF(requests) || !requests[type])
		return status(&c, FX_OP_UNSUPPORTED, "Operation unsupported");
	return requests[type](&c);
}

int sftp_handle(struct sftp *sftp, const uint8_t *packet, size_t size, struct strbuf *reply)
{
	size_t at = reply->size;

	int r = dispatch(sftp, (struct bytes){ .data = packet, .size = size }, reply);
	if (r < 0)
		return r;

	uint32_t n = (uint32_t)(reply->size - at - 4);
	for (unsigned i = 0; i < 4; i++)
		reply->text[at + i] = (char)(n >> (24 - 8 * i));
	return 0;
}
