/*
 * A run ends by queueing the next start on the loop and only then counts as ended. So once a task
 * that is being freed runs no more, what it queued is ahead of what task_free() queues.
 */
#include "lib/base/task.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/random.h"
#include "lib/base/thread.h"

#define RETRY_MS 1000 /* When the worker's queue is full. */

struct task {
	struct mutex lock;
	struct cond has_ended;
	struct loop *loop;
	struct worker *worker;
	struct task_spec spec;
	struct loop_timer *timer;
	uint64_t interval_ms GUARDED;
	unsigned n_failures GUARDED;
	bool is_running GUARDED;
	bool is_wanted GUARDED; /* To run again, at once. */
	bool is_freed GUARDED;
};

static uint64_t next_delay(struct task *t) REQUIRES(t->lock)
{
	uint64_t delay = t->interval_ms;

	for (unsigned i = 0; i < t->n_failures && delay < t->spec.max_ms; i++)
		delay = MIN_OF(delay * 2, t->spec.max_ms);

	return t->spec.jitter_ms ? delay + random_below(t->spec.jitter_ms) : delay;
}

static void schedule(void *arg)
{
	struct task *t = arg;

	mutex_lock(&t->lock);
	bool is_freed = t->is_freed, is_wanted = t->is_wanted;
	uint64_t delay = next_delay(t), interval = t->interval_ms;
	t->is_wanted = false;
	mutex_unlock(&t->lock);

	if (is_freed)
		return;
	if (is_wanted)
		loop_timer_set(t->timer, 0, 0);
	else if (interval)
		loop_timer_set(t->timer, delay, 0);
}

static void run(void *arg)
{
	struct task *t = arg;
	int r = t->spec.run(t->spec.arg);

	mutex_lock(&t->lock);
	t->n_failures = r < 0 ? t->n_failures + 1 : 0;
	mutex_unlock(&t->lock);

	loop_call(t->loop, schedule, t);

	mutex_lock(&t->lock);
	t->is_running = false;
	cond_broadcast(&t->has_ended);
	mutex_unlock(&t->lock);
}

static void start_run(void *arg)
{
	struct task *t = arg;

	mutex_lock(&t->lock);
	bool is_free_to_run = !t->is_freed && !t->is_running;
	if (is_free_to_run)
		t->is_running = true;
	else
		t->is_wanted = true;
	mutex_unlock(&t->lock);
	if (!is_free_to_run || worker_submit(t->worker, run, t) == 0)
		return;

	mutex_lock(&t->lock);
	t->is_running = false;
	cond_broadcast(&t->has_ended);
	mutex_unlock(&t->lock);
	loop_timer_set(t->timer, RETRY_MS, 0);
}

static void start_timer(void *arg)
{
	struct task *t = arg;
	bool is_on_demand = !t->spec.interval_ms && !t->spec.first_ms;

	t->timer = loop_timer_new(t->loop, t->spec.first_ms, 0, start_run, t);
	if (is_on_demand)
		loop_timer_stop(t->timer);
	else if (!t->spec.first_ms)
		schedule(t);
}

struct task *task_new(struct loop *loop, struct worker *worker, const struct task_spec *spec)
{
	struct task *t = xcalloc(1, sizeof(*t));

	mutex_init(&t->lock);
	cond_init(&t->has_ended);
	t->loop = loop;
	t->worker = worker;
	t->spec = *spec;
	mutex_lock(&t->lock);
	t->interval_ms = spec->interval_ms;
	mutex_unlock(&t->lock);

	loop_call_wait(loop, start_timer, t);
	return t;
}

void task_run_now(struct task *t)
{
	loop_call(t->loop, start_run, t);
}

void task_set_interval(struct task *t, uint64_t interval_ms)
{
	mutex_lock(&t->lock);
	t->interval_ms = interval_ms;
	mutex_unlock(&t->lock);
}

static void stop_timer(void *arg)
{
	struct task *t = arg;

	loop_timer_free(t->timer);
	t->timer = NULL;
}

void task_free(struct task *t)
{
	if (!t)
		return;

	mutex_lock(&t->lock);
	t->is_freed = true;
	while (t->is_running)
		cond_wait(&t->has_ended, &t->lock);
	mutex_unlock(&t->lock);

	loop_call_wait(t->loop, stop_timer, t);
	mutex_done(&t->lock);
	cond_done(&t->has_ended);
	free(t);
}
