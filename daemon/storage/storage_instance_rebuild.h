/*
 * A new root disk under the name of the old one, in steps that can be cut off.
 *
 * First the new disk is made under a name of its own, which only this instance can have. Then the
 * caller writes into the rows that the new disk counts. Then the old one goes aside and the new one
 * takes its name. Who finds the second step done takes the third, who does not takes back the
 * first.
 *
 * Locks: the caller holds the instance's. Rows are the caller's.
 */
#pragma once

#include "daemon/storage/storage_instance.h"

/* The new disk, complete but under another name; 'fingerprint' NULL makes an empty one. */
int storage_instance_rebuild_prepare(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *fingerprint,
                                     struct error **err);

/*
 * It replaces the old one, whose snapshots stay. Without a new disk there is nothing to do; after a
 * failure the old one is where it was.
 */
int storage_instance_rebuild_finish(struct state *state, const struct storage_instance *inst,
                                    struct error **err);

/* The new disk goes, if there is one. */
int storage_instance_rebuild_abort(struct state *state, const struct storage_instance *inst,
                                   struct error **err);
