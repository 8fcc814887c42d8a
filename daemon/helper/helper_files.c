/*
 * A session on the files of a container.
 *
 * This process is the container's root, in its mount namespace, and has nothing of the host but one
 * socket. Every path is resolved beneath the root, with the guest's links followed as the guest
 * would follow them. Only regular files are opened, and none blocks: fifos and devices are told
 * apart first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/helper/helper_job.h"
#include "daemon/helper/helper_root.h"
#include "drivers/instance/instance_files.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/tree.h"

struct session {
	struct helper_job *job;
	int root;
	struct bytes request;
	int fd; /* That came with the request, or -1. */
	const char *path;
};

/* clang-format off */
static const struct {
	int code;
	int http;
	const char *sentence;
} failures[] = {
	{ -ENOENT,    404, "file does not exist" },
	{ -EISDIR,    400, "is a directory" },
	{ -ENOTDIR,   400, "not a directory" },
	{ -ENOTEMPTY, 400, "directory not empty" },
	{ -EEXIST,    400, "file already exists" },
	{ -ELOOP,     400, "too many levels of symbolic links" },
	{ -EXDEV,     400, "path leads out of the instance" },
	{ -EINVAL,    400, "invalid argument" },
	{ -ENAMETOOLONG, 400, "file name too long" },
	{ -EACCES,    403, "permission denied" },
	{ -EPERM,     403, "operation not permitted" },
	{ -EROFS,     403, "read-only file system" },
	{ -EBUSY,     400, "device or resource busy" },
	{ -ENOSPC,    507, "no space left on device" },
	{ -EDQUOT,    507, "disk quota exceeded" },
};
/* clang-format on */

static int fail(struct session *s, int code)
{
	for (size_t i = 0; i < COUNT_OF(failures); i++) {
		if (failures[i].code == code)
			return helper_job_fail(s->job, code, failures[i].http, "%s",
			                       failures[i].sentence);
	}

	return helper_job_fail(s->job, code, 500, "%s", strerror(-code));
}

static int answer(struct session *s, int code)
{
	return code < 0 ? fail(s, code) : helper_job_ok(s->job, NULL, NULL, 0);
}

static enum instance_file_type type_of(mode_t mode)
{
	if (S_ISREG(mode))
		return INSTANCE_FILE_REGULAR;
	if (S_ISDIR(mode))
		return INSTANCE_FILE_DIRECTORY;
	return S_ISLNK(mode) ? INSTANCE_FILE_SYMLINK : INSTANCE_FILE_OTHER;
}

static void put_info(struct strbuf *reply, const struct stat *st)
{
	bytes_put_u8(reply, (uint8_t)type_of(st->st_mode));
	bytes_put_le32(reply, st->st_mode & 07777);
	bytes_put_le32(reply, st->st_uid);
	bytes_put_le32(reply, st->st_gid);
	bytes_put_le64(reply, (uint64_t)st->st_size);
	bytes_put_le64(reply, (uint64_t)st->st_mtime);
}

/*
 * Opens the folder that holds the last part of the path, following links on the way, and names that
 * part. "/" has none: -EISDIR.
 */
static int open_parent(struct session *s, char name[static NAME_MAX + 1])
{
	scoped_free char *clean = path_clean(s->path);
	const char *base = path_base(clean);
	scoped_free char *dir = path_dir(clean);

	size_t len = strnlen(base, NAME_MAX + 1);

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	if (!path_is_name(base))
		return -EISDIR;
	memcpy(name, base, len + 1);
	return path_open_in_root(s->root, strcmp(dir, ".") == 0 ? "" : dir, O_RDONLY | O_DIRECTORY,
	                         0);
}

/* A descriptor to look at the file, of whatever kind it is; a link itself. */
static int open_path(struct session *s, struct stat *st)
{
	char name[NAME_MAX + 1];

	int dir = open_parent(s, name);
	int fd;
	if (dir == -EISDIR) {
		fd = fd_dup(s->root);
	} else {
		if (dir < 0)
			return dir;
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
		close(dir);
	}
	if (fd >= 0 && fstat(fd, st) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}

	return fd;
}

static int do_stat(struct session *s)
{
	scoped(strbuf_done) struct strbuf reply = { 0 };
	struct stat st;

	scoped_fd int fd = open_path(s, &st);
	if (fd < 0)
		return fail(s, fd);
	put_info(&reply, &st);
	return helper_job_ok(s->job, &reply, NULL, 0);
}

