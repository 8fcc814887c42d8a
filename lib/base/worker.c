#include "lib/base/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/list.h"
#include "lib/base/thread.h"

#define IDLE_MS 10000 /* A thread without work ends after this. */

struct job {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

struct worker {
	struct mutex lock;
	struct cond has_work;
	struct cond is_quiet; /* A job or a thread has ended. */
	char *name;
	size_t max_threads;
	size_t max_queue;
	struct list queue GUARDED;
	size_t n_queued GUARDED;
	size_t n_threads GUARDED;
	size_t n_idle GUARDED;
	size_t n_running GUARDED;
	bool is_closed GUARDED;

	/* Each thread joins the one that ended before it; the last one is joined by worker_free().
	 */
	pthread_t last_ended GUARDED;
	bool has_ended GUARDED;
};

struct worker *worker_new(const char *name, size_t max_threads, size_t max_queue)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	assert(max_threads > 0);
	mutex_init(&w->lock);
	cond_init(&w->has_work);
	cond_init(&w->is_quiet);
	w->name = xstrdup(name);
	w->max_threads = max_threads;
	w->max_queue = max_queue;
	mutex_lock(&w->lock);
	list_init(&w->queue);
	mutex_unlock(&w->lock);
	return w;
}

/* Waits for a job; NULL if none came for long or the pool is closed. */
static struct job *next_job(struct worker *w) REQUIRES(w->lock)
{
	int64_t deadline = date_deadline(IDLE_MS);

	w->n_idle++;
	while (list_is_empty(&w->queue) && !w->is_closed)
		if (!thread_cond_wait_until(&w->has_work, &w->lock, deadline))
			break;
	w->n_idle--;

	struct job *job = LIST_FIRST(&w->queue, struct job, link);
	if (job) {
		list_remove(&job->link);
		w->n_queued--;
	}
	return job;
}

static void *run_thread(void *arg)
{
	struct worker *w = arg;
	struct job *job;

	mutex_lock(&w->lock);
	while ((job = next_job(w))) {
		w->n_running++;
		mutex_unlock(&w->lock);

		job->fn(job->arg);
		free(job);

		mutex_lock(&w->lock);
		w->n_running--;
		cond_broadcast(&w->is_quiet);
	}
	bool has_previous = w->has_ended;
	pthread_t previous = w->last_ended;
	w->has_ended = true;
	w->last_ended = pthread_self();
	w->n_threads--;
	cond_broadcast(&w->is_quiet);
	mutex_unlock(&w->lock);

	if (has_previous)
		pthread_join(previous, NULL);
	return NULL;
}

/* Adds a job and, if nobody is free for it, a thread. */
static int submit_locked(struct worker *w, struct job *job) REQUIRES(w->lock)
{
	if (w->is_closed)
		return -ESHUTDOWN;
	if (w->max_queue && w->n_queued >= w->max_queue && w->n_queued >= w->n_idle)
		return -EAGAIN;

	if (w->n_idle <= w->n_queued && w->n_threads < w->max_threads) {
		pthread_t id;
		int r = thread_start(&id, w->name, 0, run_thread, w);

		/* With at least one thread the job only has to wait longer. */
		if (r < 0 && w->n_threads == 0)
			return r;
		if (r == 0)
			w->n_threads++;
	}

	list_add_last(&w->queue, &job->link);
	w->n_queued++;
	return 0;
}

int worker_submit(struct worker *w, void (*fn)(void *arg), void *arg)
{
	struct job *job = xmalloc(sizeof(*job));

	*job = (struct job){ .fn = fn, .arg = arg };
	mutex_lock(&w->lock);
	int r = submit_locked(w, job);
	mutex_unlock(&w->lock);

	/* Outside, or who wakes would wait for the lock first. */
	if (r == 0)
		cond_signal(&w->has_work);

	if (r < 0)
		free(job);
	return r;
}

bool worker_drain(struct worker *w, int64_t deadline)
{
	mutex_lock(&w->lock);
	w->is_closed = true;
	cond_broadcast(&w->has_work);
	while (w->n_threads && date_left(deadline) != 0)
		thread_cond_wait_until(&w->is_quiet, &w->lock, deadline);
	bool is_done = w->n_threads == 0;
	mutex_unlock(&w->lock);
	return is_done;
}

void worker_load(struct worker *w, size_t *ret_n_queued, size_t *ret_n_running)
{
	mutex_lock(&w->lock);
	*ret_n_queued = w->n_queued;
	*ret_n_running = w->n_running;
	mutex_unlock(&w->lock);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;

	worker_drain(w, DEADLINE_NEVER);

	mutex_lock(&w->lock);
	bool has_ended = w->has_ended;
	pthread_t last = w->last_ended;
	mutex_unlock(&w->lock);
	if (has_ended)
		pthread_join(last, NULL);

	mutex_done(&w->lock);
	cond_done(&w->has_work);
	cond_done(&w->is_quiet);
	free(w->name);
	free(w);
}
