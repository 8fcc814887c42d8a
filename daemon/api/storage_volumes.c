#include "daemon/api/storage_volumes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/recursion.h"
#include "daemon/core/access.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/project/project.h"
#include "daemon/storage/storage_send.h"
#include "daemon/storage/storage_usage.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

int storage_volumes_project(struct request *req, char **ret_project, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *project;

	int r = db_cache_view(req->state->cache, DB_PROJECTS, &view, err);
	if (r == 0)
		r = project_effective(view, req->project, PROJECT_VOLUMES, &project, err);
	if (r == 0)
		*ret_project = xstrdup(project);
	return r;
}

/* -1 for no {type} in the path, or the number of a type; 400 for a word that is none. */
static int parse_type(const char *word, int *ret_type, struct error **err)
{
	static const struct {
		const char *word;
		int type;
	} types[] = {
		{ "container", DB_VOLUME_CONTAINER },
		{ "virtual-machine", DB_VOLUME_VM },
		{ "image", DB_VOLUME_IMAGE },
		{ "custom", DB_VOLUME_CUSTOM },
	};

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (strcmp(types[i].word, word) == 0) {
			*ret_type = types[i].type;
			return 0;
		}
	}
	return error_set(err, 400, "Invalid storage volume type name \"%s\"", word);
}

/* Which rows a list shows. */
struct listing {
	struct request *req;
	const char *pool; /* NULL: all. */
	int type;         /* -1: all. */
	char *project;    /* Of custom volumes; others are in the request's own. */
};

static bool is_shown(const struct listing *l, const struct db_storage_volume *row)
{
	const char *project = row->type == DB_VOLUME_CUSTOM ? l->project : l->req->project;

	if (l->pool && strcmp(row->pool, l->pool) != 0)
		return false;
	if (l->type >= 0 && row->type != l->type)
		return false;
	if (l->req->target && *row->member && strcmp(row->member, l->req->target) != 0)
		return false;
	if (l->req->all_projects)
		return access_may_enter(l->req->requestor, row->project);
	return strcmp(row->project, project) == 0;
}

static int list(struct listing *l, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *array = jv_array();
	bool needs_items = recursion_needs_items(l->req);

	int r = storage_volumes_project(l->req, &l->project, err);
	if (r == 0)
		r = db_cache_view(l->req->state->cache, STORAGE_FAMILIES, &view, err);
	if (r < 0)
		return r;
	if (l->pool && !db_cache_pool(view, l->pool))
		return error_set(err, 404, "Storage pool not found");

	const struct db_storage_volumes *rows = db_cache_volumes(view);
	for (size_t i = 0; i < rows->n; i++) {
		if (!is_shown(l, &rows->rows[i]))
			continue;
		scoped_free char *url = storage_usage_volume_url(&rows->rows[i]);

		recursion_add(l->req, array, url,
		              needs_items ? storage_usage_volume_json(view, &rows->rows[i]) : NULL);
	}
	response_sync(res, TAKE_PTR(array));
	return 0;
}

static int run_list(struct request *req, struct response *res, const char *pool, const char *type,
                    struct error **err)
{
	struct listing l = { .req = req, .pool = pool, .type = -1 };
	int r = type ? parse_type(type, &l.type, err) : 0;

	if (r == 0)
		r = list(&l, res, err);
	free(l.project);
	return r;
}

static int pool_list(struct request *req, struct response *res, struct error **err)
{
	return run_list(req, res, request_param(req, "pool"), NULL, err);
}

static int pool_type_list(struct request *req, struct response *res, struct error **err)
{
	return run_list(req, res, request_param(req, "pool"), request_param(req, "type"), err);
}

static int all_list(struct request *req, struct response *res, struct error **err)
{
	return run_list(req, res, NULL, NULL, err);
}

static int all_type_list(struct request *req, struct response *res, struct error **err)
{
	return run_list(req, res, NULL, request_param(req, "type"), err);
}

