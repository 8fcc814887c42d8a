/*
 * Snapshots of instances: the volume's, and with it config, devices and profiles as they were.
 *
 * All functions that change something take the instance's lock themselves unless told otherwise,
 * and run on the instance's member. Files are made before the row and removed before it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct db_tx;
struct operation;

/* The row of a snapshot, borrowed from the instance's view; NULL with LXD's 404 otherwise. */
const struct db_instance_snapshot *instance_snapshot_find(const struct instance *inst,
                                                          const char *snapshot, struct error **err);

/* Names of all, oldest first, borrowed as well; a vector for the caller to free. */
const char **instance_snapshot_names(const struct instance *inst) MUST_CHECK;

/* The row of one that came along with the disk of which 'inst' is a copy. */
int instance_snapshot_copy_row(struct db_tx *tx, const struct instance *inst,
                               const struct db_instance_snapshot *source, struct error **err);

/* 400 for a name that no snapshot may have. */
int instance_snapshot_check_name(const char *name, struct error **err);

/* The next name that "snapshots.pattern" gives; owned by the caller. */
int instance_snapshot_next_name(const struct instance *inst, char **ret_name, struct error **err);

/* When "snapshots.expiry" lets one of now expire; DATE_NONE for never. */
int64_t instance_snapshot_expiry(const struct instance *inst);

struct instance_snapshot_new {
	const char *name;
	int64_t expires;   /* DATE_NONE: never. */
	bool with_volumes; /* Those too that only this instance uses. */
};

/* Frozen meanwhile if it runs. 409 if there is one of that name. */
int instance_snapshot_create(struct state *state, const char *project, const char *name,
                             const struct instance_snapshot_new *new, struct operation *op,
                             struct error **err);

/* The same when the caller holds the lock. */
int instance_snapshot_create_locked(const struct instance *inst,
                                    const struct instance_snapshot_new *new, struct operation *op,
                                    struct error **err);

/*
 * Stops the instance if it runs, and starts it again afterwards. 'with_volumes' restores those as
 * well that were taken with it; what stands in the way of that is found before anything changes.
 */
int instance_snapshot_restore(struct state *state, const char *project, const char *name,
                              const char *snapshot, bool with_volumes, struct operation *op,
                              struct error **err);
int instance_snapshot_rename(struct state *state, const char *project, const char *name,
                             const char *snapshot, const char *new_name, struct operation *op,
                             struct error **err);
int instance_snapshot_delete(struct state *state, const char *project, const char *name,
                             const char *snapshot, bool with_volumes, struct operation *op,
                             struct error **err);
int instance_snapshot_delete_locked(const struct instance *inst, const char *snapshot,
                                    bool with_volumes, struct operation *op, struct error **err);

struct instance_snapshot_change {
	const char *snapshot;
	const char *description; /* NULL leaves it */
	int64_t expires;         /* as in instance_snapshot_new */
};

/* Sets description and expiry. */
int instance_snapshot_update(struct state *state, const char *project, const char *name,
                             const struct instance_snapshot_change *new, struct operation *op,
                             struct error **err);
