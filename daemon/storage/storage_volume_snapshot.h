/* Snapshots of custom volumes: create, change, rename, delete. They run where the volume is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/storage/storage_volume.h"
#include "lib/base/error.h"

struct db_storage_snapshot;
struct db_storage_snapshots;

/* The name that a snapshot gets when the client gives none: "snap0", or by "snapshots.pattern";
 * owned. */
int storage_volume_snapshot_name(struct state *state, const struct storage_volume_id *id,
                                 char **ret_name, struct error **err);

struct storage_volume_snapshot_new {
	const char *name;
	const char *description; /* NULL: the volume's. */
	int64_t expires;         /* A date (lib/base/date.h); DATE_NONE for never. */
	bool has_expiry;         /* Else "snapshots.expiry" counts. */
};

/* 400 for a bad name, 404, 409 'Snapshot "s" already in use'. */
int storage_volume_snapshot_check(struct state *state, const struct storage_volume_id *id,
                                  const char *name, struct error **err);

/*
 * 404 unless there is one of that name. A name in a URL may be anything: only one with a row may
 * become a path, and files without one were cut off.
 */
int storage_volume_snapshot_check_known(struct state *state, const struct storage_volume_id *id,
                                        const char *snapshot, struct error **err);
int storage_volume_snapshot_create(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id,
                                   const struct storage_volume_snapshot_new *snap,
                                   struct error **err);

/* NULL for what stays. */
struct storage_volume_snapshot_change {
	const char *description;
	const int64_t *expires;
	const struct request *req; /* Its If-Match is checked in the transaction; or NULL. */
};
int storage_volume_snapshot_update(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id, const char *snapshot,
                                   const struct storage_volume_snapshot_change *change,
                                   struct error **err);
int storage_volume_snapshot_rename(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id, const char *snapshot,
                                   const char *new_name, struct error **err);
int storage_volume_snapshot_delete(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id, const char *snapshot,
                                   struct error **err);

/* The snapshots of the volume on this member, oldest first; the caller frees them. */
int storage_volume_snapshot_rows(struct state *state, const struct storage_volume_id *id,
                                 struct db_storage_snapshots *ret_rows, struct error **err);

/* "volatile.uuid" of a snapshot, and the name of the one that has it: NULL if there is none. Owned
 * by the caller. */
int storage_volume_snapshot_uuid_of(struct state *state, const struct storage_volume_id *id,
                                    const char *snapshot, char **ret_uuid, struct error **err);
int storage_volume_snapshot_name_of(struct state *state, const struct storage_volume_id *id,
                                    const char *uuid, char **ret_name, struct error **err);

/* What its ETag is made of; owned by the caller. */
struct json_object *storage_volume_snapshot_etag(const struct db_storage_snapshot *row);
