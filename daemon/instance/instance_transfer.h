/*
 * An instance in another pool or project of its member.
 *
 * The volume is copied with its snapshots, the rows change in one transaction, the old volume goes.
 * All the while a key of its config names the place that is not its own: what is there goes when
 * the daemon starts after this was cut off.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;

/* Everything that is wrong with it now; 'pool' and 'project' may be NULL: as it is. */
int instance_transfer_check(const struct instance *inst, const char *pool, const char *project,
                            struct error **err);

int instance_transfer(struct state *state, const char *project, const char *name, const char *pool,
                      const char *new_project, struct operation *op, struct error **err);

/* Removes, on this member, what the daemon's end has left of such moves. For its start. */
int instance_transfer_mend(struct state *state, struct error **err);
