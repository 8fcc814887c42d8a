/*
 * Starts a container with liblxc.
 *
 * liblxc leaves a process of its own behind, the monitor: a fork of this one that holds the
 * console and waits for the container's init. It is all that a running container costs us, so
 * what this process touches before is kept small.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lxc/lxccontainer.h>

#include "daemon/helper/helper_job.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"

#define MAX_LOG (256 * 1024)

static void put_container(struct lxc_container **c)
{
	if (*c)
		lxc_container_put(*c);
}

/* The text of the first error in liblxc's log from 'offset' on, or NULL: later ones follow from it.
 */
static char *first_error(const char *path, off_t offset)
{
	scoped_free char *text = NULL;
	size_t size = 0;

	if (file_read(path, MAX_LOG, &text, &size) < 0 || (off_t)size <= offset)
		return NULL;
	/* "lxc c1 20260101000000.000 ERROR    start - ../src/x.c:f:1 - Text" */
	char *line = strstr(text + offset, " ERROR ");
	if (!line)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	char *at = strstr(line, " - ");
	at = at ? strstr(at + 3, " - ") : NULL;
	return at ? xstrdup(at + 3) : NULL;
}

static int stage_disk(const char *target, const char *source, const char *within, uint32_t flags)
{
	scoped_fd int fd = within ? path_open_within(within, source, O_PATH) : -1;
	char path[64];

	if (within && fd < 0)
		return fd == -ENOENT && flags & CT_JOB_MOUNT_OPTIONAL ? 0 : fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

	unsigned long recursive = flags & CT_JOB_MOUNT_RECURSIVE ? MS_REC : 0;
	int r = flags & CT_JOB_MOUNT_FILE ? mknod(target, S_IFREG | 0600, 0) : mkdir(target, 0711);

	if (r < 0 || mount(within ? path : source, target, NULL, MS_BIND | recursive, NULL) < 0)
		r = errno == ENOENT && flags & CT_JOB_MOUNT_OPTIONAL ? 0 : -errno;
	return r;
}

/*
 * The container's root mounts its disks, and on the host it is a user like any other: it may not
 * pass through what is closed to others, such as a pool's volumes. So they are bound, by real
 * root, where it finds them, in a namespace that goes with the monitor.
 */
static int stage_disks(struct helper_job *job, const char *run_dir)
{
	uint32_t n = bytes_le32(&job->payload);
	scoped_free char *disks = xasprintf("%s/" CT_JOB_DISKS, run_dir);

	if (n == 0)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    (mkdir(disks, 0711) < 0 && errno != EEXIST) ||
	    mount("disks", disks, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711") < 0) {
		int r = -errno;

		helper_job_fail(job, r, 0, "Failed making a folder for disks");
		return r;
	}

	for (uint32_t i = 0; i < n; i++) {
		uint32_t flags = bytes_le32(&job->payload);
		const char *source = bytes_text(&job->payload);
		const char *within = flags & CT_JOB_MOUNT_WITHIN ? bytes_text(&job->payload) : NULL;
		scoped_free char *target = xasprintf("%s/%u", disks, i);
		int r = source ? stage_disk(target, source, within, flags) : -EINVAL;

		if (r < 0) {
			helper_job_fail(job, r, 0, "Failed mounting \"%s\"", source ? source : "");
			return r;
		}
	}
	return 0;
}

int helper_start_run(struct helper_job *job)
{
	const char *run_dir = bytes_text(&job->payload);
	const char *log_file = bytes_text(&job->payload);

	if (!run_dir || !log_file)
		return helper_job_fail(job, -EINVAL, 500, "Bad request") < 0;
	if (stage_disks(job, run_dir) < 0)
		return 1;

	scoped_free char *parent = path_dir(run_dir);
	struct stat log = { .st_size = 0 };
	stat(log_file, &log);

	/* Reads PARENT/NAME/config. */
	scoped(put_container) struct lxc_container *c =
		lxc_container_new(path_base(run_dir), parent);
	if (!c || !c->lxc_conf)
		return helper_job_fail(job, -EINVAL, 500,
		                       "Failed reading the container's configuration") < 0;

	c->want_daemonize(c, true);
	c->want_close_all_fds(c, true);
	malloc_trim(0);
	if (!c->start(c, 0, NULL)) {
		scoped_free char *why = first_error(log_file, log.st_size);
		helper_job_fail(job, -EIO, 500, "%s",
		                why ? why : "The container ended while it was starting");
		return 1;
	}

	pid_t pid = c->init_pid(c);
	int pidfd = pid > 0 ? c->init_pidfd(c) : -1;
	scoped(strbuf_done) struct strbuf more = { 0 };
	bytes_put_le32(&more, (uint32_t)(pid > 0 ? pid : 0));
	return helper_job_ok(job, &more, &pidfd, pidfd >= 0) < 0;
}
