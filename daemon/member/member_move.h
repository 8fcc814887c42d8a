/*
 * Moving one instance to another member: a plan of one step, like an evacuation's in all else.
 *
 * So a move survives what an evacuation survives, and there is no second way to move.
 */
#pragma once

#include "lib/base/error.h"

struct json_object;
struct operation;
struct request;
struct state;

struct member_move {
	const char *project;
	const char *instance;
	const char *target; /* A member or "@group"; NULL or "": whichever is best. */
};

/* As JSON for the leader, and back (400; strings are borrowed from 'body'). */
struct json_object *member_move_json(const struct member_move *move);
int member_move_parse(struct json_object *body, struct member_move *ret_move, struct error **err);

/* On the leader: writes the plan down and makes its operation, not started yet. */
int member_move_begin(struct request *req, const struct member_move *move,
                      struct operation **ret_op, struct error **err);
