#include "daemon/api/placement_groups.h"

#include <string.h>

#include "daemon/api/cluster_guard.h"
#include "daemon/api/recursion.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/project/placement_conf.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/conf/conf.h"
#include "lib/data/jv.h"

#define SHOWN (DB_PROJECTS | DB_PROFILES | DB_INSTANCES | DB_PLACEMENT_GROUPS)
#define GROUP_KEY "placement.group"

static char *url_of(const char *project, const char *name)
{
	return lifecycle_url(project, (const char *const[]){ "placement-groups", name, NULL });
}

/* Instances and profiles that name the group themselves. */
static struct json_object *users_of(const struct db_view *view,
                                    const struct db_placement_group *group)
{
	struct json_object *urls = jv_array();
	size_t n;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);
	const struct db_profiles *profiles = db_cache_profiles(view);

	for (size_t i = 0; i < n; i++) {
		const struct db_instance *row = &instances[i]->row;

		if (!str_equals(row->project, group->project) ||
		    !str_equals(smap_get(&row->config, GROUP_KEY), group->name))
			continue;

		scoped_free char *url = lifecycle_url(
			row->project, (const char *const[]){ "instances", row->name, NULL });

		jv_add_string(urls, url);
	}

	for (size_t i = 0; i < profiles->n; i++) {
		const struct db_profile *row = &profiles->rows[i];

		if (!str_equals(row->project, group->project) ||
		    !str_equals(smap_get(&row->config, GROUP_KEY), group->name))
			continue;

		scoped_free char *url = lifecycle_url(
			row->project, (const char *const[]){ "profiles", row->name, NULL });

		jv_add_string(urls, url);
	}

	return urls;
}

static struct json_object *etag_of(const struct db_placement_group *group)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", group->name);
	jv_set_string(o, "description", group->description);
	jv_set_smap(o, "config", &group->config);
	jv_set_string(o, "project", group->project);
	return o;
}

static struct json_object *to_json(const struct db_view *view,
                                   const struct db_placement_group *group)
{
	struct json_object *o = etag_of(group);

	jv_set_take(o, "used_by", users_of(view, group));
	return o;
}

static int load_view(struct request *req, struct db_view **ret_view, struct error **err)
{
	int r = db_cache_view(req->state->cache, SHOWN, ret_view, err);
	if (r < 0)
		return r;

	if (!req->all_projects && !db_cache_project(*ret_view, req->project))
		return error_set(err, 404, "Failed loading project \"%s\": Project not found",
		                 req->project);

	return 0;
}

static int groups_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = load_view(req, &view, err);
	if (r < 0)
		return r;

	const struct db_placement_groups *groups = db_cache_placement_groups(view);

	for (size_t i = 0; i < groups->n; i++) {
		const struct db_placement_group *group = &groups->rows[i];
		bool is_shown = req->all_projects ? access_may_enter(req->requestor, group->project)
		                                  : str_equals(group->project, req->project);

		if (!is_shown)
			continue;

		scoped_free char *url = url_of(group->project, group->name);

		recursion_add(req, list, url,
		              recursion_needs_items(req) ? to_json(view, group) : NULL);
	}

	response_sync(res, TAKE_PTR(list));
	return 0;
}

static int group_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = load_view(req, &view, err);
	if (r < 0)
		return r;

	const struct db_placement_group *group =
		db_cache_placement_group(view, req->project, request_param(req, "name"));

	if (!group)
		return error_set(err, 404, "Placement group not found");

	scoped(jv_unrefp) struct json_object *etag = etag_of(group);

	response_sync_etag(res, to_json(view, group), etag);
	return 0;
}

static int check_name(const char *name, struct error **err)
{
	if (str_is_empty(name))
		return error_set(err, 400, "No name provided");

	if (strlen(name) > 63 || name[0] == '.' ||
	    !str_is_made_of(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                          "-_.:"))
		return error_set(err, 400, "Invalid placement group name \"%s\"", name);

	return 0;
}

static int check_config(const struct smap *config, struct error **err)
{
	for (const struct conf_key *key = placement_conf_keys; key->name; key++) {
		if ((key->flags & CONF_REQUIRED) && str_is_empty(smap_get(config, key->name)))
			return error_set(err, 400, "Missing required config key: \"%s\"",
			                 key->name);
	}

	SMAP_FOREACH (e, config) {
		scoped(error_freep) struct error *cause = NULL;

		if (!conf_find(placement_conf_keys, e->key))
			return error_set(err, 400, "Invalid placement group key \"%s\"", e->key);
		if (conf_validate(placement_conf_keys, e->key, e->value, &cause) < 0)
			return error_set(err, 400, "Invalid placement group key \"%s\" value",
			                 e->key);
	}

	return 0;
}

