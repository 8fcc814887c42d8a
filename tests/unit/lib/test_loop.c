#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/thread.h"

struct events {
	struct mutex lock;
	struct cond changed;
	struct loop *loop;
	int n GUARDED;
	unsigned last GUARDED;
	int fd;
	struct loop_watch *watch;
};

static void note(struct events *e, unsigned what)
{
	mutex_lock(&e->lock);
	e->n++;
	e->last = what;
	cond_broadcast(&e->changed);
	mutex_unlock(&e->lock);
}

static unsigned wait_for(struct events *e, int n)
{
	mutex_lock(&e->lock);
	while (e->n < n)
		cond_wait(&e->changed, &e->lock);
	unsigned last = e->last;
	mutex_unlock(&e->lock);
	return last;
}

static void on_call(void *arg)
{
	struct events *e = arg;

	note(e, loop_is_current(e->loop));
}

static void calls_run_on_the_loop_in_order(void **state)
{
	(void)state;
	scoped(loop_freep) struct loop *l = loop_new("loop");
	struct events e = { .lock = MUTEX_INIT, .changed = COND_INIT, .loop = l };

	assert_non_null(l);
	assert_false(loop_is_current(l));
	for (int i = 0; i < 100; i++)
		loop_call(l, on_call, &e);
	loop_call_wait(l, on_call, &e);
	assert_int_equal(wait_for(&e, 101), 1);
}

static void what_was_called_before_the_end_runs(void **state)
{
	(void)state;
	struct loop *l = loop_new("loop");
	struct events e = { .lock = MUTEX_INIT, .changed = COND_INIT, .loop = l };

	for (int i = 0; i < 100; i++)
		loop_call(l, on_call, &e);
	loop_free(l);
	assert_int_equal(wait_for(&e, 100), 1);
}

static void on_timer(void *arg)
{
	note(arg, 0);
}

static void timers_fire_once_or_again(void **state)
{
	(void)state;
	scoped(loop_freep) struct loop *l = loop_new("loop");
	struct events once = { .lock = MUTEX_INIT, .changed = COND_INIT };
	struct events often = { .lock = MUTEX_INIT, .changed = COND_INIT };
	struct loop_timer *a = loop_timer_new(l, 1, 0, on_timer, &once);
	struct loop_timer *b = loop_timer_new(l, 1, 1, on_timer, &often);
	struct loop_timer *never = loop_timer_new(l, 1000000, 0, on_timer, &once);

	wait_for(&once, 1);
	wait_for(&often, 3);
	loop_timer_set(a, 0, 0);
	wait_for(&once, 2);
	loop_timer_stop(b);
	loop_timer_free(b);
	loop_timer_free(a);
	loop_timer_free(never);
}

static void on_fd(unsigned events, void *arg)
{
	struct events *e = arg;
	char c;

	if (events & LOOP_READABLE && read(e->fd, &c, 1) < 0)
		return;
	note(e, events);
}

static void watches_tell_what_happens(void **state)
{
	(void)state;
	scoped(loop_freep) struct loop *l = loop_new("loop");
	struct events e = { .lock = MUTEX_INIT, .changed = COND_INIT };
	int ends[2];

	assert_int_equal(fd_socketpair(SOCK_STREAM, ends), 0);
	scoped_fd int ours = ends[0];
	e.fd = ours;
	assert_int_equal(fd_set_nonblock(ours, true), 0);
	struct loop_watch *w = loop_watch_new(l, ours, LOOP_READABLE, on_fd, &e);
	assert_int_equal(fd_write_full(ends[1], "x", 1), 0);
	assert_int_equal(wait_for(&e, 1), LOOP_READABLE);
	loop_watch_set(w, LOOP_GONE);
	close(ends[1]);
	/* Until the change has reached the loop, its end may be seen as something to read. */
	for (int n = 2; !(wait_for(&e, n) & LOOP_GONE); n++)
		;
	loop_watch_free_wait(w);
}

static void an_fd_that_cannot_be_watched_is_gone(void **state)
{
	(void)state;
	scoped(loop_freep) struct loop *l = loop_new("loop");
	struct events e = { .lock = MUTEX_INIT, .changed = COND_INIT };
	scoped_fd int file = fd_memfd("file");

	struct loop_watch *w = loop_watch_new(l, file, LOOP_WRITABLE, on_fd, &e);
	assert_true(wait_for(&e, 1) & LOOP_GONE);
	loop_watch_free_wait(w);
}

/* On the loop: the old fd's number is taken over by a new one while a close is still pending. */
static void reuse_fd(void *arg)
{
	struct events *e = arg;
	int ends[2];

	assert_int_equal(fd_socketpair(SOCK_STREAM, ends), 0);
	int number = ends[0];
	struct loop_watch *first = loop_watch_new(e->loop, ends[0], LOOP_READABLE, on_fd, e);
	loop_watch_free(first);
	close(ends[0]);
	close(ends[1]);

	assert_int_equal(fd_socketpair(SOCK_STREAM, ends), 0);
	assert_int_equal(ends[0], number);
	e->fd = ends[0];
	e->watch = loop_watch_new(e->loop, ends[0], LOOP_READABLE, on_fd, e);
	assert_int_equal(fd_write_full(ends[1], "x", 1), 0);
}

static void a_freed_watch_leaves_the_number_alone(void **state)
{
	(void)state;
	struct loop *l = loop_new("loop");
	struct events e = { .lock = MUTEX_INIT, .changed = COND_INIT, .loop = l };

	loop_call_wait(l, reuse_fd, &e);
	assert_int_equal(wait_for(&e, 1), LOOP_READABLE);
	loop_free(l); /* Ends the watch that is left. */
	close(e.fd);
	close(e.fd + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_run_on_the_loop_in_order),
		cmocka_unit_test(what_was_called_before_the_end_runs),
		cmocka_unit_test(timers_fire_once_or_again),
		cmocka_unit_test(watches_tell_what_happens),
		cmocka_unit_test(an_fd_that_cannot_be_watched_is_gone),
		cmocka_unit_test(a_freed_watch_leaves_the_number_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
