#include "lib/base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"

struct start {
	void *(*fn)(void *arg);
	void *arg;
	char name[16]; /* The kernel's limit. */
};

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	pthread_setname_np(pthread_self(), start.name);
	return start.fn(start.arg);
}

static int start_with(const pthread_attr_t *attr, pthread_t *ret, const char *name,
                      void *(*fn)(void *arg), void *arg)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t all, before;
	struct start *start = xmalloc(sizeof(*start));

	*start = (struct start){ .fn = fn, .arg = arg };
	str_copy(start->name, sizeof(start->name), name);

	/* The new thread inherits the mask; all signals but its own faults are for the main thread.
	 */
	sigfillset(&all);
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(ret, attr, run, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	if (r)
		free(start);
	return -r;
}

static int start_thread(pthread_t *ret, const char *name, size_t stack_size, int detach_state,
                        void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, detach_state);
	pthread_attr_setstacksize(&attr, stack_size ? stack_size : THREAD_STACK_SIZE);
	int r = start_with(&attr, ret, name, fn, arg);
	pthread_attr_destroy(&attr);
	return r;
}

int thread_start(pthread_t *ret, const char *name, size_t stack_size, void *(*fn)(void *arg),
                 void *arg)
{
	return start_thread(ret, name, stack_size, PTHREAD_CREATE_JOINABLE, fn, arg);
}

int thread_start_detached(const char *name, size_t stack_size, void *(*fn)(void *arg), void *arg)
{
	pthread_t id;

	return start_thread(&id, name, stack_size, PTHREAD_CREATE_DETACHED, fn, arg);
}

void thread_set_name(const char *name)
{
	char cut[16];

	str_copy(cut, sizeof(cut), name);
	pthread_setname_np(pthread_self(), cut);
}

bool thread_cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline)
{
	int left = date_left(deadline);

	if (left < 0) {
		cond_wait(c, m);
		return true;
	}
	if (left == 0)
		return false;

	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += left / 1000;
	at.tv_nsec += (long)(left % 1000) * 1000000;
	if (at.tv_nsec >= DATE_SECOND) {
		at.tv_nsec -= DATE_SECOND;
		at.tv_sec++;
	}
	return pthread_cond_clockwait(&c->c, &m->m, CLOCK_MONOTONIC, &at) != ETIMEDOUT;
}
