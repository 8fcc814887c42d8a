#include "lib/linux/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/tree.h"

#define QUOTA_BLOCK 1024 /* dqb_bhardlimit counts these. */

#ifndef SYS_quotactl_fd
#	define SYS_quotactl_fd 443
#endif

/* quotactl_fd(2), since Linux 5.14: no need to find the device. */
static int quota_call(const char *path, int command, uint32_t id, void *arg)
{
	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return syscall(SYS_quotactl_fd, fd, (int)QCMD((unsigned)command, PRJQUOTA), id, arg) < 0
	               ? -errno
	               : 0;
}

int quota_is_supported(const char *path)
{
	uint32_t format;

	int r = quota_call(path, Q_GETFMT, 0, &format);
	if (r == 0)
		return 1;
	/* Not counted, not switched on, or a filesystem that knows nothing of it. */
	return r == -EIO || r == -ENOENT || r == -EACCES || r == -EPERM ? r : 0;
}

int quota_project(const char *path, uint32_t *ret_id)
{
	struct fsxattr attr;
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0)
		return -errno;
	*ret_id = attr.fsx_projid;
	return 0;
}

static int set_on_fd(int fd, uint32_t id, bool is_dir)
{
	struct fsxattr attr;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0)
		return -errno;
	attr.fsx_projid = id;
	if (is_dir && id != 0)
		attr.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	else
		attr.fsx_xflags &= ~(uint32_t)FS_XFLAG_PROJINHERIT;
	return ioctl(fd, FS_IOC_FSSETXATTR, &attr) < 0 ? -errno : 0;
}

static int visit(const struct tree_entry *entry, void *arg)
{
	const uint32_t *id = arg;
	bool is_dir = S_ISDIR(entry->st->st_mode);

	/* Devices and links have no project that could be set through a descriptor. */
	if (!is_dir && !S_ISREG(entry->st->st_mode))
		return 0;

	scoped_fd int fd =
		path_open_beneath(entry->dir, entry->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	return set_on_fd(fd, *id, is_dir);
}

int quota_set_project(const char *path, uint32_t id)
{
	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	return tree_walk(fd, visit, &id);
}

int quota_set_limit(const char *path, uint32_t id, uint64_t bytes)
{
	struct if_dqblk block = {
		.dqb_bhardlimit = (bytes + QUOTA_BLOCK - 1) / QUOTA_BLOCK,
		.dqb_valid = QIF_BLIMITS,
	};

	return quota_call(path, Q_SETQUOTA, id, &block);
}

int quota_usage(const char *path, uint32_t id, uint64_t *ret_used, uint64_t *ret_limit)
{
	struct if_dqblk block = { 0 };

	int r = quota_call(path, Q_GETQUOTA, id, &block);
	if (r < 0)
		return r;
	*ret_used = block.dqb_curspace;
	*ret_limit = block.dqb_bhardlimit * QUOTA_BLOCK;
	return 0;
}
