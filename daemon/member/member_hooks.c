#include "daemon/member/member_hooks.h"

#include <string.h>

#include "cluster/cluster_hooks.h"
#include "cluster/connect.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/member/member.h"
#include "daemon/storage/storage_pools.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

static int read_pools(struct state *state, struct db_view **ret_view, struct error **err)
{
	return db_cache_view(state->cache, DB_POOLS | DB_INSTANCES | DB_VOLUMES, ret_view, err);
}

/* What the joiner has: pools by name and driver, and how many instances. */
static int join_inventory(void *arg, struct json_object **ret_inventory, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct json_object *inventory, *pools;
	size_t n_instances;

	int r = read_pools(arg, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_pools *rows = db_cache_pools(view);

	db_cache_instances(view, &n_instances);
	inventory = jv_object();
	pools = jv_array();
	for (size_t i = 0; i < rows->n; i++) {
		struct json_object *o = jv_object();

		jv_set_string(o, "name", rows->rows[i].name);
		jv_set_string(o, "driver", rows->rows[i].driver);
		jv_add_take(pools, o);
	}
	jv_set_take(inventory, "storage_pools", pools);
	jv_set_int(inventory, "instances", (int64_t)n_instances);
	*ret_inventory = inventory;
	return 0;
}

static const struct db_storage_pool *find(const struct db_storage_pools *rows, const char *name)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (str_equals(rows->rows[i].name, name))
			return &rows->rows[i];
	}

	return NULL;
}

/* What the joiner brings must be nothing, or pools that the cluster has too. */
static int join_check(void *arg, struct db_tx *tx, struct json_object *inventory,
                      struct error **err)
{
	scoped(db_storage_pool_list_done) struct db_storage_pools rows = { 0 };
	struct json_object *pools = jv_member(inventory, "storage_pools");

	(void)arg;
	if (jv_number(inventory, "instances") > 0)
		return error_set(err, 400, "The joining server still has instances");

	int r = db_storage_pool_list(tx, &rows, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < jv_len(pools); i++) {
		struct json_object *pool = jv_item(pools, i);
		const struct db_storage_pool *row = find(&rows, jv_text(pool, "name"));

		if (!row)
			return error_set(err, 400,
			                 "The joining server has storage pool \"%s\", which the "
			                 "cluster has not",
			                 str_or_empty(jv_text(pool, "name")));
		if (!str_equals(row->driver, jv_text(pool, "driver")))
			return error_set(err, 400,
			                 "Storage pool \"%s\" of the joining server has driver "
			                 "\"%s\" instead of \"%s\"",
			                 row->name, str_or_empty(jv_text(pool, "driver")),
			                 row->driver);
	}

	return 0;
}

static int join_definitions(void *arg, struct db_tx *tx, struct json_object **ret_definitions,
                            struct error **err)
{
	scoped(db_storage_pool_list_done) struct db_storage_pools rows = { 0 };
	struct json_object *definitions, *pools;

	(void)arg;

	int r = db_storage_pool_list(tx, &rows, err);
	if (r < 0)
		return r;

	definitions = jv_object();
	pools = jv_array();
	for (size_t i = 0; i < rows.n; i++) {
		struct json_object *o = jv_object();

		if (rows.rows[i].state != DB_POOL_CREATED)
			continue;

		jv_set_string(o, "name", rows.rows[i].name);
		jv_set_string(o, "driver", rows.rows[i].driver);
		jv_set_string(o, "description", rows.rows[i].description);
		jv_set_smap(o, "config", &rows.rows[i].config);
		jv_add_take(pools, o);
	}
	jv_set_take(definitions, "storage_pools", pools);
	jv_set_take(definitions, "networks", jv_array());
	*ret_definitions = definitions;
	return 0;
}

static int make_pool(struct state *state, struct json_object *definition,
                     const struct cluster_member_config *config, size_t n_config,
                     struct error **err)
{
	scoped(smap_done) struct smap all = { 0 };
	const char *name = str_or_empty(jv_text(definition, "name"));
	const struct storage_pools_new pool = {
		.name = name,
		.driver = jv_text(definition, "driver"),
		.description = jv_text(definition, "description"),
		.config = &all,
	};

