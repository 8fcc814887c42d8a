/*
 * Storage pools: rows of "storage_pools" with their config and, per member, state and the keys that
 * differ from member to member ("source" and the like).
 */
#pragma once

#include "db/db.h"

enum db_storage_pool_state { DB_POOL_PENDING, DB_POOL_CREATED, DB_POOL_ERRORED };

struct db_storage_pool_member {
	char *member;
	int64_t state; /* enum db_storage_pool_state */
	struct smap config;
};

struct db_storage_pool {
	int64_t id;
	char *name;
	char *driver;
	char *description;
	int64_t state;                          /* Of the pool as a whole. */
	struct smap config;                     /* What is the same on all members. */
	struct db_storage_pool_member *members; /* Sorted by name. */
	size_t n_members;
};

struct db_storage_pools {
	struct db_storage_pool *rows;
	size_t n;
};

void db_storage_pool_done(struct db_storage_pool *row);
void db_storage_pool_list_done(struct db_storage_pools *rows);

/* What the pool is on 'member', or NULL if it is not there. Borrowed. */
const struct db_storage_pool_member *db_storage_pool_on(const struct db_storage_pool *row,
                                                        const char *member);

/* Whether 'member' has it: more than announced. */
bool db_storage_pool_is_created_on(const struct db_storage_pool *row, const char *member);

/* Adds the config that holds on 'member' to 'config': the pool's and the member's own. */
void db_storage_pool_config_on(const struct db_storage_pool *row, const char *member,
                               struct smap *config);

/* Sorted by name. */
int db_storage_pool_list(struct db_tx *tx, struct db_storage_pools *ret_rows, struct error **err)
	MUST_CHECK;
int db_storage_pool_get(struct db_tx *tx, const char *name, struct db_storage_pool *ret_row,
                        struct error **err) MUST_CHECK;

/* Adds the pool with the members in 'row' (there may be none yet). */
int db_storage_pool_create(struct db_tx *tx, const struct db_storage_pool *row, int64_t *ret_id,
                           struct error **err) MUST_CHECK;

/* Sets description and the common config of row->id. */
int db_storage_pool_update(struct db_tx *tx, const struct db_storage_pool *row, struct error **err)
	MUST_CHECK;
int db_storage_pool_set_state(struct db_tx *tx, int64_t id, enum db_storage_pool_state state,
                              struct error **err) MUST_CHECK;

/* Adds the pool on a member, or sets its state and config there. */
int db_storage_pool_set_member(struct db_tx *tx, int64_t id, const char *member,
                               enum db_storage_pool_state state, const struct smap *config,
                               struct error **err) MUST_CHECK;
int db_storage_pool_remove_member(struct db_tx *tx, int64_t id, const char *member,
                                  struct error **err) MUST_CHECK;

/* Fails with a 400 if the pool has volumes. */
int db_storage_pool_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;
