/*
 * Start, stop, restart, freeze: what PUT /1.0/instances/NAME/state asks for.
 *
 * All functions work on an instance of this member whose lock the caller holds. What is to run is
 * written down before it is started ("volatile.last_state.power"), so that a daemon that is killed
 * in between starts it when it comes back.
 */
#pragma once

#include <stdbool.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;

enum instance_action {
	INSTANCE_START,
	INSTANCE_STOP,
	INSTANCE_RESTART,
	INSTANCE_FREEZE,
	INSTANCE_UNFREEZE,
	N_INSTANCE_ACTIONS
};

/* "start"; and the operation's description: "Starting instance". */
const char *instance_power_name(enum instance_action action);
const char *instance_power_description(enum instance_action action);
int instance_power_parse(const char *name);

struct instance_power_request {
	enum instance_action action;
	int timeout_s; /* Of a stop: < 0 waits for ever. */
	bool is_forced;
};

/* Everything that is wrong with it now: 400 "The instance is already running" and the like. */
int instance_power_check(const struct instance *inst, enum instance_action action,
                         struct error **err);

/* Carries it out, with events. */
int instance_power_change(const struct instance *inst, struct operation *op,
                          const struct instance_power_request *request, struct error **err);

/* 409 while a plan is moving it. */
int instance_power_start(const struct instance *inst, struct operation *op, struct error **err);

/* The same for the plan itself. */
int instance_power_start_moved(const struct instance *inst, struct error **err);

/*
 * Stops it: an orderly shutdown that is given 'timeout_s', or at once when forced. Its power state
 * becomes STOPPED unless 'keeps_state': then it stays what it was, for who stops it only to start
 * it again elsewhere or later.
 */
int instance_power_stop(const struct instance *inst, struct operation *op, int timeout_s,
                        bool is_forced, bool keeps_state, struct error **err);

/* What is left to do after it ended by itself: unmount, power state, an ephemeral one is deleted.
 */
void instance_power_ended(const struct instance *inst);
