/*
 * A bounded pool of threads with a queue.
 *
 * Threads are made when there is work that no idle one takes, up to the limit, and end after some
 * seconds without any, so that an idle daemon has none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct worker;

/* 'name' names the threads. At most 'max_queue' jobs wait (0: no limit). */
struct worker *worker_new(const char *name, size_t max_threads, size_t max_queue) MUST_CHECK;

/* Runs 'fn' on a thread of the pool. -EAGAIN if the queue is full, -ESHUTDOWN after draining. */
int worker_submit(struct worker *w, void (*fn)(void *arg), void *arg);

/*
 * Takes no more jobs and waits until all that were taken have run, or until 'deadline'
 * (date_deadline()); returns whether they have. Not from a thread of the pool.
 */
bool worker_drain(struct worker *w, int64_t deadline);

/* Jobs that wait, and jobs that run. */
void worker_load(struct worker *w, size_t *ret_n_queued, size_t *ret_n_running);

/* Drains without a deadline and frees it. */
void worker_free(struct worker *w);
DEFINE_SCOPED(struct worker *, worker_free);
