#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/random.h"
#include "lib/base/scoped.h"

int file_read_at(int dir, const char *name, size_t max, char **ret, size_t *ret_size)
{
	size_t size = 0;
	scoped_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;

	int r = fd_read_all(fd, max, ret, &size);
	if (r == 0 && ret_size)
		*ret_size = size;
	return r;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_size)
{
	return file_read_at(AT_FDCWD, path, max, ret, ret_size);
}

/* Writes and syncs a new file. */
static int write_new(int dir, const char *name, const void *data, size_t size, mode_t mode)
{
	scoped_fd int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;

	int r = fd_write_full(fd, data, size);
	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;

	return 0;
}

static int sync_dir(int dir, const char *path)
{
	scoped_fd int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	/* Some filesystems cannot sync directories. */
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

int file_replace_at(int dir, const char *name, const void *data, size_t size, mode_t mode)
{
	scoped_free char *suffix = random_hex(6);
	scoped_free char *temporary = xasprintf("%s.%s", name, suffix);
	scoped_free char *parent = path_dir(name);

	int r = write_new(dir, temporary, data, size, mode);
	if (r == 0)
		r = FAILPOINT("file.replace", NULL, "Before a file that was written gets its name",
		              NULL);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir, temporary, 0);
		return r;
	}
	return sync_dir(dir, parent);
}

int file_replace(const char *path, const void *data, size_t size, mode_t mode)
{
	return file_replace_at(AT_FDCWD, path, data, size, mode);
}

int file_sync_parent(const char *path)
{
	scoped_free char *parent = path_dir(path);

	return sync_dir(AT_FDCWD, parent);
}

int file_put_at(int dir, const char *name, const char *text)
{
	scoped_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;

	ssize_t n = write(fd, text, strlen(text));
	if (n < 0)
		return -errno;

	return (size_t)n == strlen(text) ? 0 : -EIO;
}

int file_put(const char *path, const char *text)
{
	return file_put_at(AT_FDCWD, path, text);
}

int file_putf(const char *path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *text = xvasprintf(fmt, args);
	va_end(args);
	return file_put(path, text);
}

int file_append(const char *path, const void *data, size_t size, mode_t mode)
{
	scoped_fd int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, mode);
	if (fd < 0)
		return -errno;

	return fd_write_full(fd, data, size);
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int file_lock(const char *path, mode_t mode)
{
	scoped_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;

	return TAKE_FD(fd);
}

int file_make_dirs(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return 0;
	if (errno == EEXIST)
		return file_is_dir(path) ? 0 : -ENOTDIR;
	if (errno != ENOENT)
		return -errno;

	scoped_free char *parent = path_dir(path);
	if (strcmp(parent, path) == 0)
		return -ENOENT;

	int r = file_make_dirs(parent, 0755);
	if (r < 0)
		return r;

	return mkdir(path, mode) < 0 && errno != EEXIST ? -errno : 0;
}
