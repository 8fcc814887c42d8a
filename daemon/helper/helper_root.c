#include "daemon/helper/helper_root.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/helper/helper_job.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"

/* Whether two processes share a user namespace. */
static bool has_own_userns(pid_t pid)
{
	char path[64];
	struct stat mine, theirs;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat("/proc/self/ns/user", &mine) == 0 && stat(path, &theirs) == 0 &&
	       (mine.st_ino != theirs.st_ino || mine.st_dev != theirs.st_dev);
}

static int become_root(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return -errno;
	/* Changing ids makes a process dumpable as its program is: not this one. */
	prctl(PR_SET_DUMPABLE, 0);
	umask(0);
	return 0;
}

int helper_root_enter(pid_t init)
{
	bool has_userns = has_own_userns(init);
	scoped_fd int pidfd = fd_of_pid(init);

	if (pidfd < 0)
		return pidfd;
	if (setns(pidfd, CLONE_NEWNS | (has_userns ? CLONE_NEWUSER : 0)) < 0)
		return -errno;
	return become_root();
}

int helper_root_enter_tree(const char *path, int userns, bool map_mount)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	scoped_fd int tree =
		(int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	if (userns >= 0 && map_mount &&
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;

	/* The tree must be mounted somewhere to be a root; private, so nobody else sees it. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(tree) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return -errno;
	if (userns < 0) {
		umask(0);
		return 0;
	}
	if (setns(userns, CLONE_NEWUSER) < 0)
		return -errno;
	return become_root();
}

int helper_root_enter_job(struct helper_job *job, int userns)
{
	switch (bytes_u8(&job->payload)) {
	case CT_JOB_ROOT_RUNNING:
		return helper_root_enter((pid_t)bytes_le32(&job->payload));
	case CT_JOB_ROOT_STOPPED: {
		const char *path = bytes_text(&job->payload);
		bool map_mount = bytes_u8(&job->payload) != 0;
		return path ? helper_root_enter_tree(path, userns, map_mount) : -EINVAL;
	}
	default:
		return -EINVAL;
	}
}
