/*
 * Evacuating and restoring a member: from the request to a plan, and the plan without the deed.
 *
 * Everything that is wrong is found before anything changes. Making the plan, writing it down and
 * marking the member evacuated are one transaction, on what the planner saw in it.
 */
#pragma once

#include <stdbool.h>

#include "daemon/member/member_options.h"
#include "lib/base/error.h"

struct json_object;
struct operation;
struct request;
struct state;

/* What becomes of an instance that fits nowhere. */
enum member_no_target {
	MEMBER_NO_TARGET_STAY, /* It runs on. */
	MEMBER_NO_TARGET_STOP,
	MEMBER_NO_TARGET_FAIL, /* Nothing is begun: 409. */
	N_MEMBER_NO_TARGETS
};

struct member_evacuate {
	const char *member;
	bool is_restore;
	bool is_dry;
	bool is_forced;
	bool is_skipped; /* Restore: the state alone. */
	int mode;        /* enum planner_mode, or -1. */
	enum member_no_target no_target;
	struct member_options options;
};

/* Reads POST /1.0/cluster/members/NAME/state; 'member' is borrowed. */
int member_evacuate_parse(struct json_object *body, const char *member,
                          struct member_evacuate *ret_evacuate, struct error **err);

/* Everything that is wrong with it and needs no plan to be seen. */
int member_evacuate_check(struct request *req, const struct member_evacuate *evacuate,
                          struct error **err);

/* The plan as it would be, owned by the caller; touches nothing. */
int member_evacuate_dry_run(struct state *state, const struct member_evacuate *evacuate,
                            struct json_object **ret_plan, struct error **err);

/*
 * On the leader: writes the plan down (or finds the open one of this member and goes on with it)
 * and makes its operation. That one is started already when the plan was being carried out.
 */
int member_evacuate_begin(struct request *req, const struct member_evacuate *evacuate,
                          struct operation **ret_op, struct error **err);
