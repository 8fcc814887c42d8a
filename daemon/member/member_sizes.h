/*
 * How much a plan would copy: bytes of instances, asked of the members that have them.
 *
 * What a pool knows by itself costs nothing; elsewhere the files are looked at, within a budget of
 * time for the whole plan. What is not known by then counts as nothing: sizes are for estimates and
 * for those who watch, no choice depends on them.
 */
#pragma once

#include "db/plans.h"
#include "lib/base/error.h"

struct json_object;
struct map;
struct state;

/* What member_sizes_local() is asked, and answers: {"instances": [["project", "name"], ...],
 * "ms": 1000} and {"bytes": [12, -1, ...]}, -1 where it is not known. 400. */
int member_sizes_local(struct state *state, struct json_object *body,
                       struct json_object **ret_answer, struct error **err);

/*
 * The sizes of all instances that the steps would copy: "project/name" to a uint64_t. Owned by the
 * caller; only what is known. Never fails.
 */
struct map *member_sizes_ask(struct state *state, const struct db_plan_step *steps, size_t n_steps)
	MUST_CHECK;
