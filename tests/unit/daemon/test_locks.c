#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/locks.h"
#include "lib/base/cancel.h"
#include "lib/base/thread.h"

struct fixture {
	struct locks *locks;
	struct cancel *cancel;
	int n_inside;
	int n_done;
};

static void one_at_a_time(void **state)
{
	struct locks *locks = locks_new();
	scoped(error_freep) struct error *err = NULL;
	struct lock *held;

	(void)state;
	assert_int_equal(locks_take(locks, LOCK_INSTANCE, "p/c1", NULL, &held, &err), 0);
	assert_null(locks_try(locks, LOCK_INSTANCE, "p/c1"));

	struct lock *other = locks_try(locks, LOCK_INSTANCE, "p/c2");
	struct lock *kind = locks_try(locks, LOCK_VOLUME, "p/c1");

	assert_non_null(other);
	assert_non_null(kind);
	locks_release(held);
	locks_release(other);
	locks_release(kind);
	held = locks_try(locks, LOCK_INSTANCE, "p/c1");
	assert_non_null(held);
	locks_release(held);
	locks_free(locks);
}

static void sharers_share(void **state)
{
	struct locks *locks = locks_new();
	scoped(error_freep) struct error *err = NULL;
	struct lock *a, *b;

	(void)state;
	assert_int_equal(locks_take_shared(locks, LOCK_IMAGE, "f", NULL, &a, &err), 0);
	assert_int_equal(locks_take_shared(locks, LOCK_IMAGE, "f", NULL, &b, &err), 0);
	assert_null(locks_try(locks, LOCK_IMAGE, "f"));
	locks_release(a);
	assert_null(locks_try(locks, LOCK_IMAGE, "f"));
	locks_release(b);
	a = locks_try(locks, LOCK_IMAGE, "f");
	assert_non_null(a);
	locks_release(a);
	locks_free(locks);
}

static void *wait_in_vain(void *arg)
{
	struct fixture *f = arg;
	scoped(error_freep) struct error *err = NULL;
	struct lock *lock;

	assert_int_equal(locks_take(f->locks, LOCK_POOL, "x", f->cancel, &lock, &err), -ECANCELED);
	return NULL;
}

static void a_cancel_ends_the_wait(void **state)
{
	struct fixture f = { .locks = locks_new(), .cancel = cancel_new(NULL) };
	struct lock *held = locks_try(f.locks, LOCK_POOL, "x");
	pthread_t thread;

	(void)state;
	assert_int_equal(thread_start(&thread, "waiter", 0, wait_in_vain, &f), 0);
	cancel_fire(f.cancel);
	pthread_join(thread, NULL);
	locks_release(held);
	cancel_unref(f.cancel);
	locks_free(f.locks);
}

static void *enter(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < 500; i++) {
		scoped(error_freep) struct error *err = NULL;
		struct lock *lock;

		assert_int_equal(locks_take(f->locks, LOCK_VOLUME, "v", NULL, &lock, &err), 0);
		assert_int_equal(f->n_inside++, 0);
		f->n_done++;
		f->n_inside--;
		locks_release(lock);
	}

	return NULL;
}

static void threads_exclude_each_other(void **state)
{
	struct fixture f = { .locks = locks_new() };
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(thread_start(&threads[i], "locker", 0, enter, &f), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(f.n_done, 2000);
	locks_free(f.locks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(sharers_share),
		cmocka_unit_test(a_cancel_ends_the_wait),
		cmocka_unit_test(threads_exclude_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
