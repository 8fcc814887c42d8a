/* One step of a plan, from phase to phase, as its coordinator drives it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "db/plans.h"
#include "lib/base/error.h"

struct state;

/* In a step's detail: the member that was not there when its files were to be removed. */
#define MEMBER_STEP_LEFT "left"

struct member_step {
	struct state *state;
	const char *plan; /* UUID */
	int64_t plan_id;
	int64_t term;
	const char *kind;        /* Of the plan: "evacuate". */
	const char *member;      /* Which the plan is about. */
	int64_t bandwidth;       /* Bytes a second; 0: no limit. */
	int64_t downtime_ms;     /* That the last copy may take; 0: no limit. */
	struct db_plan_step row; /* Owned by the coordinator; kept as the database has it. */
	bool is_pause_unknown;   /* The source was lost while it stopped the instance. */
	int64_t n_passes;        /* Of a copy while it ran. */
	bool is_tidy;            /* After an undo: all members that it took were there. */

	/* Called after each phase, for those who watch. */
	void (*changed)(void *arg);

	/* Whether a step may be tried once more: the plan was not cancelled. NULL: it may. */
	bool (*may_try)(void *arg);
	void *arg;
};

/*
 * Drives it until it has ended. 0: it is final (cleaned, skipped, or undone with row.error set).
 * -EEXIST (409): another coordinator has the plan. Anything else: it could not go on nor back, and
 * is where it was, for another attempt.
 */
int member_step_run(struct member_step *step, struct error **err);