/* The row in the path, of any type; the project is owned by the caller. */
static int find_row(struct request *req, struct db_view **ret_view,
                    const struct db_storage_volume **ret_row, struct error **err)
{
	struct listing l = { .req = req, .pool = request_param(req, "pool") };
	const char *name = request_param(req, "name");
	const struct db_storage_volume *found = NULL;

	int r = parse_type(request_param(req, "type"), &l.type, err);
	if (r == 0)
		r = storage_volumes_project(req, &l.project, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, STORAGE_FAMILIES, ret_view, err);
	if (r == 0 && !db_cache_pool(*ret_view, l.pool))
		r = error_set(err, 404, "Storage pool not found");
	const struct db_storage_volumes *rows = r == 0 ? db_cache_volumes(*ret_view) : NULL;
	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		if (strcmp(rows->rows[i].name, name) != 0 || !is_shown(&l, &rows->rows[i]))
			continue;
		if (found)
			r = error_set(err, 400,
			              "Storage volume found on more than one cluster member. "
			              "Please target a specific member");
		found = &rows->rows[i];
	}
	free(l.project);
	if (r == 0 && !found)
		return error_set(err, 404, "Storage volume not found");
	*ret_row = found;
	return r;
}

int storage_volumes_owner(struct request *req, char **ret_member, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_storage_volume *row = NULL;

	int r = find_row(req, &view, &row, err);
	if (r < 0)
		return r;
	assert(row);
	*ret_member = *row->member ? xstrdup(row->member) : NULL;
	return 0;
}

int storage_volumes_id(struct request *req, char **ret_project, struct storage_volume_id *ret_id,
                       struct error **err)
{
	int type;

	int r = parse_type(request_param(req, "type"), &type, err);
	if (r < 0)
		return r;
	if (type != DB_VOLUME_CUSTOM)
		return error_set(err, 400, "Invalid storage volume type \"%s\"",
		                 request_param(req, "type"));
	r = storage_volumes_project(req, ret_project, err);
	if (r < 0)
		return r;
	*ret_id = (struct storage_volume_id){
		.project = *ret_project,
		.pool = request_param(req, "pool"),
		.name = request_param(req, "name"),
	};
	return 0;
}

static int volume_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_storage_volume *row = NULL;

	int r = find_row(req, &view, &row, err);
	if (r < 0)
		return r;
	assert(row);
	scoped(jv_unrefp) struct json_object *etag = storage_volume_etag(row);
	response_sync_etag(res, storage_usage_volume_json(view, row), etag);
	return 0;
}

static int state_get(struct request *req, struct response *res, struct error **err)
{
	struct json_object *o, *usage;
	struct storage_volume_id id;
	struct storage_space space = { 0 };
	scoped_free char *project = NULL;

	int r = storage_volumes_id(req, &project, &id, err);
	if (r == 0)
		r = storage_volume_space(req->state, &id, &space, err);
	if (r < 0)
		return r;
	o = jv_object();
	usage = jv_object();
	jv_set_uint(usage, "used", space.used_bytes);
	jv_set_uint(usage, "total", space.total_bytes);
	jv_set_take(o, "usage", usage);
	response_sync(res, o);
	return 0;
}

/* A change in progress; runs on the request's own thread, so it borrows from the request. */
struct changing {
	struct request *req;
	struct storage_volume_id id;
	struct storage_volume_change change;
	struct smap config;
	const char *new_name;
	struct storage_volume_id to;
	char *project, *to_project;
	char *member; /* That a volume comes from, or NULL: it is here. */
};

static void changing_done(struct changing *c)
{
	smap_done(&c->config);
	free(c->project);
	free(c->to_project);
	free(c->member);
}

static char *url_of(const struct storage_volume_id *id)
{
	const struct db_storage_volume row = {
		.pool = (char *)(uintptr_t)id->pool,
		.project = (char *)(uintptr_t)id->project,
		.name = (char *)(uintptr_t)id->name,
		.type = DB_VOLUME_CUSTOM,
	};

	return storage_usage_volume_url(&row);
}

static int answer(struct changing *c, struct response *res, const char *description,
                  operation_run *run, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *url = url_of(&c->id);
	const struct operation_spec spec = {
		.project = c->id.project,
		.description = description,
		.entity_url = url,
		.run = run,
		.arg = c,
	};

	int r = operation_new_for(c->req, &spec, &op, err);
	return r < 0 ? r : response_operation_done(res, op, err);
}

