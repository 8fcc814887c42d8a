#include "daemon/helper/sftp_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"

int sftp_path_parent(int root, const char *path, char ret_name[NAME_MAX + 1])
{
	scoped_free char *clean = path_join("/", path, NULL);
	const char *base = path_base(clean);
	scoped_free char *dir = path_dir(clean);

	if (!path_is_name(base))
		return *base ? -ENAMETOOLONG : -EISDIR;
	memcpy(ret_name, base, strlen(base) + 1);
	return path_open_in_root(root, dir, O_RDONLY | O_DIRECTORY, 0);
}

int sftp_path_lstat(int root, const char *path, struct stat *ret_st)
{
	char name[NAME_MAX + 1];

	scoped_fd int dir = sftp_path_parent(root, path, name);
	if (dir == -EISDIR)
		return fstat(root, ret_st) < 0 ? -errno : 0;
	if (dir < 0)
		return dir;
	return fstatat(dir, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int sftp_path_stat(int root, const char *path, struct stat *ret_st)
{
	scoped_fd int fd = path_open_in_root(root, path, O_PATH, 0);

	if (fd < 0)
		return fd;
	return fstat(fd, ret_st) < 0 ? -errno : 0;
}

int sftp_path_open(int root, const char *path, int flags, mode_t mode)
{
	struct stat before = { 0 }, st;

	int r = sftp_path_stat(root, path, &before);
	bool is_new = r == -ENOENT && (flags & O_CREAT);
	if (r < 0 && !is_new)
		return r;
	if (r == 0 && !S_ISREG(before.st_mode) && !S_ISDIR(before.st_mode))
		return -EINVAL;

	scoped_fd int fd = path_open_in_root(root, path, flags | O_NONBLOCK | O_NOCTTY, mode);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -EINVAL;
	fd_set_nonblock(fd, false);
	return TAKE_FD(fd);
}
