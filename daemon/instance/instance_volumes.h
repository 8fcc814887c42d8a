/*
 * The custom volumes of an instance that no other one uses, for snapshots that hold more than the
 * root disk ("all-exclusive").
 *
 * Which snapshot of which volume belongs to one of the instance is in the latter's config,
 * "volatile.attached_volumes": a JSON object of the volumes' UUIDs and those of their snapshots.
 * UUIDs, since both may be renamed. The caller holds the instance's lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;

/* Reads "disk_volumes_mode" and its like: true for "all-exclusive"; 400 for an unknown word. */
int instance_volumes_parse_mode(const char *mode, bool *ret_is_all, struct error **err);

/*
 * Makes a snapshot of each; 'ret_json', owned by the caller, is what goes into the config of the
 * instance's snapshot, or NULL without volumes. After a failure none is left.
 */
int instance_volumes_snapshot(const struct instance *inst, struct operation *op, int64_t expires,
                              char **ret_json, struct error **err);

/*
 * Whether all snapshots that belong to the instance's are there and may be restored: 404 for one
 * that is gone, 400 for a volume that others use as well or that the instance lost.
 */
int instance_volumes_check(const struct instance *inst, const struct db_instance_snapshot *snapshot,
                           struct error **err);

/* Makes the volumes what they were. The instance is stopped. */
int instance_volumes_restore(const struct instance *inst, struct operation *op,
                             const struct db_instance_snapshot *snapshot, struct error **err);

/* Removes the snapshots that belong to the instance's; what is gone already is no error. */
int instance_volumes_delete(const struct instance *inst, struct operation *op,
                            const struct db_instance_snapshot *snapshot, struct error **err);

/* The same by what instance_volumes_snapshot() returned: when the rest of it failed. */
void instance_volumes_undo(const struct instance *inst, const char *json);
