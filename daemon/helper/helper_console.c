/* Takes a place on a container's console and hands it over; then nothing of us stays. */
#include <errno.h>
#include <stdlib.h>
#include <termios.h>

#include <lxc/lxccontainer.h>

#include "daemon/helper/helper_job.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"

static void put_container(struct lxc_container **c)
{
	if (*c)
		lxc_container_put(*c);
}

int helper_console_run(struct helper_job *job)
{
	const char *run_dir = bytes_text(&job->payload);
	int number = 0, master = -1;

	if (!run_dir)
		return helper_job_fail(job, -EINVAL, 500, "Bad request") < 0;

	scoped_free char *parent = path_dir(run_dir);
	scoped(put_container) struct lxc_container *c =
		lxc_container_new(path_base(run_dir), parent);
	if (!c || c->init_pid(c) <= 0)
		return helper_job_fail(job, -ESRCH, 400, "Instance is not running") < 0;

	/* The monitor serves us as long as this connection is open, whoever holds it. */
	scoped_fd int connection = c->console_getfd(c, &number, &master);
	if (connection < 0)
		return helper_job_fail(job, -EBUSY, 400, "The console is already in use") < 0;

	/* Bytes as they are: the terminal that a person sees is at the other end. */
	struct termios mode;
	if (tcgetattr(master, &mode) == 0) {
		cfmakeraw(&mode);
		tcsetattr(master, TCSANOW, &mode);
	}
	const int fds[] = { connection, master };
	return helper_job_ok(job, NULL, fds, 2) < 0;
}
