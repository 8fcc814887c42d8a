/*
 * An instance in another pool or project of its member.
 *
 * The volume is copied with its snapshots, the rows change in one transaction, the old volume goes.
 * Cut off in between it leaves a copy that nobody uses, never an instance without its disk.
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