	if (jv_get_smap(definition, "config", &all, err) < 0)
		return (*err)->code;

	for (size_t i = 0; i < n_config; i++) {
		if (str_equals(config[i].entity, "storage-pool") &&
		    str_equals(config[i].name, name) && *config[i].value)
			smap_set(&all, config[i].key, config[i].value);
	}

	int r = storage_pools_check_new(state, &pool, NULL, err);
	if (r < 0)
		return r;

	return storage_pools_create(state, NULL, &pool, NULL, err);
}

/* The keys that are this member's own, as its pools have them now: for join_commit(). */
static int remember(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *member = state_member_name(state);

	int r = read_pools(state, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_pools *rows = db_cache_pools(view);

	jv_unref(state->joining);
	state->joining = jv_object();
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_storage_pool_member *on =
			db_storage_pool_on(&rows->rows[i], member);
		const struct smap none = { 0 };

		jv_set_smap(state->joining, rows->rows[i].name, on ? &on->config : &none);
	}

	return 0;
}

static int join_prepare(void *arg, struct json_object *definitions,
                        const struct cluster_member_config *config, size_t n_config,
                        struct error **err)
{
	struct state *state = arg;
	struct json_object *pools = jv_member(definitions, "storage_pools");
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = read_pools(state, &view, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < jv_len(pools); i++) {
		struct json_object *definition = jv_item(pools, i);

		if (db_cache_pool(view, str_or_empty(jv_text(definition, "name"))))
			continue;

		r = make_pool(state, definition, config, n_config, err);
		if (r < 0)
			return error_wrap(err, "Failed creating storage pool \"%s\"",
			                  str_or_empty(jv_text(definition, "name")));
	}

	return remember(state, err);
}

/* Pools that were made for a join that failed stay: they are empty and the next attempt uses them.
 */
static void join_undo(void *arg)
{
	struct state *state = arg;

	jv_unref(TAKE_PTR(state->joining));
}

static int join_commit(void *arg, struct db_tx *tx, int64_t member_id, struct error **err)
{
	struct state *state = arg;
	scoped(db_member_done) struct db_member member = { 0 };

	int r = db_member_get_by_id(tx, member_id, &member, err);
	if (r < 0)
		return r;

	JV_FOREACH (state->joining, name, config) {
		scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };
		scoped(smap_done) struct smap own = { 0 };
		scoped(error_freep) struct error *gone = NULL;

		(void)config;
		if (jv_get_smap(state->joining, name, &own, err) < 0)
			return (*err)->code;

		/* Deleted meanwhile by somebody else. */
		if (db_storage_pool_get(tx, name, &row, &gone) == -ENOENT)
			continue;

		r = db_storage_pool_set_member(tx, row.id, member.name, DB_POOL_CREATED, &own, err);
		if (r < 0)
			return r;
	}

	return 0;
}

static int member_check_empty(void *arg, struct db_tx *tx, int64_t member_id, const char *name,
                              struct error **err)
{
	const struct db_instance_filter instances_of = { .member = name };
	struct db_storage_volume_filter volumes_of = DB_STORAGE_VOLUME_ALL;
	scoped(db_instance_list_done) struct db_instances instances = { 0 };
	scoped(db_storage_volume_list_done) struct db_storage_volumes volumes = { 0 };
	scoped(strbuf_done) struct strbuf names = { 0 };

	(void)arg;
	(void)member_id;

	int r = db_instance_list(tx, &instances_of, &instances, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < instances.n; i++)
		strbuf_addf(&names, "%s%s", i ? ", " : "", instances.rows[i].name);
	if (names.size > 0)
		return error_set(err, 400, "Node still has the following instances: %s",
		                 strbuf_text(&names));

	volumes_of.member = name;
	volumes_of.type = DB_VOLUME_CUSTOM;
	r = db_storage_volume_list(tx, &volumes_of, &volumes, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < volumes.n; i++) {
		if (str_equals(volumes.rows[i].member, name))
			strbuf_addf(&names, "%s%s", names.size ? ", " : "", volumes.rows[i].name);
	}
	if (names.size > 0)
		return error_set(err, 400, "Node still has the following custom volumes: %s",
		                 strbuf_text(&names));

