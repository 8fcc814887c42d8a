/*
 * Whether a plan is just moving an instance.
 *
 * From the last copy to the commit of a move nobody else may start, delete or rename it. That is
 * checked in the transaction that writes the change, so that the change or the move comes first,
 * but never both at once. What the caller has read of it, 'known', must still hold: the lock of an
 * instance is its member's alone, and does not keep a move from being committed meanwhile.
 */
#pragma once

#include "lib/base/error.h"

struct db_instance;
struct db_tx;
struct instance;

/* 409 "Instance is being moved to another member" while it is, or when it was since. */
int instance_moving_check(struct db_tx *tx, const struct db_instance *known, struct error **err);

/*
 * The same for whoever takes its row or its name away: also until the member that has it now has
 * started it, since the plan would look for it by its name.
 */
int instance_moving_check_name(struct db_tx *tx, const struct db_instance *known,
                               struct error **err);

/* For what a plan itself does: only whether it was moved since. */
int instance_moving_check_epoch(struct db_tx *tx, const struct db_instance *known,
                                struct error **err);

/*
 * instance_moving_check() by itself, for what changes the disk: asked before it does. A move that
 * begins later waits for the instance's lock, which the caller holds.
 */
int instance_moving_query(const struct instance *inst, struct error **err);
