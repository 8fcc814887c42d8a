/*
 * Carrying out a plan, on the member that leads.
 *
 * A coordinator owns a plan by its term, which it raised when it took over. It runs the steps in
 * their order, several at a time within the caps, and writes each phase down before it goes on, on
 * condition that the term is still its own. So a leader that was replaced without noticing cannot
 * do anything: its next write, and the members that it asks, refuse.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "db/plans.h"
#include "lib/base/error.h"

struct json_object;
struct operation;
struct state;

/*
 * Takes the plan over and carries it out, and what undoes it if that is asked for; returns when it
 * has ended. OPERATION_MOVED: it is open, and this member carries it out no longer. 'op' shows the
 * progress. The caller has claimed it.
 */
int member_plan_run(struct state *state, const char *uuid, struct operation *op,
                    struct error **err);

/* Who has claimed a plan is the one thread here that carries it out; false: there is one. */
bool member_plan_claim(struct state *state, const char *uuid);
void member_plan_unclaim(struct state *state, const char *uuid);

/* {"plan", "counts", "evacuation_progress"}: what its operation shows; owned by the caller. */
struct json_object *member_plan_metadata(const struct db_plan *plan,
                                         const struct db_plan_steps *steps) MUST_CHECK;

/* Whether it has not ended yet; 404. */
int member_plan_is_open(struct state *state, const char *uuid, bool *ret_is_open,
                        struct error **err);

/* Loads one with its steps. 404. Release both with their _done functions. */
int member_plan_load(struct state *state, const char *uuid, struct db_plan *ret_plan,
                     struct db_plan_steps *ret_steps, struct error **err);
