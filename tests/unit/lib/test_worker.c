#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/date.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"

struct gate {
	struct mutex lock;
	struct cond changed;
	bool is_open GUARDED;
	int n_inside GUARDED;
	int n_done GUARDED;
};

static void pass(void *arg)
{
	struct gate *g = arg;

	mutex_lock(&g->lock);
	g->n_inside++;
	cond_broadcast(&g->changed);
	while (!g->is_open)
		cond_wait(&g->changed, &g->lock);
	g->n_done++;
	mutex_unlock(&g->lock);
}

static void wait_inside(struct gate *g, int n)
{
	mutex_lock(&g->lock);
	while (g->n_inside < n)
		cond_wait(&g->changed, &g->lock);
	mutex_unlock(&g->lock);
}

static void open_gate(struct gate *g)
{
	mutex_lock(&g->lock);
	g->is_open = true;
	cond_broadcast(&g->changed);
	mutex_unlock(&g->lock);
}

static int n_done(struct gate *g)
{
	mutex_lock(&g->lock);
	int n = g->n_done;
	mutex_unlock(&g->lock);
	return n;
}

static void threads_and_queue_have_limits(void **state)
{
	(void)state;
	struct gate g = { .lock = MUTEX_INIT, .changed = COND_INIT };
	struct worker *w = worker_new("worker", 2, 3);
	size_t n_queued, n_running;

	assert_int_equal(worker_submit(w, pass, &g), 0);
	assert_int_equal(worker_submit(w, pass, &g), 0);
	wait_inside(&g, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(worker_submit(w, pass, &g), 0);
	assert_int_equal(worker_submit(w, pass, &g), -EAGAIN);
	worker_load(w, &n_queued, &n_running);
	assert_int_equal(n_queued, 3);
	assert_int_equal(n_running, 2);
	assert_false(worker_drain(w, date_deadline(1)));
	assert_int_equal(worker_submit(w, pass, &g), -ESHUTDOWN);
	open_gate(&g);
	assert_true(worker_drain(w, DEADLINE_NEVER));
	worker_free(w);
	assert_int_equal(n_done(&g), 5);
}

static void many_jobs_all_run(void **state)
{
	(void)state;
	struct gate g = { .lock = MUTEX_INIT, .changed = COND_INIT };
	struct worker *w = worker_new("worker", 4, 0);

	open_gate(&g);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(worker_submit(w, pass, &g), 0);
	worker_free(w);
	assert_int_equal(n_done(&g), 10000);
	worker_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_and_queue_have_limits),
		cmocka_unit_test(many_jobs_all_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