static int run_update(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;

	return storage_volume_update(c->req->state, op, &c->id, &c->change, err);
}

static int parse_update(struct changing *c, struct error **err)
{
	struct json_object *body;

	int r = request_json(c->req, &body, err);
	if (r == 0)
		r = storage_volumes_id(c->req, &c->project, &c->id, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "description", &c->change.description, err) < 0 ||
	    jv_get_string(body, "restore", &c->change.restore, err) < 0)
		return (*err)->code;
	if (str_is_empty(c->change.restore))
		c->change.restore = NULL;
	r = jv_get_smap(body, "config", &c->config, err);
	if (r < 0)
		return r;
	if (r > 0 || !c->change.merge)
		c->change.config = &c->config;
	if (!c->change.merge && !c->change.description)
		c->change.description = "";
	return 0;
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	scoped(changing_done) struct changing c = {
		.req = req,
		.change = { .req = req, .merge = is_patch },
	};

	int r = parse_update(&c, err);
	return r < 0 ? r : answer(&c, res, "Updating storage volume", run_update, err);
}

static int volume_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int volume_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

static int run_delete(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;

	return storage_volume_delete(c->req->state, op, &c->id, err);
}

static int volume_remove(struct request *req, struct response *res, struct error **err)
{
	scoped(changing_done) struct changing c = { .req = req };

	int r = storage_volumes_id(req, &c.project, &c.id, err);
	if (r == 0)
		r = storage_volume_check_delete(req->state, &c.id, err);
	return r < 0 ? r : answer(&c, res, "Deleting storage volume", run_delete, err);
}

static int run_rename(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;

	return storage_volume_rename(c->req->state, op, &c->id, c->new_name, err);
}

static int run_move(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;

	return storage_volume_move(c->req->state, op, &c->id, c->member, &c->to, err);
}

static int find_target_project(struct changing *c, const char *project, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *effective;

	int r = request_authorize(c->req, "storage_volume", "can_create_storage_volumes", project,
	                          err);
	if (r == 0)
		r = db_cache_view(c->req->state->cache, DB_PROJECTS, &view, err);
	if (r == 0)
		r = project_effective(view, project, PROJECT_VOLUMES, &effective, err);
	if (r == 0)
		c->to_project = xstrdup(effective);
	return r;
}

/* The member that has the volume, for a ?target= that is where it shall go. */
static int find_source(struct request *req, const struct storage_volume_id *id, const char *wanted,
                       char **ret_member, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(error_freep) struct error *elsewhere = NULL;
	const struct db_storage_volume *row = NULL;

	int r = db_cache_view(req->state->cache, DB_VOLUMES, &view, err);
	if (r < 0)
		return r;
	/* Without a word on the source ?target= says where it is, if it is there. */
	if (wanted || !req->target ||
	    storage_volume_find(view, id, req->target, &row, &elsewhere) < 0)
		r = storage_volume_find(view, id, wanted, &row, err);
	if (r < 0)
		return r;
	*ret_member = xstrdup(row->member);
	return 0;
}

/* What the body says of where the volume is: "source.location", or NULL. Borrowed. */
static int read_location(struct request *req, const char **ret_location, struct error **err)
{
	struct json_object *body, *source = NULL;
	const char *location = "";

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_object(body, "source", &source, err);
	if (r > 0)
		r = jv_get_string(source, "location", &location, err);
	if (r < 0)
		return r;
	*ret_location = *location ? location : NULL;
	return 0;
}

/*
 * A volume that moves to ?target= is fetched by that member; everything else is done by the one
 * that has it.
 */
static int post_owner(struct request *req, char **ret_member, struct error **err)
{
	scoped_free char *project = NULL;
	struct storage_volume_id id;
	const char *location = NULL;

	if (!req->target)
		return storage_volumes_owner(req, ret_member, err);
	int r = storage_volumes_id(req, &project, &id, err);
	if (r == 0)
		r = read_location(req, &location, err);
	if (r < 0)
		return r;
	scoped_free char *source = NULL;
	r = find_source(req, &id, location, &source, err);
	if (r == 0)
		*ret_member = xstrdup(req->target);
	return r;
}

