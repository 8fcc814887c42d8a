/* Volumes of pools: rows of "storage_volumes" with their config, and their snapshots. */
#pragma once

#include "db/db.h"

/* What a volume is for; also the API's names: "container", "virtual-machine", "image", "custom". */
enum db_storage_volume_type {
	DB_VOLUME_CONTAINER,
	DB_VOLUME_VM,
	DB_VOLUME_IMAGE,
	DB_VOLUME_CUSTOM
};

enum db_storage_volume_content { DB_CONTENT_FILESYSTEM, DB_CONTENT_BLOCK, DB_CONTENT_ISO };

struct db_storage_volume {
	int64_t id;
	char *pool;
	char *project;
	char *member; /* "" for a volume that all members share. */
	char *name;   /* The instance's name, or an image's fingerprint. */
	char *description;
	int64_t type;    /* enum db_storage_volume_type */
	int64_t content; /* enum db_storage_volume_content */
	int64_t created;
	struct smap config;
};

struct db_storage_volumes {
	struct db_storage_volume *rows;
	size_t n;
};

/* Which volumes; a member that is NULL or negative does not limit. */
struct db_storage_volume_filter {
	const char *pool;
	const char *project;
	const char *member; /* Those of the member and those that are shared. */
	const char *name;
	int type; /* enum db_storage_volume_type, or -1 */
};

#define DB_STORAGE_VOLUME_ALL \
	{                     \
		.type = -1    \
	}

void db_storage_volume_done(struct db_storage_volume *row);
void db_storage_volume_list_done(struct db_storage_volumes *rows);

/* Sorted by pool, project, type, name and member. */
int db_storage_volume_list(struct db_tx *tx, const struct db_storage_volume_filter *filter,
                           struct db_storage_volumes *ret_rows, struct error **err) MUST_CHECK;

/*
 * The volume that 'which' names by pool, project, type and name, as its member sees it: the
 * member's own, else a shared one. Without a member, the only one of that name on any member: 400
 * if there are several.
 */
int db_storage_volume_get(struct db_tx *tx, const struct db_storage_volume_filter *which,
                          struct db_storage_volume *ret_row, struct error **err) MUST_CHECK;
int db_storage_volume_create(struct db_tx *tx, const struct db_storage_volume *row, int64_t *ret_id,
                             struct error **err) MUST_CHECK;

/* Sets description and config of row->id. */
int db_storage_volume_update(struct db_tx *tx, const struct db_storage_volume *row,
                             struct error **err) MUST_CHECK;
int db_storage_volume_rename(struct db_tx *tx, int64_t id, const char *new_name, struct error **err)
	MUST_CHECK;

/* To another pool, project or member; NULL leaves it. */
int db_storage_volume_move(struct db_tx *tx, int64_t id, const char *pool, const char *project,
                           const char *member, struct error **err) MUST_CHECK;
int db_storage_volume_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;

struct db_storage_snapshot {
	int64_t id;
	int64_t volume_id;
	char *name;
	char *description;
	int64_t created;
	int64_t expires; /* DATE_NONE: never. */
	struct smap config;
};

struct db_storage_snapshots {
	struct db_storage_snapshot *rows;
	size_t n;
};

void db_storage_volume_snapshot_done(struct db_storage_snapshot *row);
void db_storage_volume_snapshot_list_done(struct db_storage_snapshots *rows);

/* Of one volume, or of all if 'volume_id' is 0; by volume and in order of their creation. */
int db_storage_volume_snapshot_list(struct db_tx *tx, int64_t volume_id,
                                    struct db_storage_snapshots *ret_rows, struct error **err)
	MUST_CHECK;

/* Those of custom volumes that have expired by 'now', without their config. */
int db_storage_volume_snapshot_list_expired(struct db_tx *tx, int64_t now,
                                            struct db_storage_snapshots *ret_rows,
                                            struct error **err) MUST_CHECK;
int db_storage_volume_snapshot_get(struct db_tx *tx, int64_t volume_id, const char *name,
                                   struct db_storage_snapshot *ret_row, struct error **err)
	MUST_CHECK;
int db_storage_volume_snapshot_create(struct db_tx *tx, const struct db_storage_snapshot *row,
                                      int64_t *ret_id, struct error **err) MUST_CHECK;
int db_storage_volume_snapshot_update(struct db_tx *tx, int64_t id, const char *description,
                                      int64_t expires, struct error **err) MUST_CHECK;
int db_storage_volume_snapshot_rename(struct db_tx *tx, int64_t id, const char *new_name,
                                      struct error **err) MUST_CHECK;
int db_storage_volume_snapshot_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;
