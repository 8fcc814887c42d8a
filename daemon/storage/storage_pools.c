#include "daemon/storage/storage_pools.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/notify.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "daemon/storage/storage_usage.h"
#include "db/cache.h"
#include "drivers/storage/storage_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

static const struct smap no_config;

/* The rows of a pool on their way into the database. */
struct writing {
	const struct storage_pools_new *pool;
	const char *member;
	struct smap common, own; /* The pool's keys and those of 'member'. */
	enum db_storage_pool_state state;
	const char *name;
	int64_t id;
	const struct storage_pools_change *change;
};

static void writing_done(struct writing *w)
{
	smap_done(&w->common);
	smap_done(&w->own);
}

/* Divides keys by whom they belong to. */
static void split(const struct storage_driver *driver, const struct smap *config,
                  struct smap *common, struct smap *own)
{
	SMAP_FOREACH (e, config) {
		bool is_own = storage_conf_is_member_key(driver, e->key);

		smap_set(is_own ? own : common, e->key, e->value);
	}
}

/* What a cluster asks of the keys: each kind in the request that it belongs to. */
static int check_places(const struct storage_driver *driver, const struct smap *config,
                        bool for_member, struct error **err)
{
	SMAP_FOREACH (e, config) {
		if (storage_conf_is_member_key(driver, e->key) == for_member)
			continue;
		return for_member
		               ? error_set(
					 err, 400,
					 "Config key \"%s\" may not be used as member-specific key",
					 e->key)
		               : error_set(err, 400, "Config key \"%s\" is cluster member specific",
		                           e->key);
	}
	return 0;
}

static size_t count_members(const struct db_view *view)
{
	return db_cache_members(view)->n;
}

static int check_existing(const struct db_view *view, const struct db_storage_pool *row,
                          const struct storage_pools_new *pool, const char *target,
                          struct error **err)
{
	if (row && row->state == DB_POOL_CREATED)
		return error_set(err, 409, "The storage pool already exists");
	if (row && strcmp(row->driver, pool->driver) != 0)
		return error_set(err, 400, "Storage pool driver must be \"%s\" as on other members",
		                 row->driver);
	if (target && row && db_storage_pool_on(row, target))
		return error_set(err, 409, "The storage pool already defined on member \"%s\"",
		                 target);
	if (target || count_members(view) == 1)
		return 0;
	if (!row)
		return error_set(err, 400,
		                 "Pool not pending on any member (use --target <member> first)");
	if (row->n_members < count_members(view))
		return error_set(err, 400, "Pool not defined on all members");
	return 0;
}

int storage_pools_check_target(struct state *state, const struct db_view *view, const char *target,
                               struct error **err)
{
	if (!target)
		return 0;
	if (!state_is_clustered(state))
		return error_set(err, 400, "Target only allowed when clustered");
	if (!db_cache_member(view, target))
		return error_set(err, 404, "Cluster member not found");
	return 0;
}

int storage_pools_check_new(struct state *state, const struct storage_pools_new *pool,
                            const char *target, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct smap *config = pool->config ? pool->config : &no_config;

	if (str_is_empty(pool->name))
		return error_set(err, 400, "No name provided");
	if (str_is_empty(pool->driver))
		return error_set(err, 400, "No driver provided");
	if (storage_layout_check_name("storage pool name", pool->name, err) < 0)
		return (*err)->code;
	const struct storage_driver *driver = storage_driver_find(pool->driver);
	if (!driver)
		return error_set(err, 400, "Invalid storage pool driver \"%s\"", pool->driver);
	if (storage_conf_check_pool(driver, pool->name, config, err) < 0)
		return (*err)->code;

	int r = db_cache_view(state->cache, DB_POOLS | DB_MEMBERS, &view, err);
	if (r == 0)
		r = storage_pools_check_target(state, view, target, err);
	if (r < 0)
		return r;

	r = check_existing(view, db_cache_pool(view, pool->name), pool, target, err);
	if (r == 0 && target)
		r = check_places(driver, config, true, err);
	else if (r == 0 && count_members(view) > 1)
		r = check_places(driver, config, false, err);
	return r;
}

/* Adds the pool if it is new, and the member's part. */
static int write_part(struct db_tx *tx, void *arg, struct error **err)
{
	struct writing *w = arg;
	scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };
	int64_t id = 0;

	int r = db_storage_pool_get(tx, w->pool->name, &row, err);
	if (r == -ENOENT) {
		const struct db_storage_pool new_row = {
			.name = (char *)(uintptr_t)w->pool->name,
			.driver = (char *)(uintptr_t)w->pool->driver,
			.description = (char *)(uintptr_t)str_or_empty(w->pool->description),
			.state = DB_POOL_PENDING,
			.config = w->common,
		};

		error_clear(err);
		r = db_storage_pool_create(tx, &new_row, &id, err);
	} else if (r == 0) {
		id = row.id;
	}
	if (r < 0 || !w->member)
		return r;
	return db_storage_pool_set_member(tx, id, w->member, DB_POOL_PENDING, &w->own, err);
}

