/*
 * Storage pools on one member and on all of them.
 *
 * On a server of its own a pool is made in one step. In a cluster it is first announced once per
 * member with ?target=, which stores the keys that belong to that member ("source", "size") as a
 * pending row; the request without a target then makes it on every member and marks the row created
 * or errored. Repeating that request goes on where it failed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "drivers/storage/storage_driver.h"
#include "lib/base/error.h"

struct db_storage_pool;
struct db_view;
struct json_object;
struct smap;
struct operation;
struct request;
struct state;

struct storage_pools_new {
	const char *name;
	const char *driver;
	const char *description;   /* NULL is "". */
	const struct smap *config; /* NULL is empty. */
};

/* 400 or 404 for a ?target= that is no member of this cluster; NULL is none. The view holds
 * DB_MEMBERS. */
int storage_pools_check_target(struct state *state, const struct db_view *view, const char *target,
                               struct error **err);

/*
 * Everything that is wrong with a request, before an operation exists: 400, 404, 409. 'target' is
 * the ?target= of the request, or NULL.
 */
int storage_pools_check_new(struct state *state, const struct storage_pools_new *pool,
                            const char *target, struct error **err);

/*
 * Stores the member's keys as pending ('target' not NULL), or makes the pool on this member, and in
 * a cluster on all others.
 */
int storage_pools_create(struct state *state, struct operation *operation,
                         const struct storage_pools_new *pool, const char *target,
                         struct error **err);

/* What another member asks of this one: makes the pool with the rows that are there. */
int storage_pools_create_here(struct state *state, struct operation *operation, const char *name,
                              struct error **err);

/*
 * PUT, or PATCH if 'merge'. 'target' as above: with that member's keys. 'config' NULL leaves it.
 * 'req', if not NULL, has its If-Match compared within the transaction: 412.
 */
struct storage_pools_change {
	const char *description; /* NULL leaves it. */
	const struct smap *config;
	bool merge;
	const struct request *req; /* Its If-Match is checked in the transaction; or NULL. */
};
int storage_pools_update(struct state *state, struct operation *operation, const char *name,
                         const struct storage_pools_change *change, const char *target,
                         struct error **err);

/* What another member asks of this one: carries out what was written. */
int storage_pool_update_here(struct state *state, const char *name, struct error **err);

/* What the ETag of a pool is made of, with the keys of 'member' if it is not NULL; owned. */
struct json_object *storage_pool_update_etag(const struct db_storage_pool *row, const char *member);

/* 404, or 400 "The storage pool is currently in use". */
int storage_pools_check_delete(struct state *state, const char *name, struct error **err);
int storage_pools_delete(struct state *state, struct operation *operation, const char *name,
                         struct error **err);
int storage_pools_delete_here(struct state *state, struct operation *operation, const char *name,
                              struct error **err);

/* Space and inodes of the pool on this member. */
int storage_pools_space(struct state *state, const char *name, struct storage_space *ret_space,
                        struct error **err);
