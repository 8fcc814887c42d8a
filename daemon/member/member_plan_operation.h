/*
 * The operation that carries a plan out and shows it.
 *
 * It has the UUID of the plan, which is of no member (operation_make_shared_id()): a leader that
 * takes over goes on under the same one.
 */
#pragma once

#include "db/plans.h"
#include "lib/base/error.h"

struct json_object;
struct operation;
struct state;

/* Makes it, in the name of who asked for the plan. -EALREADY (409): a thread of ours runs it. */
int member_plan_operation(struct state *state, const struct db_plan *plan,
                          struct operation **ret_op, struct error **err);

/* Takes over all open plans that nobody here coordinates yet; on the leader only. */
int member_plan_operation_adopt(struct state *state, struct error **err);

/* As any member sees it, from the rows of the plan; owned by the caller. 404. */
int member_plan_operation_json(struct state *state, const char *uuid, struct json_object **ret_json,
                               struct error **err);