	return 0;
}

/* Images that only it has are fetched; its pools go before it is reset: later nobody knows of them.
 */
static int member_clean(void *arg, int64_t member_id, const char *name, struct error **err)
{
	struct state *state = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	(void)member_id;

	int r = image_take_over(state, name, err);
	if (r == 0)
		r = read_pools(state, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_pools *rows = db_cache_pools(view);

	for (size_t i = 0; i < rows->n; i++) {
		scoped_free char *pool = url_escape(rows->rows[i].name);
		scoped_free char *path = xasprintf("/internal/storage-pools/%s", pool);
		scoped(jv_unrefp) struct json_object *body = jv_object();
		const struct connect_call call = { .method = "POST", .path = path, .body = body };
		scoped(error_freep) struct error *failed = NULL;

		if (!db_storage_pool_on(&rows->rows[i], name))
			continue;

		jv_set_string(body, "action", "delete");
		if (connect_call_member(state->cluster, name, &call, NULL, &failed) < 0)
			log_warn("Failed deleting storage pool \"%s\" on \"%s\": %s",
			         rows->rows[i].name, name, failed->msg);
	}

	return 0;
}

static int member_purge(void *arg, struct db_tx *tx, int64_t member_id, struct error **err)
{
	scoped(db_member_done) struct db_member member = { 0 };
	scoped(db_storage_pool_list_done) struct db_storage_pools rows = { 0 };

	(void)arg;

	int r = db_member_get_by_id(tx, member_id, &member, err);
	if (r < 0)
		return r;

	r = db_storage_pool_list(tx, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		if (db_storage_pool_on(&rows.rows[i], member.name))
			r = db_storage_pool_remove_member(tx, rows.rows[i].id, member.name, err);
	}

	return r;
}

static void leader_changed(void *arg, bool is_leader)
{
	struct state *state = arg;

	(void)is_leader;
	member_service_wake(state);
}

static void members_changed(void *arg)
{
	member_service_wake(arg);
}

static void member_liveness(void *arg, int64_t member_id, const char *name, bool is_online)
{
	scoped_free char *url =
		lifecycle_url(NULL, (const char *const[]){ "cluster", "members", name, NULL });

	(void)member_id;
	lifecycle_send(arg, access_daemon(),
	               is_online ? "cluster-member-online" : "cluster-member-offline", NULL, url,
	               NULL);
}

static struct json_object *space_json(const struct storage_space *space)
{
	struct json_object *o = jv_object(), *bytes = jv_object(), *inodes = jv_object();

	jv_set_uint(bytes, "used", space->used_bytes);
	jv_set_uint(bytes, "total", space->total_bytes);
	jv_set_uint(inodes, "used", space->used_inodes);
	jv_set_uint(inodes, "total", space->total_inodes);
	jv_set_take(o, "space", bytes);
	jv_set_take(o, "inodes", inodes);
	return o;
}

static int pools_state(void *arg, struct json_object **ret_pools, struct error **err)
{
	struct state *state = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *member = state_member_name(state);
	struct json_object *pools;

	int r = read_pools(state, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_pools *rows = db_cache_pools(view);

	pools = jv_object();
	for (size_t i = 0; i < rows->n; i++) {
		scoped(error_freep) struct error *failed = NULL;
		struct storage_space space = { 0 };

		if (db_storage_pool_on(&rows->rows[i], member) &&
		    storage_pools_space(state, rows->rows[i].name, &space, &failed) == 0)
			jv_set_take(pools, rows->rows[i].name, space_json(&space));
	}

	*ret_pools = pools;
	return 0;
}

void member_hooks_fill(struct cluster_hooks *hooks)
{
	hooks->join_inventory = join_inventory;
	hooks->join_check = join_check;
	hooks->join_definitions = join_definitions;
	hooks->join_prepare = join_prepare;
	hooks->join_undo = join_undo;
	hooks->join_commit = join_commit;
	hooks->member_check_empty = member_check_empty;
	hooks->member_clean = member_clean;
	hooks->member_purge = member_purge;
	hooks->leader_changed = leader_changed;
	hooks->members_changed = members_changed;
	hooks->member_liveness = member_liveness;
	hooks->pools_state = pools_state;
}
