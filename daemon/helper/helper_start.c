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
#include <stdlib.h>
#include <string.h>
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

int helper_start_run(struct helper_job *job)
{
	const char *run_dir = bytes_text(&job->payload);
	const char *log_file = bytes_text(&job->payload);

	if (!run_dir || !log_file)
		return helper_job_fail(job, -EINVAL, 500, "Bad request") < 0;

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