static void drop_empty(struct smap *config)
{
	scoped(smap_done) struct smap kept = { 0 };

	SMAP_FOREACH (e, config) {
		if (*e->value)
			smap_set(&kept, e->key, e->value);
	}
	smap_copy(config, &kept);
}

static int load(struct db_tx *tx, const char *project, const char *name,
                struct db_placement_group *ret_row, struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;

	int r = db_placement_group_get(tx, project, name, ret_row, &cause);
	if (r == -ENOENT)
		return error_set(err, 404, "Placement group not found");
	if (r < 0)
		*err = TAKE_PTR(cause);

	return r;
}

static int create(struct db_tx *tx, void *arg, struct error **err)
{
	const struct db_placement_group *row = arg;
	scoped(db_project_done) struct db_project project = { 0 };
	scoped(db_placement_group_done) struct db_placement_group existing = { 0 };
	scoped(error_freep) struct error *none = NULL;
	int64_t id;

	int r = db_project_get(tx, row->project, &project, &none);
	if (r == -ENOENT)
		return error_set(err, 404, "Failed loading project \"%s\": Project not found",
		                 row->project);

	error_free(TAKE_PTR(none));
	if (db_placement_group_get(tx, row->project, row->name, &existing, &none) == 0)
		return error_set(err, 409, "Placement group already exists");

	return db_placement_group_create(tx, row, &id, err);
}

static int groups_create(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *name = "", *description = "";
	scoped(smap_done) struct smap config = { 0 };

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, &body, err);
	if (r < 0)
		return r;

	if (jv_get_string(body, "name", &name, err) < 0 ||
	    jv_get_string(body, "description", &description, err) < 0 ||
	    jv_get_smap(body, "config", &config, err) < 0)
		return (*err)->code;

	r = check_name(name, err);
	if (r < 0)
		return r;

	drop_empty(&config);
	r = check_config(&config, err);
	if (r < 0)
		return r;

	const struct db_placement_group row = {
		.project = (char *)req->project,
		.name = (char *)name,
		.description = (char *)description,
		.config = config,
	};

	r = db_write(req->state->db, create, (void *)&row, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(req->project, name);

	lifecycle_send_for(req, "placement-group-created", req->project, url, NULL);
	response_created(res, url);
	return 0;
}

struct change {
	struct request *req;
	struct json_object *body;
	const char *new_name;
	bool is_patch;
};

static int update(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(db_placement_group_done) struct db_placement_group row = { 0 };
	scoped(smap_done) struct smap given = { 0 };
	const char *description;

	int r = load(tx, c->req->project, request_param(c->req, "name"), &row, err);
	if (r < 0)
		return r;

	scoped(jv_unrefp) struct json_object *etag = etag_of(&row);

	r = request_check_etag(c->req, etag, err);
	if (r < 0)
		return r;

	description = c->is_patch ? row.description : "";
	if (jv_get_string(c->body, "description", &description, err) < 0 ||
	    jv_get_smap(c->body, "config", &given, err) < 0)
		return (*err)->code;

	if (!c->is_patch)
		smap_clear(&row.config);
	smap_merge(&row.config, &given);
	drop_empty(&row.config);
	r = check_config(&row.config, err);
	if (r < 0)
		return r;

	/* An empty description in a PATCH means that none was given. */
	if (!c->is_patch || *description) {
		char *copy = xstrdup(description);

		free(row.description);
		row.description = copy;
	}

	return db_placement_group_update(tx, &row, err);
}

static int change_group(struct request *req, struct response *res, bool is_patch,
                        struct error **err)
{
	struct change c = { .req = req, .is_patch = is_patch };

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, &c.body, err);
	if (r < 0)
		return r;

	r = db_write(req->state->db, update, &c, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(req->project, request_param(req, "name"));

	lifecycle_send_for(req, "placement-group-updated", req->project, url, NULL);
	response_empty(res);
	return 0;
}

static int group_put(struct request *req, struct response *res, struct error **err)
{
	return change_group(req, res, false, err);
}

