#include "daemon/api/storage_pools.h"

#include <errno.h>

#include "daemon/api/recursion.h"
#include "daemon/api/used_by.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_pools.h"
#include "daemon/storage/storage_usage.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/data/jv.h"

static char *url_of(const char *name)
{
	return lifecycle_url(NULL, (const char *const[]){ "storage-pools", name, NULL });
}

/*
 * Whose keys are shown: those of ?target=, or of the one member that there is; NULL for nobody's.
 * The view holds DB_MEMBERS.
 */
static int shown_member(struct request *req, const struct db_view *view, char **ret_member,
                        struct error **err)
{
	int r = storage_pools_check_target(req->state, view, req->target, err);
	if (r < 0)
		return r;

	if (req->target)
		*ret_member = xstrdup(req->target);
	else if (db_cache_members(view)->n <= 1)
		*ret_member = state_member_name(req->state);
	return 0;
}

static int pools_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();
	bool needs_items = recursion_needs_items(req);
	scoped_free char *member = NULL;

	int r = db_cache_view(req->state->cache,
	                      DB_MEMBERS | (needs_items ? STORAGE_FAMILIES : DB_POOLS), &view, err);
	if (r == 0)
		r = shown_member(req, view, &member, err);
	if (r < 0)
		return r;

	const struct db_storage_pools *pools = db_cache_pools(view);
	for (size_t i = 0; i < pools->n; i++) {
		scoped_free char *url = url_of(pools->rows[i].name);

		recursion_add(req, list, url,
		              needs_items ? storage_usage_pool_json(view, &pools->rows[i], member)
		                          : NULL);
	}
	response_sync(res, TAKE_PTR(list));
	return 0;
}

struct creation {
	struct request *req;
	struct storage_pools_new pool;
	struct smap config;
};

static int run_create(struct operation *op, void *arg, struct error **err)
{
	const struct creation *c = arg;

	return storage_pools_create(c->req->state, op, &c->pool, c->req->target, err);
}

static int parse_creation(struct creation *c, struct error **err)
{
	struct json_object *body;

	int r = request_json(c->req, &body, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "name", &c->pool.name, err) < 0 ||
	    jv_get_string(body, "driver", &c->pool.driver, err) < 0 ||
	    jv_get_string(body, "description", &c->pool.description, err) < 0 ||
	    jv_get_smap(body, "config", &c->config, err) < 0)
		return (*err)->code;
	c->pool.config = &c->config;
	return storage_pools_check_new(c->req->state, &c->pool, c->req->target, err);
}

static int create(struct creation *c, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;

	int r = parse_creation(c, err);
	if (r < 0)
		return r;
	scoped_free char *url = url_of(c->pool.name);
	const struct operation_spec spec = {
		.description = "Creating storage pool",
		.entity_url = url,
		.run = run_create,
		.arg = c,
	};
	r = operation_new_for(c->req, &spec, &op, err);
	if (r == 0)
		r = operation_run_here(op, err);
	if (r < 0)
		return r;

	response_created(res, url);
	return 0;
}

static int pools_create(struct request *req, struct response *res, struct error **err)
{
	struct creation c = { .req = req };
	int r = create(&c, res, err);

	smap_done(&c.config);
	return r;
}

static int pool_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *member = NULL;

	int r = db_cache_view(req->state->cache, DB_MEMBERS | STORAGE_FAMILIES, &view, err);
	if (r == 0)
		r = shown_member(req, view, &member, err);
	if (r < 0)
		return r;
	const struct db_storage_pool *row = db_cache_pool(view, request_param(req, "name"));
	if (!row)
		return error_set(err, 404, "Storage pool not found");

	scoped(jv_unrefp) struct json_object *etag = storage_pool_update_etag(row, member);
	struct json_object *o = storage_usage_pool_json(view, row, member);
	used_by_filter(req, o);
	response_sync_etag(res, o, etag);
	return 0;
}

struct change {
	struct request *req;
	struct storage_pools_change change;
	struct smap config;
};

static int run_update(struct operation *op, void *arg, struct error **err)
{
	const struct change *c = arg;

	return storage_pools_update(c->req->state, op, request_param(c->req, "name"), &c->change,
	                            c->req->target, err);
}

