/* Snapshots of instances: rows of "instance_snapshots" with config and devices. */
#pragma once

#include "db/db.h"
#include "db/device_rows.h"

struct db_instance_snapshot {
	int64_t id;
	int64_t instance_id;
	char *project;  /* Of the instance; read only. */
	char *instance; /* Name of the instance; read only. */
	char *name;
	char *description;
	char *architecture;
	int64_t created;
	int64_t last_used;
	int64_t expires; /* DATE_NONE: never. */
	bool ephemeral;
	bool stateful;
	struct smap config;
	struct db_devices devices;
	char **profiles; /* As they were when it was taken; no references. */
};

struct db_instance_snapshots {
	struct db_instance_snapshot *rows;
	size_t n;
};

void db_instance_snapshot_done(struct db_instance_snapshot *row);
void db_instance_snapshot_list_done(struct db_instance_snapshots *rows);

/* Of one instance, or of all if 'instance_id' is 0; by instance and in order of their creation. */
int db_instance_snapshot_list(struct db_tx *tx, int64_t instance_id,
                              struct db_instance_snapshots *ret_rows, struct error **err)
	MUST_CHECK;
int db_instance_snapshot_get(struct db_tx *tx, int64_t instance_id, const char *name,
                             struct db_instance_snapshot *ret_row, struct error **err) MUST_CHECK;

/* Those on 'member' that have expired by 'now'. */
int db_instance_snapshot_list_expired(struct db_tx *tx, const char *member, int64_t now,
                                      struct db_instance_snapshots *ret_rows, struct error **err)
	MUST_CHECK;
int db_instance_snapshot_create(struct db_tx *tx, const struct db_instance_snapshot *row,
                                int64_t *ret_id, struct error **err) MUST_CHECK;

/* Sets description and expiry. */
int db_instance_snapshot_update(struct db_tx *tx, int64_t id, const char *description,
                                int64_t expires, struct error **err) MUST_CHECK;
int db_instance_snapshot_rename(struct db_tx *tx, int64_t id, const char *new_name,
                                struct error **err) MUST_CHECK;
int db_instance_snapshot_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;
