#include "daemon/api/projects.h"

#include "daemon/api/projects_purge.h"
#include "daemon/api/recursion.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/project/project.h"
#include "db/cache.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static char *url_of(const char *name)
{
	return lifecycle_url(NULL, (const char *const[]){ "projects", name, NULL });
}

static int projects_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();
	bool needs_items = recursion_needs_items(req);

	int r = db_cache_view(req->state->cache, needs_items ? PROJECT_SHOWN : DB_PROJECTS, &view,
	                      err);
	if (r < 0)
		return r;

	const struct db_projects *projects = db_cache_projects(view);

	for (size_t i = 0; i < projects->n; i++) {
		const struct db_project *project = &projects->rows[i];

		if (!access_may_enter(req->requestor, project->name))
			continue;

		scoped_free char *url = url_of(project->name);

		recursion_add(req, list, url, needs_items ? project_json(view, project) : NULL);
	}

	response_sync(res, TAKE_PTR(list));
	return 0;
}

static int projects_create(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	scoped_free char *url = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = project_create(req, body, &url, err);
	if (r < 0)
		return r;

	response_created(res, url);
	return 0;
}

static int load(struct request *req, struct db_view **ret_view, const struct db_project **ret,
                struct error **err)
{
	int r = db_cache_view(req->state->cache, PROJECT_SHOWN, ret_view, err);
	if (r < 0)
		return r;

	*ret = db_cache_project(*ret_view, request_param(req, "name"));
	return *ret ? 0 : error_set(err, 404, "Project not found");
}

static int project_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_project *project;

	int r = load(req, &view, &project, err);
	if (r < 0)
		return r;

	scoped(jv_unrefp) struct json_object *etag = project_etag(project);

	response_sync_etag(res, project_json(view, project), etag);
	return 0;
}

static int project_state_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_project *project;

	int r = load(req, &view, &project, err);
	if (r < 0)
		return r;

	response_sync(res, project_state_json(view, project));
	return 0;
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = project_update(req, request_param(req, "name"), body, is_patch, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

static int project_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int project_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

struct renaming {
	struct request *req;
	const char *new_name;
};

static int run_rename(struct operation *op, void *arg, struct error **err)
{
	const struct renaming *n = arg;
	scoped_free char *old_url = url_of(request_param(n->req, "name"));

	operation_set_metadata_key(op, "original_entity_url", jv_of_string(old_url));
	return project_rename(n->req, request_param(n->req, "name"), n->new_name, err);
}

static int project_post(struct request *req, struct response *res, struct error **err)
{
	struct renaming n = { .req = req, .new_name = "" };
	struct json_object *body;
	scoped(operation_unrefp) struct operation *op = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_string(body, "name", &n.new_name, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(n.new_name);
	const struct operation_spec spec = {
		.description = "Renaming project",
		.entity_url = url,
		.run = run_rename,
		.arg = &n,
	};

	r = operation_new_for(req, &spec, &op, err);
	if (r < 0)
		return r;

	return response_operation_done(res, op, err);
}

static int project_remove(struct request *req, struct response *res, struct error **err)
{
	bool is_forced;

	int r = request_query_bool(req, "force", &is_forced, err);
	if (r < 0)
		return r;

	if (is_forced && !str_equals(request_param(req, "name"), "default")) {
		r = projects_purge_run(req->state, request_param(req, "name"), err);
		if (r < 0)
			return r;
	}

	r = project_delete(req, request_param(req, "name"), is_forced, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET",    "/1.0/projects",              projects_list,     ACCESS_TRUSTED,  NULL,      NULL,                  ON_ANY_MEMBER, "projects",      NULL, ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/projects",              projects_create,   ACCESS_ENTITLED, "server",  "can_create_projects", ON_ANY_MEMBER, "projects",      NULL, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/projects/{name}",       project_get,       ACCESS_ENTITLED, "project", "can_view",            ON_ANY_MEMBER, "projects",      NULL, ROUTE_BODY_JSON, false },
	{ "PUT",    "/1.0/projects/{name}",       project_put,       ACCESS_ENTITLED, "project", "can_edit",            ON_ANY_MEMBER, "projects",      NULL, ROUTE_BODY_JSON, false },
	{ "PATCH",  "/1.0/projects/{name}",       project_patch,     ACCESS_ENTITLED, "project", "can_edit",            ON_ANY_MEMBER, "projects",      NULL, ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/projects/{name}",       project_post,      ACCESS_ENTITLED, "project", "can_edit",            ON_ANY_MEMBER, "projects",      NULL, ROUTE_BODY_JSON, false },
	{ "DELETE", "/1.0/projects/{name}",       project_remove,    ACCESS_ENTITLED, "project", "can_delete",          ON_ANY_MEMBER, "projects",      NULL, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/projects/{name}/state", project_state_get, ACCESS_ENTITLED, "project", "can_view",            ON_ANY_MEMBER, "project_usage", NULL, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table projects_routes = ROUTE_TABLE(routes);