static int group_patch(struct request *req, struct response *res, struct error **err)
{
	return change_group(req, res, true, err);
}

/* Nobody may be left naming a group that is gone. */
static int check_unused(struct request *req, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *users = NULL;
	const char *name = request_param(req, "name");
	const struct db_placement_group *group;

	int r = load_view(req, &view, err);
	if (r < 0)
		return r;

	group = db_cache_placement_group(view, req->project, name);
	if (!group)
		return error_set(err, 404, "Placement group not found");

	users = users_of(view, group);
	if (jv_len(users) > 0)
		return error_set(err, 400, "Placement group \"%s\" is currently in use", name);

	return 0;
}

static int rename_group(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	const char *name = request_param(c->req, "name");
	scoped(db_placement_group_done) struct db_placement_group row = { 0 };
	scoped(db_placement_group_done) struct db_placement_group other = { 0 };
	scoped(error_freep) struct error *none = NULL;

	int r = load(tx, c->req->project, name, &row, err);
	if (r < 0)
		return r;

	if (db_placement_group_get(tx, c->req->project, c->new_name, &other, &none) == 0)
		return error_set(err, 409, "A placement group named \"%s\" already exists",
		                 c->new_name);

	return db_placement_group_rename(tx, c->req->project, name, c->new_name, err);
}

static int group_post(struct request *req, struct response *res, struct error **err)
{
	struct change c = { .req = req, .new_name = "" };

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, &c.body, err);
	if (r < 0)
		return r;

	r = jv_get_string(c.body, "name", &c.new_name, err);
	if (r < 0)
		return r;

	r = check_name(c.new_name, err);
	if (r < 0)
		return r;

	r = check_unused(req, err);
	if (r < 0)
		return r;

	r = db_write(req->state->db, rename_group, &c, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(req->project, c.new_name);
	struct json_object *context = jv_object();

	jv_set_string(context, "old_name", request_param(req, "name"));
	lifecycle_send_for(req, "placement-group-renamed", req->project, url, context);
	response_created(res, url);
	return 0;
}

static int remove_row(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	const char *name = request_param(c->req, "name");
	scoped(db_placement_group_done) struct db_placement_group row = { 0 };

	int r = load(tx, c->req->project, name, &row, err);
	if (r < 0)
		return r;

	return db_placement_group_delete(tx, c->req->project, name, err);
}

static int group_delete(struct request *req, struct response *res, struct error **err)
{
	struct change c = { .req = req };

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = check_unused(req, err);
	if (r < 0)
		return r;

	r = db_write(req->state->db, remove_row, &c, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(req->project, request_param(req, "name"));

	lifecycle_send_for(req, "placement-group-deleted", req->project, url, NULL);
	response_empty(res);
	return 0;
}

#define EXTENSION "instance_placement_groups"

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/placement-groups",        .handler = groups_list,   .access = ACCESS_TRUSTED,  .entity = "placement_group", .extension = EXTENSION },
	{ .method = "POST",   .path = "/1.0/placement-groups",        .handler = groups_create, .access = ACCESS_ENTITLED, .entity = "placement_group", .entitlement = "can_create", .extension = EXTENSION },
	{ .method = "GET",    .path = "/1.0/placement-groups/{name}", .handler = group_get,     .access = ACCESS_ENTITLED, .entity = "placement_group", .entitlement = "can_view",   .extension = EXTENSION },
	{ .method = "PUT",    .path = "/1.0/placement-groups/{name}", .handler = group_put,     .access = ACCESS_ENTITLED, .entity = "placement_group", .entitlement = "can_edit",   .extension = EXTENSION },
	{ .method = "PATCH",  .path = "/1.0/placement-groups/{name}", .handler = group_patch,   .access = ACCESS_ENTITLED, .entity = "placement_group", .entitlement = "can_edit",   .extension = EXTENSION },
	{ .method = "POST",   .path = "/1.0/placement-groups/{name}", .handler = group_post,    .access = ACCESS_ENTITLED, .entity = "placement_group", .entitlement = "can_edit",   .extension = EXTENSION },
	{ .method = "DELETE", .path = "/1.0/placement-groups/{name}", .handler = group_delete,  .access = ACCESS_ENTITLED, .entity = "placement_group", .entitlement = "can_delete", .extension = EXTENSION },
};
/* clang-format on */

const struct route_table placement_groups_routes = ROUTE_TABLE(routes);