static int offer(struct changing *c, struct response *res, struct json_object *body,
                 struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct storage_send_volume send = { .id = c->id };

	if (jv_get_bool(body, "volume_only", &send.is_alone, err) < 0)
		return (*err)->code;
	int r = storage_send_offer(c->req, &send, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

static int move_or_rename(struct changing *c, struct response *res, struct error **err)
{
	bool is_moved = c->member || strcmp(c->to.pool, c->id.pool) != 0 ||
	                strcmp(c->to.project, c->id.project) != 0;

	return is_moved ? answer(c, res, "Moving storage volume", run_move, err)
	                : answer(c, res, "Renaming storage volume", run_rename, err);
}

static int volume_post(struct request *req, struct response *res, struct error **err)
{
	scoped(changing_done) struct changing c = { .req = req };
	const char *name = "", *pool = "", *project = "", *location = NULL;
	scoped_free char *here = state_member_name(req->state);
	struct json_object *body;
	bool is_migration = false;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = storage_volumes_id(req, &c.project, &c.id, err);
	if (r == 0)
		r = read_location(req, &location, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "name", &name, err) < 0 ||
	    jv_get_string(body, "pool", &pool, err) < 0 ||
	    jv_get_string(body, "project", &project, err) < 0 ||
	    jv_get_bool(body, "migration", &is_migration, err) < 0)
		return (*err)->code;
	if (is_migration)
		return offer(&c, res, body, err);
	if (*name == '\0')
		return error_set(err, 400, "No name provided");

	r = find_target_project(&c, *project ? project : req->project, err);
	if (r == 0)
		r = find_source(req, &c.id, location, &c.member, err);
	if (r < 0)
		return r;
	if (*c.member == '\0' || strcmp(c.member, here) == 0) {
		free(c.member);
		c.member = NULL;
	}
	c.new_name = name;
	c.to = (struct storage_volume_id){
		.project = c.to_project,
		.pool = *pool ? pool : c.id.pool,
		.name = name,
	};
	assert(c.to.project && c.id.project);
	return move_or_rename(&c, res, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/storage-volumes",                                    .handler = all_list,       .access = ACCESS_TRUSTED,  .entity = "storage_volume", .extension = "storage_volumes_all" },
	{ .method = "GET",    .path = "/1.0/storage-volumes/{type}",                             .handler = all_type_list,  .access = ACCESS_TRUSTED,  .entity = "storage_volume", .extension = "storage_volumes_all" },
	{ .method = "GET",    .path = "/1.0/storage-pools/{pool}/volumes",                       .handler = pool_list,      .access = ACCESS_TRUSTED,  .entity = "storage_volume", .extension = "storage" },
	{ .method = "GET",    .path = "/1.0/storage-pools/{pool}/volumes/{type}",                .handler = pool_type_list, .access = ACCESS_TRUSTED,  .entity = "storage_volume", .extension = "storage" },
	{ .method = "GET",    .path = "/1.0/storage-pools/{pool}/volumes/{type}/{name}",         .handler = volume_get,     .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_view",   .extension = "storage" },
	{ .method = "PUT",    .path = "/1.0/storage-pools/{pool}/volumes/{type}/{name}",         .handler = volume_put,     .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit",   .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage" },
	{ .method = "PATCH",  .path = "/1.0/storage-pools/{pool}/volumes/{type}/{name}",         .handler = volume_patch,   .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit",   .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage" },
	{ .method = "POST",   .path = "/1.0/storage-pools/{pool}/volumes/{type}/{name}",         .handler = volume_post,    .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit",   .placement = ON_OWNER, .owner = post_owner, .extension = "storage_api_volume_rename" },
	{ .method = "DELETE", .path = "/1.0/storage-pools/{pool}/volumes/{type}/{name}",         .handler = volume_remove,  .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_delete", .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage" },
	{ .method = "GET",    .path = "/1.0/storage-pools/{pool}/volumes/{type}/{name}/state",   .handler = state_get,      .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_view",   .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage_volume_state" },
};
/* clang-format on */

const struct route_table storage_volumes_routes = ROUTE_TABLE(routes);
