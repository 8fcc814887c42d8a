#include "client/interrupt.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t count;
static unsigned n_seen;
static bool active;
static sigset_t before;

static void on_signal(int signal)
{
	(void)signal;
	count++;
}

void interrupt_begin(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t ours;

	if (active)
		return;
	count = 0;
	n_seen = 0;
	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigprocmask(SIG_BLOCK, &ours, &before);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	active = true;
}

void interrupt_end(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	if (!active)
		return;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	active = false;
}

unsigned interrupt_count(void)
{
	return (unsigned)count;
}

int interrupt_poll(struct pollfd *fds, nfds_t n_fds, int timeout_ms)
{
	struct timespec limit = { .tv_sec = timeout_ms / 1000,
		                  .tv_nsec = (timeout_ms % 1000) * 1000000L };
	int r = ppoll(fds, n_fds, timeout_ms < 0 ? NULL : &limit, active ? &before : NULL);

	if (r < 0)
		r = -errno;
	if (r == -EINTR && active && n_seen < interrupt_count())
		n_seen++;
	return r;
}