/* Description and common keys, which the last request brings. */
static int write_common(struct db_tx *tx, void *arg, struct error **err)
{
	struct writing *w = arg;
	scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };

	int r = db_storage_pool_get(tx, w->pool->name, &row, err);
	if (r < 0)
		return r;
	smap_copy(&row.config, &w->common);
	if (w->pool->description) {
		free(row.description);
		row.description = xstrdup(w->pool->description);
	}
	return db_storage_pool_update(tx, &row, err);
}

static int write_state(struct db_tx *tx, void *arg, struct error **err)
{
	const struct writing *w = arg;
	scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };

	int r = db_storage_pool_get(tx, w->name, &row, err);
	if (r < 0)
		return r;
	if (w->member)
		return db_storage_pool_set_member(tx, row.id, w->member, w->state, &w->own, err);
	return db_storage_pool_set_state(tx, row.id, w->state, err);
}

static void send_event(struct state *state, struct operation *operation, const char *action,
                       const char *name)
{
	scoped_free char *url =
		lifecycle_url(NULL, (const char *const[]){ "storage-pools", name, NULL });

	if (operation)
		lifecycle_send_op(operation, action, NULL, url, NULL);
	else
		lifecycle_send(state, NULL, action, NULL, url, NULL);
}

/* Asks all other members to do their part. */
static int notify(struct state *state, const char *name, const char *action,
                  enum notify_policy policy, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped_free char *escaped = url_escape(name);
	scoped_free char *path = xasprintf("/internal/storage-pools/%s", escaped);
	const struct connect_call call = {
		.method = "POST",
		.path = path,
		.body = body,
		.timeout_ms = 600000,
	};

	if (!state_is_clustered(state))
		return 0;
	jv_set_string(body, "action", action);
	return notify_members(state->cluster, policy, &call, NULL, err);
}

static int create_everywhere(struct state *state, struct operation *operation, const char *name,
                             struct error **err)
{
	struct writing w = { .name = name, .state = DB_POOL_CREATED };

	int r = storage_pools_create_here(state, operation, name, err);
	if (r == 0)
		r = notify(state, name, "create", NOTIFY_ALL, err);
	if (r == 0)
		return db_write(state->db, write_state, &w, err);

	scoped(error_freep) struct error *ignored = NULL;
	w.state = DB_POOL_ERRORED;
	db_write(state->db, write_state, &w, &ignored);
	return r;
}

/* A server of its own: a failure leaves no row. */
static int forget(struct db_tx *tx, void *arg, struct error **err)
{
	const struct writing *w = arg;
	scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };

	int r = db_storage_pool_get(tx, w->name, &row, err);
	return r < 0 ? r : db_storage_pool_delete(tx, row.id, err);
}

int storage_pools_create(struct state *state, struct operation *operation,
                         const struct storage_pools_new *pool, const char *target,
                         struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(writing_done) struct writing w = { .pool = pool, .name = pool->name };
	scoped_free char *member = state_member_name(state);
	const struct storage_driver *driver = storage_driver_find(pool->driver);

	int r = storage_pools_check_new(state, pool, target, err);
	if (r == 0)
		r = db_cache_view(state->cache, DB_MEMBERS | DB_POOLS, &view, err);
	if (r < 0)
		return r;

	split(driver, pool->config ? pool->config : &no_config, &w.common, &w.own);
	bool is_alone = count_members(view) == 1;
	bool is_new = !db_cache_pool(view, pool->name);
	if (target || (is_alone && is_new)) {
		w.member = target ? target : member;
		r = db_write(state->db, write_part, &w, err);
		if (r < 0 || target)
			return r;
	} else {
		r = db_write(state->db, write_common, &w, err);
		if (r < 0)
			return r;
	}

	r = create_everywhere(state, operation, pool->name, err);
	if (r < 0 && is_alone && is_new) {
		scoped(error_freep) struct error *ignored = NULL;

		db_write(state->db, forget, &w, &ignored);
	}
	if (r < 0)
		return r;
	send_event(state, operation, "storage-pool-created", pool->name);
	return 0;
}

int storage_pools_create_here(struct state *state, struct operation *operation, const char *name,
                              struct error **err)
{
	scoped(storage_service_unmakep) struct storage_pool *pool = NULL;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped_free char *member = state_member_name(state);
	struct op op = storage_service_op(operation);

