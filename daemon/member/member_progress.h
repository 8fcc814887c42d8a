/*
 * How far copies are while they run.
 *
 * A member that receives counts in memory. Whoever coordinates the plan asks the targets of copies
 * under way twice a second, each once for all of them, on a thread of its own, so that a target
 * that does not answer holds up nobody. Nothing is written anywhere.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/plans.h"
#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct json_object;
struct member_phase;
struct member_progress;
struct member_receipt;
struct state;

/* The target's end: one pass that is being received. */
struct member_receipt *member_progress_receive(struct state *state,
                                               const struct member_phase *phase) MUST_CHECK;
_Atomic uint64_t *member_progress_bytes(struct member_receipt *receipt);
void member_progress_received(struct member_receipt *receipt);
DEFINE_SCOPED(struct member_receipt *, member_progress_received);

/* What of a plan is being received here: {"ORDINAL": {"pass", "bytes"}}; owned by the caller. */
struct json_object *member_progress_local(struct state *state, const char *plan) MUST_CHECK;

/* The coordinator's end, for one plan. 'changed' is called, on any thread, when there is news. */
struct member_progress *member_progress_new(struct state *state, const char *plan,
                                            const struct db_plan_steps *steps,
                                            void (*changed)(void *arg), void *arg) MUST_CHECK;
void member_progress_free(struct member_progress *progress); /* Waits for a question under way. */

/* A step is copying, and has done so many passes; or it is not. What was heard of it is forgotten.
 */
void member_progress_set(struct member_progress *progress, size_t index, bool is_copying,
                         int64_t n_passes);

/* Asks if it is time to. Does not block. */
void member_progress_ask(struct member_progress *progress);

/* What the pass under way has carried, and how fast; false when nothing was heard of it. */
bool member_progress_read(struct member_progress *progress, size_t index, int64_t *ret_bytes,
                          int64_t *ret_rate);
