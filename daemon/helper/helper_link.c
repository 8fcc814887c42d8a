/* Brings up a link in the network namespace of a running container. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "daemon/helper/helper_job.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"
#include "lib/linux/net_link.h"

int helper_link_run(struct helper_job *job)
{
	pid_t init = (pid_t)bytes_le32(&job->payload);
	const char *name = bytes_text(&job->payload);
	scoped(netlink_freep) struct netlink *nl = NULL;

	if (job->payload.is_bad || !name)
		return helper_job_fail(job, -EINVAL, 500, "Bad request") < 0;
	scoped_fd int pidfd = fd_of_pid(init);
	int r = pidfd;
	if (pidfd >= 0)
		r = setns(pidfd, CLONE_NEWNET) < 0 ? -errno : netlink_open(&nl);
	if (r == 0)
		r = net_link_set_up(nl, name, true);
	if (r < 0)
		return helper_job_fail(job, r, 0, "Failed bringing up link \"%s\"", name) < 0;
	return helper_job_ok(job, NULL, NULL, 0) < 0;
}
