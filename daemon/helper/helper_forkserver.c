#include "daemon/helper/helper_forkserver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/helper/helper_job.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"

static helper_job_fn *const jobs[] = {
	[CT_JOB_START] = helper_start_run,     [CT_JOB_EXEC] = helper_exec_run,
	[CT_JOB_CONSOLE] = helper_console_run, [CT_JOB_FILES] = helper_files_run,
	[CT_JOB_SFTP] = helper_sftp_run,       [CT_JOB_MOUNT] = helper_mount_run,
	[CT_JOB_LINK] = helper_link_run,
};
static_assert(COUNT_OF(jobs) == N_CT_JOBS, "A job is missing");

/* In the child: does one job and ends. */
NORETURN static void do_job(struct strbuf *packet, const int *fds, size_t n_fds)
{
	struct helper_job job = { .payload = { .data = (const uint8_t *)packet->text,
		                               .size = packet->size } };

	close(CT_JOB_SERVER_FD);
	if (open("/dev/null", O_RDONLY) != CT_JOB_SERVER_FD)
		_exit(1);
	signal(SIGCHLD, SIG_DFL);

	uint32_t kind = bytes_le32(&job.payload);
	if (n_fds == 0 || job.payload.is_bad || kind >= N_CT_JOBS)
		_exit(1);
	job.socket = fds[0];
	job.n_fds = n_fds - 1;
	memcpy(job.fds, fds + 1, job.n_fds * sizeof(*fds));
	/* Not exit(): buffers and handlers belong to the server. */
	_exit(jobs[kind](&job));
}

/* Receives one packet, whatever its size. Returns 0, 1 at the end, or a negative errno. */
static int receive(struct strbuf *packet, int *fds, size_t *ret_n_fds)
{
	ssize_t size = recv(CT_JOB_SERVER_FD, NULL, 0, MSG_PEEK | MSG_TRUNC);
	if (size <= 0)
		return size < 0 ? -errno : 1;

	char *buffer = strbuf_reserve(packet, (size_t)size);
	ssize_t n =
		fd_receive(CT_JOB_SERVER_FD, buffer, (size_t)size, fds, CT_JOB_MAX_FDS, ret_n_fds);
	if (n <= 0)
		return n < 0 ? (int)n : 1;
	strbuf_advance(packet, (size_t)n);
	return 0;
}

int helper_forkserver_run(void)
{
	bool is_closing = false;

	close(CT_JOB_PROGRAM_FD);
	/* Children are nobody's business: the kernel reaps them. */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0);
	if (chdir("/") < 0)
		return 1;

	for (;;) {
		struct pollfd wait = { .fd = CT_JOB_SERVER_FD, .events = POLLIN };
		int ready = poll(&wait, 1, CT_JOB_IDLE_S * 1000);
		if (ready < 0 && errno != EINTR)
			return 1;
		if (ready == 0) {
			/* From now on the daemon's sends fail; what is there already is done still.
			 */
			shutdown(CT_JOB_SERVER_FD, SHUT_RD);
			is_closing = true;
		}
		if (ready < 0 || (ready == 0 && !is_closing))
			continue;

		scoped(strbuf_done) struct strbuf packet = { 0 };
		int fds[CT_JOB_MAX_FDS];
		size_t n_fds = 0;

		int r = receive(&packet, fds, &n_fds);
		if (r == -EINTR)
			continue;
		if (r != 0)
			return r < 0;
		pid_t pid = fork();
		if (pid == 0)
			do_job(&packet, fds, n_fds);
		/* If it failed the daemon sees its job socket close. */
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
	}
}