static int parse_change(struct change *c, struct error **err)
{
	struct json_object *body;

	int r = request_json(c->req, &body, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "description", &c->change.description, err) < 0)
		return (*err)->code;
	r = jv_get_smap(body, "config", &c->config, err);
	if (r < 0)
		return r;
	if (r > 0 || !c->change.merge)
		c->change.config = &c->config;
	if (!c->change.merge && !c->change.description)
		c->change.description = "";
	return 0;
}

static int update_pool(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	struct change c = { .req = req, .change = { .req = req, .merge = is_patch } };
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *url = url_of(request_param(req, "name"));
	const struct operation_spec spec = {
		.description = "Updating storage pool",
		.entity_url = url,
		.run = run_update,
		.arg = &c,
	};

	int r = parse_change(&c, err);
	if (r == 0)
		r = operation_new_for(req, &spec, &op, err);
	if (r == 0)
		r = operation_run_here(op, err);
	smap_done(&c.config);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

static int pool_put(struct request *req, struct response *res, struct error **err)
{
	return update_pool(req, res, false, err);
}

static int pool_patch(struct request *req, struct response *res, struct error **err)
{
	return update_pool(req, res, true, err);
}

static int run_delete(struct operation *op, void *arg, struct error **err)
{
	struct request *req = arg;

	return storage_pools_delete(req->state, op, request_param(req, "name"), err);
}

static int pool_remove(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *url = url_of(request_param(req, "name"));
	const struct operation_spec spec = {
		.description = "Deleting storage pool",
		.entity_url = url,
		.run = run_delete,
		.arg = req,
	};

	int r = storage_pools_check_delete(req->state, request_param(req, "name"), err);
	if (r == 0)
		r = operation_new_for(req, &spec, &op, err);
	if (r == 0)
		r = operation_run_here(op, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

static int resources_get(struct request *req, struct response *res, struct error **err)
{
	struct json_object *o = jv_object(), *bytes = jv_object(), *inodes = jv_object();
	struct storage_space space;

	jv_set_take(o, "space", bytes);
	jv_set_take(o, "inodes", inodes);
	int r = storage_pools_space(req->state, request_param(req, "name"), &space, err);
	if (r < 0) {
		jv_unref(o);
		return r;
	}
	jv_set_uint(bytes, "used", space.used_bytes);
	jv_set_uint(bytes, "total", space.total_bytes);
	jv_set_uint(inodes, "used", space.used_inodes);
	jv_set_uint(inodes, "total", space.total_inodes);
	response_sync(res, o);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/storage-pools",                  .handler = pools_list,    .access = ACCESS_TRUSTED,  .entity = "storage_pool", .extension = "storage" },
	{ .method = "POST",   .path = "/1.0/storage-pools",                  .handler = pools_create,  .access = ACCESS_ENTITLED, .entity = "server",       .entitlement = "can_create_storage_pools", .extension = "storage" },
	{ .method = "GET",    .path = "/1.0/storage-pools/{name}",           .handler = pool_get,      .access = ACCESS_TRUSTED,  .entity = "storage_pool", .extension = "storage" },
	{ .method = "PUT",    .path = "/1.0/storage-pools/{name}",           .handler = pool_put,      .access = ACCESS_ENTITLED, .entity = "server",       .entitlement = "can_edit", .extension = "storage" },
	{ .method = "PATCH",  .path = "/1.0/storage-pools/{name}",           .handler = pool_patch,    .access = ACCESS_ENTITLED, .entity = "server",       .entitlement = "can_edit", .extension = "storage" },
	{ .method = "DELETE", .path = "/1.0/storage-pools/{name}",           .handler = pool_remove,   .access = ACCESS_ENTITLED, .entity = "server",       .entitlement = "can_delete", .extension = "storage" },
	{ .method = "GET",    .path = "/1.0/storage-pools/{name}/resources", .handler = resources_get, .access = ACCESS_TRUSTED,  .entity = "storage_pool", .placement = ON_TARGET, .extension = "resources" },
};
/* clang-format on */

const struct route_table storage_pools_routes = ROUTE_TABLE(routes);
