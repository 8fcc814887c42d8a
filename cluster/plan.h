/*
 * Plans as they are stored and shown.
 *
 * planner_make() decides; this file turns the decision into rows, says which phase of a step may
 * follow which, and shows rows to clients. The table of phases is data: the coordinator obeys it,
 * and the model checker reads the same one.
 *
 *	planned -> reserved -> prepared -> copied -> paused -> committed -> running -> cleaned
 *	     \_________\___________\__________\_________\____ undone: the source goes on
 *
 * Before "committed" only the source may run the instance, after it only the target. A step that
 * stops in place goes from planned to paused to cleaned, one that starts in place from planned to
 * running to cleaned. What is not copied before it stops goes from planned to copied at once. An
 * undone step may be planned again. A committed one is undone only by a second conditional commit
 * back to the source ("returned"), when the target has said that it cannot start it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster/planner.h"
#include "db/plans.h"
#include "lib/base/error.h"

struct json_object;

enum plan_phase {
	PLAN_PHASE_PLANNED,
	PLAN_PHASE_RESERVED,
	PLAN_PHASE_PREPARED,
	PLAN_PHASE_COPIED,
	PLAN_PHASE_PAUSED,
	PLAN_PHASE_COMMITTED,
	PLAN_PHASE_RUNNING,
	PLAN_PHASE_CLEANED,
	PLAN_PHASE_UNDONE,   /* Failed; the instance is where it was. */
	PLAN_PHASE_SKIPPED,  /* Nothing to do, or nowhere to go. */
	PLAN_PHASE_RETURNED, /* The source has it again, but does not run it yet. */
	N_PLAN_PHASES
};

enum plan_state {
	PLAN_STATE_RUNNING,
	PLAN_STATE_PAUSED,
	PLAN_STATE_CANCELLING, /* Steps that are under way end or are undone; no new ones begin. */
	PLAN_STATE_UNDOING,    /* Steps that are done are moved back. */
	PLAN_STATE_DONE,
	PLAN_STATE_FAILED, /* Ended, with steps that are undone. */
	PLAN_STATE_CANCELLED,
	PLAN_STATE_UNDONE,
	N_PLAN_STATES
};

const char *plan_phase_name(int64_t phase);
const char *plan_state_name(int64_t state);

/* Whether a step may go from one phase to the other. */
bool plan_phase_may_become(enum plan_phase from, enum plan_phase to);

/* Whether a step in this phase has ended. */
bool plan_phase_is_final(int64_t phase);

/* Whether a step in this phase has begun and not ended. */
bool plan_phase_is_under_way(int64_t phase);

/* Whether the target owns the instance in this phase. */
bool plan_phase_is_committed(int64_t phase);

/* Whether the plan has not ended: it stands in the way of another for the same member. */
bool plan_state_is_open(int64_t state);

/*
 * The steps of 'plan' as rows for db_plan_create(): an array of plan->n_steps, to be released with
 * db_plan_step_done() each and free(). 'epochs' gives the epoch of each instance of the snapshot.
 */
struct db_plan_step *plan_rows(const struct placement_snapshot *snapshot,
                               const struct planner_plan *plan, const int64_t *epochs) MUST_CHECK;

/*
 * A plan with its steps as the API shows it. 'with_reasons' adds why and why not. The rows need not
 * be stored: a dry run shows them before that. Owned by the caller.
 */
struct json_object *plan_json(const struct db_plan *plan, const struct db_plan_step *steps,
                              size_t n_steps, bool with_reasons);

/* One step of it; owned by the caller. */
struct json_object *plan_step_json(const struct db_plan_step *step, bool with_reasons);

/* "2 of 6 moved, 1 failed": what operations show as "evacuation_progress". Owned by the caller. */
char *plan_progress_text(const struct db_plan_step *steps, size_t n_steps) MUST_CHECK;
