#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/task.h"
#include "lib/base/thread.h"

struct runs {
	struct mutex lock;
	struct cond changed;
	int n GUARDED;
};

static int run(void *arg)
{
	struct runs *r = arg;

	mutex_lock(&r->lock);
	r->n++;
	cond_broadcast(&r->changed);
	mutex_unlock(&r->lock);
	return -1; /* It failed: the interval doubles up to its limit. */
}

static void wait_for(struct runs *r, int n)
{
	mutex_lock(&r->lock);
	while (r->n < n)
		cond_wait(&r->changed, &r->lock);
	mutex_unlock(&r->lock);
}

static void tasks_run_again_and_on_demand(void **state)
{
	(void)state;
	scoped(loop_freep) struct loop *l = loop_new("loop");
	scoped(worker_freep) struct worker *w = worker_new("worker", 2, 10);
	struct runs often = { .lock = MUTEX_INIT, .changed = COND_INIT };
	struct runs asked = { .lock = MUTEX_INIT, .changed = COND_INIT };
	struct task_spec spec = {
		.name = "often",
		.interval_ms = 1,
		.jitter_ms = 2,
		.max_ms = 4,
		.run = run,
		.arg = &often,
	};
	struct task *a = task_new(l, w, &spec);
	struct task_spec demand = { .name = "asked", .run = run, .arg = &asked };
	struct task *b = task_new(l, w, &demand);

	wait_for(&often, 3);
	wait_for(&often, 6);
	task_run_now(b);
	wait_for(&asked, 1);
	/* One that is asked for while another runs is not lost; two would be one. */
	task_run_now(b);
	wait_for(&asked, 2);
	task_run_now(b);
	wait_for(&asked, 3);
	task_free(a);
	task_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_run_again_and_on_demand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
