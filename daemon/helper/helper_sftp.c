/*
 * SFTP on the files of a container, for as long as the stream that it was given is open.
 *
 * As helper_files: this process is the container's root, in its mount namespace, and has nothing of
 * the host but that stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/helper/helper_job.h"
#include "daemon/helper/helper_root.h"
#include "daemon/helper/sftp.h"
#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"

/* Descriptor of the container's init, or -1 if it does not run. */
static int open_init(struct bytes payload)
{
	if (bytes_u8(&payload) != CT_JOB_ROOT_RUNNING)
		return -1;
	return fd_of_pid((pid_t)bytes_le32(&payload));
}

/* Waits for a packet. False when the container has stopped: we would keep its files mounted. */
static bool wait_for_packet(int stream, int init)
{
	struct pollfd fds[] = { { .fd = stream, .events = POLLIN },
		                { .fd = init, .events = POLLIN } };

	while (poll(fds, COUNT_OF(fds), -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return fds[1].revents == 0;
}

/* One packet and its answer; 1 at the end of the stream. */
static int serve_one(struct sftp *sftp, int stream, uint8_t *packet)
{
	scoped(strbuf_done) struct strbuf reply = { 0 };
	uint8_t head[4];

	ssize_t n = fd_read_full(stream, head, sizeof(head));
	if (n != sizeof(head))
		return n < 0 ? (int)n : 1;
	struct bytes b = { .data = head, .size = sizeof(head) };
	uint32_t size = bytes_be32(&b);
	if (size == 0 || size > SFTP_MAX_PACKET)
		return -EPROTO;
	n = fd_read_full(stream, packet, size);
	if (n != (ssize_t)size)
		return n < 0 ? (int)n : 1;

	int r = sftp_handle(sftp, packet, size, &reply);
	return r < 0 ? r : fd_write_full(stream, reply.text, reply.size);
}

int helper_sftp_run(struct helper_job *job)
{
	if (job->n_fds < 1)
		return helper_job_fail(job, -EINVAL, 500, "Bad request") < 0;

	scoped_fd int stream = job->fds[0];
	scoped_fd int init = open_init(job->payload);
	int userns = job->n_fds > 1 ? job->fds[1] : -1;
	int r = helper_root_enter_job(job, userns);
	if (r < 0)
		return helper_job_fail(job, r, 0, "Failed entering the instance's root") < 0;
	if (userns >= 0)
		close(userns);
	scoped_fd int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return helper_job_fail(job, -errno, 0, "Failed opening the instance's root") < 0;
	if (helper_job_ok(job, NULL, NULL, 0) < 0)
		return 1;
	close(job->socket);

	struct sftp *sftp = sftp_new(root);
	scoped_free uint8_t *packet = xmalloc(SFTP_MAX_PACKET);
	while (r == 0 && wait_for_packet(stream, init))
		r = serve_one(sftp, stream, packet);
	sftp_free(sftp);
	return r < 0;
}
