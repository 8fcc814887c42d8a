/*
 * Members of the cluster: rows of "members" with their config, custom roles and groups.
 *
 * A server that is not clustered has one row too, with the id 1, the name "none" and an empty
 * address. The id of the row is the raft id of the member.
 */
#pragma once

#include "db/db.h"

enum db_member_state {
	DB_MEMBER_CREATED,
	DB_MEMBER_PENDING, /* Joining: it has an id and nothing else yet. */
	DB_MEMBER_EVACUATED,
};

struct db_member {
	int64_t id;
	char *name;
	char *address; /* Raft and API address, host:port; "" where not clustered. */
	char *description;
	char *architecture;
	char *failure_domain;   /* "default" if none was set. */
	int64_t state;          /* enum db_member_state */
	int64_t heartbeat;      /* Time of the last one that was stored. */
	int64_t schema;         /* Number of the last update the member knows. */
	int64_t api_extensions; /* How many the member has. */
	char **roles;           /* Assigned by hand; sorted. */
	char **groups;          /* Cluster groups it belongs to; sorted. */
	struct smap config;
};

struct db_members {
	struct db_member *rows;
	size_t n;
};

void db_member_done(struct db_member *row);
void db_member_list_done(struct db_members *rows);

/* All, sorted by name, the pending ones included. */
int db_member_list(struct db_tx *tx, struct db_members *ret_rows, struct error **err) MUST_CHECK;

/* Fails with a 404 if there is no such member. */
int db_member_get(struct db_tx *tx, const char *name, struct db_member *ret_row, struct error **err)
	MUST_CHECK;
int db_member_get_by_id(struct db_tx *tx, int64_t id, struct db_member *ret_row, struct error **err)
	MUST_CHECK;
int db_member_get_by_address(struct db_tx *tx, const char *address, struct db_member *ret_row,
                             struct error **err) MUST_CHECK;

/*
 * Adds a member with everything in 'row' but its id, which is chosen unless it is set. An empty
 * list of groups puts it into the group "default". 409 if name or address is taken.
 */
int db_member_create(struct db_tx *tx, const struct db_member *row, int64_t *ret_id,
                     struct error **err) MUST_CHECK;

/* Sets description, failure domain, roles, groups and config of row->id to those of 'row'. */
int db_member_update(struct db_tx *tx, const struct db_member *row, struct error **err) MUST_CHECK;

int db_member_rename(struct db_tx *tx, const char *name, const char *new_name, struct error **err)
	MUST_CHECK;
int db_member_set_state(struct db_tx *tx, int64_t id, enum db_member_state state,
                        struct error **err) MUST_CHECK;
int db_member_set_address(struct db_tx *tx, int64_t id, const char *address, struct error **err)
	MUST_CHECK;
int db_member_set_versions(struct db_tx *tx, int64_t id, int64_t schema, int64_t api_extensions,
                           const char *architecture, struct error **err) MUST_CHECK;

/* Stores heartbeats of several members; does not raise the revision of the family. */
int db_member_set_heartbeats(struct db_tx *tx, const int64_t *ids, size_t n, int64_t time,
                             struct error **err) MUST_CHECK;

/* Removes the member with what belongs to it alone. 400 if it still has instances or volumes. */
int db_member_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;

/* Removes the member and everything on it: instances, local volumes, images that only it held. */
int db_member_purge(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;
