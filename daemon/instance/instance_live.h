/*
 * What a running instance runs with, and bringing that in line with its rows.
 *
 * Config and devices of an instance change by its own rows and by those of its profiles, on
 * whatever member. What it was started with is therefore remembered here, on the member where it
 * runs, and compared with the rows when they have changed: limits are set anew, devices are
 * hot-plugged. The caller holds the instance's lock.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct map;

/* For the service: an empty memory. */
struct map *instance_live_map(void) MUST_CHECK;

/* It has just been started, or found, with what its rows say. */
void instance_live_remember(const struct instance *inst);
void instance_live_forget(const struct instance *inst);

/* 400 when 'next', expanded, has what a running instance cannot get without a restart. */
int instance_live_check(const struct instance *inst, const struct db_expanded *next,
                        struct error **err);

/*
 * Makes the running instance what its rows say; nothing for one that does not run. What fails
 * half-way stays half-way, remembered as it is.
 */
int instance_live_apply(const struct instance *inst, struct error **err);

/* state->profile_changed: the same for all instances of this member with that profile. */
void instance_live_profile_changed(struct state *state, const char *project, const char *name);
