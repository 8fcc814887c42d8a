/*
 * Puts a mount into a running container, or takes one out.
 *
 * The mount is cloned and prepared outside, as real root, and then carried through the container's
 * namespaces in a descriptor. Everything that looks at the container's own files happens as its
 * root and beneath its root, so that no link of its leads anywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/helper/helper_job.h"
#include "daemon/helper/helper_root.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/strv.h"

/* A clone of what is at 'source', with the attributes that it gets inside. */
static int clone_mount(const char *source, const char *within, uint32_t flags, pid_t init)
{
	unsigned recursive = flags & CT_JOB_MOUNT_RECURSIVE ? AT_RECURSIVE : 0;
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	char path[64];
	scoped_fd int userns = -1;

	scoped_fd int at = within ? path_open_within(within, source, O_PATH) : AT_FDCWD;
	if (within && at < 0)
		return at;
	scoped_fd int tree = (int)syscall(SYS_open_tree, at, within ? "" : source,
	                                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive |
	                                          (within ? AT_EMPTY_PATH : 0));
	if (tree < 0)
		return -errno;
	if (flags & CT_JOB_MOUNT_READONLY)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (flags & CT_JOB_MOUNT_SHIFT) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", init);
		userns = open(path, O_RDONLY | O_CLOEXEC);
		if (userns < 0)
			return -errno;
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns;
	}
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)) <
	    0)
		return -errno;
	return TAKE_FD(tree);
}

/* Makes the folders above the mount point, and it, where they are not there. */
static int make_target(int root, const char *target, bool is_file)
{
	scoped(strv_freep) char **parts = strv_split_trimmed(target, '/');
	scoped_free char *path = xstrdup("");

	for (size_t i = 0; parts && parts[i]; i++) {
		scoped_free char *parent = path;
		const char *part = parts[i];
		bool is_last = !parts[i + 1];

		path = xasprintf("%s/%s", parent, part);
		int dir = path_open_in_root(root, parent, O_RDONLY | O_DIRECTORY, 0);
		if (dir < 0)
			return dir;
		int r = 0;
		if (is_last && is_file) {
			int fd = openat(dir, part,
			                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
			r = fd < 0 && errno != EEXIST ? -errno : 0;
			if (fd >= 0)
				close(fd);
		} else if (mkdirat(dir, part, 0755) < 0 && errno != EEXIST) {
			r = -errno;
		}
		close(dir);
		if (r < 0)
			return r;
	}

	return 0;
}

int helper_mount_run(struct helper_job *job)
{
	pid_t init = (pid_t)bytes_le32(&job->payload);
	uint32_t flags = bytes_le32(&job->payload);
	const char *source = bytes_text(&job->payload);
	const char *target = bytes_text(&job->payload);
	const char *within = flags & CT_JOB_MOUNT_WITHIN ? bytes_text(&job->payload) : NULL;
	scoped_fd int tree = -1;

	if (job->payload.is_bad || !source || !target || path_has_dotdot(target))
		return helper_job_fail(job, -EINVAL, 500, "Bad request") < 0;
	if (!(flags & CT_JOB_MOUNT_REMOVE)) {
		tree = clone_mount(source, within, flags, init);
		if (tree < 0)
			return helper_job_fail(job, tree, 0, "Failed preparing \"%s\"", source) < 0;
	}

	int r = helper_root_enter(init);
	scoped_fd int root = r < 0 ? -1 : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r < 0 || root < 0)
		return helper_job_fail(job, r < 0 ? r : -errno, 0,
		                       "Failed entering the container") < 0;
	if (flags & CT_JOB_MOUNT_REMOVE) {
		scoped_free char *path = xasprintf("/%s", target);
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
		    errno != ENOENT)
			return helper_job_fail(job, -errno, 0, "Failed unmounting \"%s\"", target) <
			       0;
		return helper_job_ok(job, NULL, NULL, 0) < 0;
	}

	r = make_target(root, target, flags & CT_JOB_MOUNT_FILE);
	scoped_fd int at = r < 0 ? -1 : path_open_in_root(root, target, O_PATH, 0);
	if (r == 0 && at < 0)
		r = at;
	if (r == 0 && syscall(SYS_move_mount, tree, "", at, "",
	                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		r = -errno;
	if (r < 0)
		return helper_job_fail(job, r, 0, "Failed mounting at \"%s\"", target) < 0;
	return helper_job_ok(job, NULL, NULL, 0) < 0;
}
