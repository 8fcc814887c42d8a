#include "drivers/instance/instance_process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"

struct instance_process {
	struct instance_process_setup s;
	struct loop_watch *watch; /* Of 'control', while somebody wants to know the end. */
	instance_process_exit_fn *on_exit;
	void *arg;
};

struct instance_process *instance_process_new(const struct instance_process_setup *setup)
{
	struct instance_process *p = xcalloc(1, sizeof(*p));

	p->s = *setup;
	for (size_t i = 0; i < COUNT_OF(p->s.fds); i++) {
		if (p->s.fds[i] >= 0)
			fd_set_nonblock(p->s.fds[i], true);
	}
	fd_set_nonblock(p->s.control, true);
	return p;
}

int instance_process_fd(const struct instance_process *process, int index)
{
	return process->s.fds[index] >= 0 ? process->s.fds[index] : -EBADF;
}

int instance_process_take_fd(struct instance_process *process, int index)
{
	int fd = process->s.fds[index];

	process->s.fds[index] = -1;
	return fd >= 0 ? fd : -EBADF;
}

bool instance_process_is_interactive(const struct instance_process *process)
{
	return process->s.is_interactive;
}

int instance_process_signal(struct instance_process *process, int signal)
{
	if (process->s.pidfd < 0)
		return -EOPNOTSUPP;
	return fd_kill(process->s.pidfd, signal);
}

int instance_process_resize(struct instance_process *process, uint16_t width, uint16_t height)
{
	const struct winsize size = { .ws_col = width, .ws_row = height };

	if (!process->s.is_interactive)
		return -ENOTTY;
	if (process->s.fds[INSTANCE_PROCESS_TERMINAL] < 0)
		return -EBADF;
	return ioctl(process->s.fds[INSTANCE_PROCESS_TERMINAL], TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* The status that 'control' says; -EAGAIN if it says nothing yet. */
static int read_status(struct instance_process *p)
{
	uint8_t packet[16];

	ssize_t n = recv(p->s.control, packet, sizeof(packet), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	struct bytes b = { .data = packet, .size = n > 0 ? (size_t)n : 0 };
	if (n <= 0 || (int32_t)bytes_le32(&b) != 0)
		return p->s.end_status;
	int status = (int)bytes_le32(&b);
	return b.is_bad ? -1 : status;
}

static void control_ready(unsigned events, void *arg)
{
	struct instance_process *p = arg;

	(void)events;
	int status = read_status(p);
	if (status == -EAGAIN)
		return;
	loop_watch_free(p->watch);
	p->watch = NULL;
	p->on_exit(p->arg, status);
}

/* Watches are touched on the loop thread only, so that their callback cannot come in between. */
static void start_watch(void *arg)
{
	struct instance_process *p = arg;

	p->watch = loop_watch_new(p->s.loop, p->s.control, LOOP_READABLE, control_ready, p);
}

static void stop_watch(void *arg)
{
	struct instance_process *p = arg;

	if (p->watch)
		loop_watch_free(p->watch);
	p->watch = NULL;
}

void instance_process_on_exit(struct instance_process *process, instance_process_exit_fn *fn,
                              void *arg)
{
	assert(!process->on_exit);
	process->on_exit = fn;
	process->arg = arg;
	loop_call(process->s.loop, start_watch, process);
}

int instance_process_wait(struct instance_process *process, int timeout_ms)
{
	int64_t deadline = date_deadline(timeout_ms);

	for (;;) {
		int r = fd_wait(process->s.control, POLLIN, deadline);
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
		r = read_status(process);
		if (r != -EAGAIN)
			return r;
	}
}

pid_t instance_process_pid(const struct instance_process *process)
{
	return process->s.pid;
}

void instance_process_free(struct instance_process *process)
{
	if (!process)
		return;
	if (process->on_exit)
		loop_call_wait(process->s.loop, stop_watch, process);
	/* Others may hold duplicates. */
	shutdown(process->s.control, SHUT_RDWR);
	const int fds[] = { process->s.control, process->s.pidfd,  process->s.held_fd,
		            process->s.fds[0],  process->s.fds[1], process->s.fds[2] };
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(process);
}
