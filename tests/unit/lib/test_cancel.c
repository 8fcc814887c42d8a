#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cancel.h"
#include "lib/base/thread.h"

static void count(void *arg)
{
	(*(int *)arg)++;
}

static void firing_calls_each_callback_once(void **state)
{
	(void)state;
	scoped(cancel_unrefp) struct cancel *c = cancel_new(NULL);
	int n = 0;

	cancel_on(c, count, &n);
	uint64_t id = cancel_on(c, count, &n);
	cancel_off(c, id);
	assert_int_equal(cancel_code(c), 0);
	cancel_fire(c);
	cancel_fire(c);
	assert_int_equal(n, 1);
	assert_int_equal(cancel_code(c), -ECANCELED);
	cancel_on(c, count, &n);
	assert_int_equal(n, 2);
}

static void children_are_cancelled_with_their_parent(void **state)
{
	(void)state;
	scoped(cancel_unrefp) struct cancel *parent = cancel_new(NULL);
	scoped(cancel_unrefp) struct cancel *child = cancel_new(parent);
	scoped(cancel_unrefp) struct cancel *other = cancel_new(parent);

	cancel_fire(other);
	assert_int_equal(cancel_code(parent), 0);
	cancel_fire(parent);
	assert_int_equal(cancel_code(child), -ECANCELED);

	scoped(cancel_unrefp) struct cancel *late = cancel_new(parent);
	assert_int_equal(cancel_code(late), -ECANCELED);
}

static void deadlines_pass(void **state)
{
	(void)state;
	scoped(cancel_unrefp) struct cancel *c = cancel_new(NULL);

	cancel_set_deadline(c, date_deadline(5));
	assert_int_equal(cancel_wait(c, DEADLINE_NEVER), -ETIMEDOUT);
	assert_int_equal(cancel_wait(NULL, date_deadline(1)), 0);
}

static void *fire(void *arg)
{
	cancel_fire(arg);
	return NULL;
}

static void waiters_wake(void **state)
{
	(void)state;
	scoped(cancel_unrefp) struct cancel *c = cancel_new(NULL);
	struct pollfd p = { .fd = cancel_fd(c), .events = POLLIN };
	pthread_t thread;

	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(thread_start(&thread, "fire", 0, fire, c), 0);
	assert_int_equal(cancel_wait(c, DEADLINE_NEVER), -ECANCELED);
	assert_int_equal(poll(&p, 1, 5000), 1);
	pthread_join(thread, NULL);
}

static void drop(void *arg)
{
	cancel_unref(arg);
}

static void a_callback_may_drop_the_last_reference(void **state)
{
	(void)state;
	scoped(cancel_unrefp) struct cancel *parent = cancel_new(NULL);
	struct cancel *child = cancel_new(parent);

	cancel_on(child, drop, child);
	cancel_fire(parent);
}

static void null_is_never_cancelled(void **state)
{
	(void)state;
	cancel_fire(NULL);
	assert_int_equal(cancel_code(NULL), 0);
	assert_int_equal(cancel_fd(NULL), -1);
	assert_int_equal(cancel_on(NULL, count, NULL), 0);
	cancel_off(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(firing_calls_each_callback_once),
		cmocka_unit_test(children_are_cancelled_with_their_parent),
		cmocka_unit_test(deadlines_pass),
		cmocka_unit_test(waiters_wake),
		cmocka_unit_test(a_callback_may_drop_the_last_reference),
		cmocka_unit_test(null_is_never_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