/* The names of a directory, a NUL after each, in a file of memory. */
static int list_names(int dir_fd)
{
	scoped(strbuf_done) struct strbuf names = { 0 };
	DIR *dir = fdopendir(dir_fd);

	if (!dir) {
		int r = -errno;
		close(dir_fd);
		return r;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			strbuf_add_n(&names, e->d_name, strlen(e->d_name) + 1);
	}
	closedir(dir);

	scoped_fd int fd = fd_memfd("names");
	int r = fd < 0 ? fd : fd_write_full(fd, names.text, names.size);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

/* Reading from the guest's own file servers may hang: a child does it, behind a pipe. */
static int through_pipe(int fd)
{
	int ends[2];

	int r = fd_pipe(ends);
	if (r < 0)
		return r;
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		_exit(fd_copy(fd, ends[1], UINT64_MAX) < 0);
	}
	close(ends[1]);
	if (pid < 0) {
		r = -errno;
		close(ends[0]);
		return r;
	}

	return ends[0];
}

static int do_get(struct session *s)
{
	scoped(strbuf_done) struct strbuf reply = { 0 };
	char target[PATH_MAX];
	struct stat st;
	struct statfs fs;

	scoped_fd int at = open_path(s, &st);
	if (at < 0)
		return fail(s, at);
	put_info(&reply, &st);

	enum instance_file_type type = type_of(st.st_mode);
	if (type == INSTANCE_FILE_OTHER)
		return helper_job_ok(s->job, &reply, NULL, 0);
	if (type == INSTANCE_FILE_SYMLINK) {
		ssize_t n = readlinkat(at, "", target, sizeof(target) - 1);
		if (n < 0)
			return fail(s, -errno);
		strbuf_add_n(&reply, target, (size_t)n);
		strbuf_add_char(&reply, '\0');
		return helper_job_ok(s->job, &reply, NULL, 0);
	}

	/* What 'at' names was not opened yet; opening by name again must find the same. */
	char name[NAME_MAX + 1];
	scoped_fd int dir = open_parent(s, name);
	scoped_fd int fd = -1;
	struct stat again;
	if (dir == -EISDIR)
		fd = openat(s->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else if (dir >= 0)
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &again) < 0)
		return fail(s, -errno);
	if (again.st_ino != st.st_ino || again.st_dev != st.st_dev)
		return fail(s, -ENOENT);

	if (type == INSTANCE_FILE_DIRECTORY)
		fd = list_names(fd);
	else if (fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC)
		fd = through_pipe(fd);
	if (fd < 0)
		return fail(s, fd);
	return helper_job_ok(s->job, &reply, &fd, 1);
}

struct attr {
	int mode;
	int64_t uid, gid;
};

static struct attr read_attr(struct bytes *b)
{
	struct attr attr = { .mode = (int)bytes_le32(b) };

	attr.uid = (int64_t)bytes_le64(b);
	attr.gid = (int64_t)bytes_le64(b);
	return attr;
}

/* Owner first: changing it clears bits of the mode. */
static int set_attr(int fd, const struct attr *attr)
{
	if ((attr->uid >= 0 || attr->gid >= 0) &&
	    fchown(fd, attr->uid >= 0 ? (uid_t)attr->uid : (uid_t)-1,
	           attr->gid >= 0 ? (gid_t)attr->gid : (gid_t)-1) < 0)
		return -errno;
	if (attr->mode >= 0 && fchmod(fd, (mode_t)attr->mode & 07777) < 0)
		return -errno;
	return 0;
}

/* Opens for writing, made if it is not there. */
static int open_for_put(struct session *s, const struct attr *attr, bool append, bool *ret_is_new)
{
	int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | (append ? O_APPEND : 0);
	struct stat st;

	*ret_is_new = false;
	int fd = path_open_in_root(s->root, s->path, flags, 0);
	if (fd == -ENOENT) {
		fd = path_open_in_root(s->root, s->path, flags | O_CREAT,
		                       attr->mode >= 0 ? (mode_t)attr->mode & 0777 : 0644);
		*ret_is_new = true;
	}
	/* A fifo that nobody reads. */
	if (fd == -ENXIO)
		return -EINVAL;
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -EINVAL;
	}
	if (fd >= 0 && !append && ftruncate(fd, 0) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}

	return fd;
}

static int do_put(struct session *s)
{
	struct attr attr = read_attr(&s->request);
	bool append = bytes_u8(&s->request) != 0, is_new;

	if (s->request.is_bad || s->fd < 0)
		return fail(s, -EINVAL);
	scoped_fd int fd = open_for_put(s, &attr, append, &is_new);
	if (fd < 0)
		return fail(s, fd);
	if (is_new) {
		attr.mode = attr.mode >= 0 ? attr.mode : 0644;
		attr.uid = attr.uid >= 0 ? attr.uid : 0;
		attr.gid = attr.gid >= 0 ? attr.gid : 0;
	}
	fd_set_nonblock(fd, false);
	int64_t n = fd_copy(s->fd, fd, UINT64_MAX);
	int r = n < 0 ? (int)n : set_attr(fd, &attr);
	return answer(s, r);
}

