/*
 * Instances: rows of "instances" with config, devices and profiles.
 *
 * Whether an instance runs is not stored; whether it ran last is config
 * ("volatile.last_state.power"). Each has an epoch: the number of times that it changed its member.
 * Whoever moves it names the epoch that it knows, and only one of two can succeed
 * (db_instance_commit_move).
 */
#pragma once

#include "db/db.h"
#include "db/device_rows.h"
#include "lib/base/array.h"

enum db_instance_type { DB_INSTANCE_CONTAINER, DB_INSTANCE_VM };

struct db_instance {
	int64_t id;
	char *project;
	char *name;
	char *member; /* Where it lives. */
	char *architecture;
	char *description;
	int64_t type; /* enum db_instance_type */
	int64_t epoch;
	int64_t created;
	int64_t last_used; /* DATE_NONE: never. */
	bool ephemeral;
	bool stateful;
	struct smap config;        /* Its own, without profiles. */
	struct db_devices devices; /* Its own, without profiles. */
	char **profiles;           /* Names in the order of their application. */
	int64_t *profile_ids;      /* As many; read only. */
};

struct db_instances {
	struct db_instance *rows;
	size_t n;
};

/* Which instances; a member that is NULL or 0 does not limit. */
struct db_instance_filter {
	const char *project;
	const char *member;
	const char *name;
	int64_t id;
};

void db_instance_done(struct db_instance *row);
void db_instance_list_done(struct db_instances *rows);

/* Sorted by project and name. 'filter' may be NULL for all. */
int db_instance_list(struct db_tx *tx, const struct db_instance_filter *filter,
                     struct db_instances *ret_rows, struct error **err) MUST_CHECK;

/* Those that changed after a revision of the family, by id; for the cache. */
int db_instance_list_changed(struct db_tx *tx, int64_t revision, struct db_instances *ret_rows,
                             struct error **err) MUST_CHECK;

/* Announces db_instance_list_ids() and then db_instance_list_changed(). */
void db_instance_list_changed_ahead(struct db_tx *tx, int64_t revision);

struct db_instance_ids {
	int64_t *items;
	size_t n_items;
	size_t capacity;
};

/* The ids of those that changed or went after a revision, rising; ARRAY_DONE() frees them. */
int db_instance_list_ids(struct db_tx *tx, int64_t revision, struct db_instance_ids *ret_ids,
                         struct error **err) MUST_CHECK;

/* Fails with a 404 if 'project' has no instance 'name'. */
int db_instance_get(struct db_tx *tx, const char *project, const char *name,
                    struct db_instance *ret_row, struct error **err) MUST_CHECK;
int db_instance_get_by_id(struct db_tx *tx, int64_t id, struct db_instance *ret_row,
                          struct error **err) MUST_CHECK;

/*
 * Adds an instance with all that 'row' holds (id ignored). The profiles are those of
 * 'profile_project' (the project, or "default" where it has none of its own). 404 if project,
 * member or a profile does not exist, 409 if the name is taken.
 */
int db_instance_create(struct db_tx *tx, const struct db_instance *row, const char *profile_project,
                       int64_t *ret_id, struct error **err) MUST_CHECK;

/*
 * Sets architecture, description, ephemeral, stateful, config, devices and profiles of row->id.
 * Only what differs is written.
 */
int db_instance_update(struct db_tx *tx, const struct db_instance *row, const char *profile_project,
                       struct error **err) MUST_CHECK;

/* The same for who has read in this transaction what the instance is 'now'. */
int db_instance_update_from(struct db_tx *tx, const struct db_instance *now,
                            const struct db_instance *row, const char *profile_project,
                            struct error **err) MUST_CHECK;

/*
 * Sets the keys in 'changes' only; an empty value removes a key. For volatile keys and the like:
 * does not touch what others change at the same time.
 */
int db_instance_patch_config(struct db_tx *tx, int64_t id, const struct smap *changes,
                             struct error **err) MUST_CHECK;
int db_instance_set_last_used(struct db_tx *tx, int64_t id, int64_t time, struct error **err)
	MUST_CHECK;
int db_instance_set_stateful(struct db_tx *tx, int64_t id, bool stateful, struct error **err)
	MUST_CHECK;
int db_instance_rename(struct db_tx *tx, int64_t id, const char *new_name, struct error **err)
	MUST_CHECK;

/* Moves to another project; the profiles become those of the same names in 'profile_project'. */
int db_instance_set_project(struct db_tx *tx, int64_t id, const char *project,
                            const char *profile_project, struct error **err) MUST_CHECK;

/*
 * The one conditional change that moves an instance: it belongs to 'new_member' with epoch + 1 if
 * its epoch is still 'epoch', and its snapshots and volumes follow. Otherwise nothing is changed
 * and it is a 409 (-EEXIST). The volume rows of the instance on 'new_member' must not exist yet.
 */
int db_instance_commit_move(struct db_tx *tx, int64_t id, int64_t epoch, const char *new_member,
                            struct error **err) MUST_CHECK;

/* Removes the instance, its snapshots, and reservations and config that belong to it; volumes are
 * the caller's. */
int db_instance_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;

/* How many instances live on the member. */
int db_instance_count_on(struct db_tx *tx, int64_t member_id, int64_t *ret_n, struct error **err)
	MUST_CHECK;
