/*
 * Deleting an instance: volumes, rows, folders, the link to it.
 *
 * From before the first file goes until the rows are gone there is a file that says so, in
 * $MUSTER_DIR/deleting: what was cut off in between is ended at the next start.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;

/* 400 "Instance is running", 400 when it is protected. */
int instance_delete_check(const struct instance *inst, struct error **err);

/* Deletes it; the caller holds its lock and it is stopped. Files go first, the row last. */
int instance_delete_locked(const struct instance *inst, struct operation *op, struct error **err);

/* The same with the lock taken here, stopping it first when 'is_forced'. */
int instance_delete(struct state *state, const char *project, const char *name, bool is_forced,
                    struct operation *op, struct error **err);

/* Ends, on this member, the deletions that the daemon's end has cut off. For its start. */
int instance_delete_mend(struct state *state, struct error **err);
