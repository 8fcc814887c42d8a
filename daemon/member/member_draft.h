/*
 * A plan on its way into the database: what the planner decided, as rows that fit together.
 *
 * The same draft is shown by a dry run and written down by the real thing.
 */
#pragma once

#include <stddef.h>

#include "cluster/planner.h"
#include "db/plans.h"
#include "db/reservations.h"
#include "lib/base/error.h"

struct placement_view;

struct member_draft {
	struct db_plan plan;
	struct db_plan_step *steps;
	size_t n_steps;
	struct db_reservation *places; /* By step; borrowed texts of the step, but the group. */
	size_t n_unplaced;
};

/* 'member' is whom the plan is about, "" for none; 'options' is JSON. Gives it a fresh UUID. */
void member_draft_make(const struct placement_view *pv, const struct planner_plan *plan,
                       const char *member, const char *options, struct member_draft *ret_draft);
void member_draft_done(struct member_draft *draft);

/* How many of the steps copy something from one member to another. */
size_t member_draft_copies(const struct db_plan_step *steps, size_t n_steps);

/* The plan, its steps and the places that it books; drops old plans. Sets draft->plan.id. */
int member_draft_write(struct db_tx *tx, struct member_draft *draft, const char *requestor,
                       struct error **err);
