/* Changes of a pool's description and keys, on one member or all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/notify.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_pools.h"
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

struct update {
	const char *name;
	const char *member; /* Whose keys may change as well, or NULL. */
	const struct storage_pools_change *change;
};

struct json_object *storage_pool_update_etag(const struct db_storage_pool *row, const char *member)
{
	scoped(smap_done) struct smap config = { 0 };
	struct json_object *o = jv_object();

	smap_copy(&config, &row->config);
	if (member)
		db_storage_pool_config_on(row, member, &config);
	jv_set_string(o, "name", row->name);
	jv_set_string(o, "driver", row->driver);
	jv_set_string(o, "description", row->description);
	jv_set_smap(o, "config", &config);
	return o;
}

/* The keys as they will be, all in one map. */
static void merge_config(const struct storage_pools_change *change, const struct smap *now,
                         struct smap *ret_config)
{
	if (change->merge || !change->config)
		smap_copy(ret_config, now);
	if (!change->config)
		return;
	SMAP_FOREACH (e, change->config) {
		smap_set(ret_config, e->key, *e->value ? e->value : NULL);
	}
}

/* Where a pool is cannot change, and what the daemon noted stays. */
static int check_fixed(const struct smap *now, struct smap *next, struct error **err)
{
	static const char *const fixed[] = { "source", "volatile.initial_source", "source.wipe" };

	for (size_t i = 0; i < COUNT_OF(fixed); i++) {
		const char *before = smap_get(now, fixed[i]);
		const char *after = smap_get(next, fixed[i]);

		if (before && !after)
			smap_set(next, fixed[i], before);
		else if (after && !str_equals(before, after))
			return error_set(err, 400, "Config key \"%s\" cannot be changed", fixed[i]);
	}
	return 0;
}

static int write_update(struct db_tx *tx, void *arg, struct error **err)
{
	const struct update *u = arg;
	scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };
	scoped(smap_done) struct smap now = { 0 };
	scoped(smap_done) struct smap next = { 0 };
	scoped(smap_done) struct smap own = { 0 };

	int r = db_storage_pool_get(tx, u->name, &row, err);
	if (r < 0)
		return r;
	if (u->change->req) {
		scoped(jv_unrefp) struct json_object *etag =
			storage_pool_update_etag(&row, u->member);

		r = request_check_etag(u->change->req, etag, err);
		if (r < 0)
			return r;
	}

	const struct storage_driver *driver = storage_driver_find(row.driver);
	smap_copy(&now, &row.config);
	if (u->member)
		db_storage_pool_config_on(&row, u->member, &now);
	merge_config(u->change, &now, &next);
	r = check_fixed(&now, &next, err);
	if (r == 0)
		r = storage_conf_check_pool(driver, u->name, &next, err);
	if (r < 0)
		return r;

	smap_clear(&row.config);
	SMAP_FOREACH (e, &next) {
		bool is_own = storage_conf_is_member_key(driver, e->key);

		if (is_own && !u->member)
			return error_set(err, 400, "Config key \"%s\" is cluster member specific",
			                 e->key);
		smap_set(is_own ? &own : &row.config, e->key, e->value);
	}
	if (u->change->description) {
		free(row.description);
		row.description = xstrdup(u->change->description);
	}
	r = db_storage_pool_update(tx, &row, err);
	if (r < 0 || !u->member)
		return r;
	const struct db_storage_pool_member *part = db_storage_pool_on(&row, u->member);
	if (!part)
		return 0;
	return db_storage_pool_set_member(tx, row.id, u->member,
	                                  (enum db_storage_pool_state)part->state, &own, err);
}

int storage_pool_update_here(struct state *state, const char *name, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(smap_done) struct smap before = { 0 };
	scoped(smap_done) struct smap after = { 0 };
	scoped_free char *member = state_member_name(state);
	struct storage_pool *pool;

	int r = storage_service_pool(state, name, &pool, err);
	if (r == 0)
		r = locks_take(state->locks, LOCK_POOL, name, NULL, &lock, err);
	if (r == 0)
		r = db_cache_view(state->cache, DB_POOLS, &view, err);
	if (r < 0)
		return r;
	const struct db_storage_pool *row = db_cache_pool(view, name);
	if (!row)
		return error_set(err, 404, "Storage pool not found");

	smap_copy(&before, pool->config);
	db_storage_pool_config_on(row, member, &after);
	storage_service_reconfigure(state, name, &after);
	r = storage_driver_pool_update(pool, &before, err);
	if (r < 0)
		storage_service_reconfigure(state, name, &before);
	return r;
}

static int notify_others(struct state *state, const char *name, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped_free char *escaped = url_escape(name);
	scoped_free char *path = xasprintf("/internal/storage-pools/%s", escaped);
	const struct connect_call call = { .method = "POST", .path = path, .body = body };

	if (!state_is_clustered(state))
		return 0;
	jv_set_string(body, "action", "update");
	return notify_members(state->cluster, NOTIFY_ALIVE, &call, NULL, err);
}

int storage_pools_update(struct state *state, struct operation *operation, const char *name,
                         const struct storage_pools_change *change, const char *target,
                         struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *self = state_member_name(state);
	struct update u = { .name = name, .change = change, .member = target };
	scoped_free char *url =
		lifecycle_url(NULL, (const char *const[]){ "storage-pools", name, NULL });

	int r = db_cache_view(state->cache, DB_MEMBERS, &view, err);
	if (r == 0)
		r = storage_pools_check_target(state, view, target, err);
	if (r < 0)
		return r;
	if (!target && db_cache_members(view)->n <= 1)
		u.member = self;
	r = db_write(state->db, write_update, &u, err);
	if (r == 0)
		r = storage_pool_update_here(state, name, err);
	if (r == 0)
		r = notify_others(state, name, err);
	if (r < 0)
		return r;
	if (operation)
		lifecycle_send_op(operation, "storage-pool-updated", NULL, url, NULL);
	return 0;
}
