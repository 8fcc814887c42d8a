/* Periodic jobs: each runs on a worker thread, never twice at a time. */
#pragma once

#include <stdint.h>

#include "lib/base/loop.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/base/worker.h"

struct task;

struct task_spec {
	const char *name;     /* Static. */
	uint64_t interval_ms; /* From the end of one run to the start of the next; 0: on demand
	                         only. */
	uint64_t jitter_ms;   /* Up to that much is added, at random. */
	uint64_t first_ms;    /* Delay of the first run; 0: as any other. */
	uint64_t max_ms; /* Longest interval after failures, doubled each time; 0: no back-off. */
	int (*run)(void *arg); /* Negative: it failed. */
	void *arg;
};

struct task *task_new(struct loop *loop, struct worker *worker, const struct task_spec *spec)
	MUST_CHECK;

/* Runs it as soon as possible; once more if it is running just now. */
void task_run_now(struct task *t);

/* Another interval from the next run on. */
void task_set_interval(struct task *t, uint64_t interval_ms);

/* Waits for a run that is under way. Not from the run itself, nor from the loop thread. */
void task_free(struct task *t);
DEFINE_SCOPED(struct task *, task_free);