	int r = locks_take(state->locks, LOCK_POOL, name, NULL, &lock, err);
	if (r == 0)
		r = db_cache_view(state->cache, DB_POOLS, &view, err);
	if (r < 0)
		return r;
	const struct db_storage_pool *row = db_cache_pool(view, name);
	const struct db_storage_pool_member *part = row ? db_storage_pool_on(row, member) : NULL;
	if (!part)
		return error_set(err, 404, "Storage pool not found");
	if (part->state == DB_POOL_CREATED)
		return 0;

	pool = storage_service_make(state, row, member);
	r = storage_driver_pool_create(pool, &op, err);
	if (r < 0)
		return r;
	scoped(writing_done) struct writing w = { .name = name,
		                                  .member = member,
		                                  .state = DB_POOL_CREATED };
	split(pool->driver, pool->config, &w.common, &w.own);
	r = storage_driver_pool_mount(pool, err);
	if (r == 0)
		r = db_write(state->db, write_state, &w, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_driver_pool_delete(pool, NULL, &ignored);
		return r;
	}
	storage_service_add_take(state, TAKE_PTR(pool));
	return 0;
}

int storage_pools_check_delete(struct state *state, const char *name, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(state->cache, STORAGE_FAMILIES, &view, err);
	if (r < 0)
		return r;
	if (!db_cache_pool(view, name))
		return error_set(err, 404, "Storage pool not found");
	if (storage_usage_is_pool_in_use(view, name))
		return error_set(err, 400, "The storage pool is currently in use");
	return 0;
}

/* The image volumes of the pool on this member, files and rows. */
static int delete_images(struct state *state, const struct db_view *view, struct storage_pool *pool,
                         const char *member, struct error **err)
{
	const struct db_storage_volumes *rows = db_cache_volumes(view);

	for (size_t i = 0; i < rows->n; i++) {
		const struct db_storage_volume *row = &rows->rows[i];
		struct storage_volume image = { .pool = pool, .kind = STORAGE_IMAGE };

		if (row->type != DB_VOLUME_IMAGE || strcmp(row->pool, pool->name) != 0 ||
		    strcmp(row->member, member) != 0)
			continue;
		image.name = row->name;
		int r = storage_driver_volume_delete(&image, NULL, err);
		if (r == 0)
			r = storage_rows_delete(state,
			                        STORAGE_ROWS_KEY(STORAGE_IMAGE, row->project,
			                                         pool->name, row->name),
			                        err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The member's part of the pool is gone. */
static int remove_part(struct db_tx *tx, void *arg, struct error **err)
{
	const struct writing *w = arg;
	scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };

	int r = db_storage_pool_get(tx, w->name, &row, err);
	return r < 0 ? r : db_storage_pool_remove_member(tx, row.id, w->member, err);
}

int storage_pools_delete_here(struct state *state, struct operation *operation, const char *name,
                              struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(storage_service_unmakep) struct storage_pool *pool = NULL;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped_free char *member = state_member_name(state);
	struct op op = storage_service_op(operation);
	struct writing w = { .name = name, .member = member };

	int r = locks_take(state->locks, LOCK_POOL, name, NULL, &lock, err);
	if (r == 0)
		r = db_cache_view(state->cache, DB_POOLS | DB_VOLUMES, &view, err);
	if (r < 0)
		return r;
	const struct db_storage_pool *row = db_cache_pool(view, name);
	const struct db_storage_pool_member *part = row ? db_storage_pool_on(row, member) : NULL;
	if (!part)
		return 0;

	pool = storage_service_remove(state, name);
	bool was_open = pool != NULL;
	if (!pool)
		pool = storage_service_make(state, row, member);
	if (part->state == DB_POOL_CREATED) {
		r = delete_images(state, view, pool, member, err);
		if (r == 0)
			r = storage_driver_pool_delete(pool, &op, err);
	}
	if (r < 0) {
		if (was_open)
			storage_service_add_take(state, TAKE_PTR(pool));
		return r;
	}
	return db_write(state->db, remove_part, &w, err);
}

int storage_pools_delete(struct state *state, struct operation *operation, const char *name,
                         struct error **err)
{
	struct writing w = { .name = name };

	int r = storage_pools_check_delete(state, name, err);
	if (r == 0)
		r = notify(state, name, "delete", NOTIFY_ALL, err);
	if (r == 0)
		r = storage_pools_delete_here(state, operation, name, err);
	if (r == 0)
		r = db_write(state->db, forget, &w, err);
	if (r < 0)
		return r;
	send_event(state, operation, "storage-pool-deleted", name);
	return 0;
}

int storage_pools_space(struct state *state, const char *name, struct storage_space *ret_space,
                        struct error **err)
{
	struct storage_pool *pool;

	int r = storage_service_pool(state, name, &pool, err);
	return r < 0 ? r : storage_driver_pool_space(pool, ret_space, err);
}