static int do_mkdir(struct session *s)
{
	struct attr attr = read_attr(&s->request);
	char name[NAME_MAX + 1];

	scoped_fd int dir = s->request.is_bad ? -EINVAL : open_parent(s, name);
	if (dir == -EISDIR)
		return answer(s, 0);
	if (dir < 0)
		return fail(s, dir);
	bool is_new = mkdirat(dir, name, 0700) == 0;
	if (!is_new && errno != EEXIST)
		return fail(s, -errno);
	if (is_new) {
		attr.mode = attr.mode >= 0 ? attr.mode : 0755;
		attr.uid = attr.uid >= 0 ? attr.uid : 0;
		attr.gid = attr.gid >= 0 ? attr.gid : 0;
	}

	scoped_fd int fd = path_open_in_root(s->root, s->path, O_RDONLY | O_DIRECTORY, 0);
	return answer(s, fd < 0 ? fd : set_attr(fd, &attr));
}

static int do_symlink(struct session *s)
{
	struct attr attr = read_attr(&s->request);
	const char *target = bytes_text(&s->request);
	char name[NAME_MAX + 1];
	struct stat st;

	scoped_fd int dir = target ? open_parent(s, name) : -EINVAL;
	if (dir < 0)
		return fail(s, dir == -EISDIR ? -EEXIST : dir);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		unlinkat(dir, name, 0);
	if (symlinkat(target, dir, name) < 0)
		return fail(s, -errno);
	if (fchownat(dir, name, attr.uid >= 0 ? (uid_t)attr.uid : 0,
	             attr.gid >= 0 ? (gid_t)attr.gid : 0, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(s, -errno);
	return answer(s, 0);
}

static int do_delete(struct session *s)
{
	bool recursive = bytes_u8(&s->request) != 0;
	char name[NAME_MAX + 1];
	struct stat st;

	scoped_fd int dir = open_parent(s, name);
	if (dir < 0)
		return fail(s, dir == -EISDIR ? -EBUSY : dir);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(s, -errno);
	if (recursive)
		return answer(s, tree_remove_at(dir, name, 0));
	int r = unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
	return answer(s, r);
}

static int (*const requests[])(struct session *s) = {
	[CT_JOB_FILE_STAT] = do_stat,       [CT_JOB_FILE_GET] = do_get,
	[CT_JOB_FILE_PUT] = do_put,         [CT_JOB_FILE_MKDIR] = do_mkdir,
	[CT_JOB_FILE_SYMLINK] = do_symlink, [CT_JOB_FILE_DELETE] = do_delete,
};
static_assert(COUNT_OF(requests) == N_CT_JOB_FILES, "A request is missing");

/* Serves until the daemon lets go. */
static int serve(struct session *s)
{
	scoped_free char *buffer = xmalloc(CT_JOB_MAX_SIZE);

	for (;;) {
		size_t n_fds = 0;
		int fd = -1;

		ssize_t n = fd_receive(s->job->socket, buffer, CT_JOB_MAX_SIZE, &fd, 1, &n_fds);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0;
		s->fd = n_fds > 0 ? fd : -1;
		s->request = (struct bytes){ .data = (const uint8_t *)buffer, .size = (size_t)n };
		uint8_t what = bytes_u8(&s->request);
		s->path = bytes_text(&s->request);
		int r = s->request.is_bad || !s->path || what >= N_CT_JOB_FILES ? fail(s, -EINVAL)
		                                                                : requests[what](s);
		if (s->fd >= 0)
			close(s->fd);
		if (r < 0)
			return 1;
	}
}

int helper_files_run(struct helper_job *job)
{
	struct session s = { .job = job };
	scoped_fd int self = fd_of_pid(getpid());

	/* Children that pump are reaped by nobody. */
	signal(SIGCHLD, SIG_IGN);
	int r = helper_root_enter_job(job, job->n_fds > 0 ? job->fds[0] : -1);
	if (r < 0)
		return helper_job_fail(job, r, 0, "Failed entering the instance's root") < 0;
	s.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.root < 0)
		return helper_job_fail(job, -errno, 0, "Failed opening the instance's root") < 0;
	if (helper_job_ok(job, NULL, &self, self >= 0) < 0)
		return 1;
	return serve(&s);
}
