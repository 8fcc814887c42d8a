#include "daemon/api/profiles.h"

#include "daemon/api/recursion.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/project/profile.h"
#include "daemon/project/project.h"
#include "db/cache.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

#define SHOWN (DB_PROJECTS | DB_PROFILES | DB_INSTANCES)

static char *url_of(const struct db_profile *profile)
{
	return lifecycle_url(profile->project,
	                     (const char *const[]){ "profiles", profile->name, NULL });
}

/* In a list over all projects a project's profiles show once: in the project that keeps them. */
static bool is_listed(const struct request *req, const struct db_profile *profile,
                      const char *project)
{
	if (req->all_projects)
		return access_may_enter(req->requestor, profile->project);

	return str_equals(profile->project, project);
}

static int profiles_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();
	const char *project = NULL;

	int r = db_cache_view(req->state->cache, SHOWN, &view, err);
	if (r < 0)
		return r;

	if (!req->all_projects) {
		r = project_effective(view, req->project, PROJECT_PROFILES, &project, err);
		if (r < 0)
			return r;
	}

	const struct db_profiles *profiles = db_cache_profiles(view);

	for (size_t i = 0; i < profiles->n; i++) {
		const struct db_profile *profile = &profiles->rows[i];

		if (!is_listed(req, profile, project))
			continue;

		scoped_free char *url = url_of(profile);

		recursion_add(req, list, url,
		              recursion_needs_items(req) ? profile_json(view, profile) : NULL);
	}

	response_sync(res, TAKE_PTR(list));
	return 0;
}

static int profiles_create(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	scoped_free char *url = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = profile_create(req, body, &url, err);
	if (r < 0)
		return r;

	response_created(res, url);
	return 0;
}

static int profile_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *project;

	int r = db_cache_view(req->state->cache, SHOWN, &view, err);
	if (r < 0)
		return r;

	r = project_effective(view, req->project, PROJECT_PROFILES, &project, err);
	if (r < 0)
		return r;

	const struct db_profile *profile =
		db_cache_profile(view, project, request_param(req, "name"));

	if (!profile)
		return error_set(err, 404, "Fetch profile: Profile not found");

	scoped(jv_unrefp) struct json_object *etag = profile_etag(profile);

	response_sync_etag(res, profile_json(view, profile), etag);
	return 0;
}

struct writing {
	struct request *req;
	struct json_object *body;
	bool is_patch;
};

static int write_profile(struct operation *op, void *arg, struct error **err)
{
	const struct writing *w = arg;

	return profile_update(w->req, request_param(w->req, "name"), w->body, w->is_patch, op, err);
}

/*
 * An operation since LXD 6.6, which older clients do not wait for. So it is carried out before it
 * is answered for, and what is wrong with it is answered at once.
 */
static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	struct writing w = { .req = req, .is_patch = is_patch };
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *url = lifecycle_url(
		req->project,
		(const char *const[]){ "profiles", request_param(req, "name"), NULL });
	const struct operation_spec spec = {
		.project = req->project,
		.description = "Updating profile",
		.entity_url = url,
		.run = write_profile,
		.arg = &w,
	};

	int r = request_json(req, &w.body, err);
	if (r < 0)
		return r;

	r = operation_new_for(req, &spec, &op, err);
	if (r < 0)
		return r;

	operation_add_resource(op, "profiles", url);
	return response_operation_done(res, op, err);
}

static int profile_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int profile_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

static int profile_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	scoped_free char *url = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = profile_rename(req, request_param(req, "name"), body, &url, err);
	if (r < 0)
		return r;

	response_created(res, url);
	return 0;
}

static int profile_remove(struct request *req, struct response *res, struct error **err)
{
	int r = profile_delete(req, request_param(req, "name"), err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET",    "/1.0/profiles",        profiles_list,   ACCESS_TRUSTED,  "profile", NULL,                  ON_ANY_MEMBER, NULL, NULL, ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/profiles",        profiles_create, ACCESS_ENTITLED, "project", "can_create_profiles", ON_ANY_MEMBER, NULL, NULL, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/profiles/{name}", profile_get,     ACCESS_ENTITLED, "profile", "can_view",            ON_ANY_MEMBER, NULL, NULL, ROUTE_BODY_JSON, false },
	{ "PUT",    "/1.0/profiles/{name}", profile_put,     ACCESS_ENTITLED, "profile", "can_edit",            ON_ANY_MEMBER, NULL, NULL, ROUTE_BODY_JSON, false },
	{ "PATCH",  "/1.0/profiles/{name}", profile_patch,   ACCESS_ENTITLED, "profile", "can_edit",            ON_ANY_MEMBER, NULL, NULL, ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/profiles/{name}", profile_post,    ACCESS_ENTITLED, "profile", "can_edit",            ON_ANY_MEMBER, NULL, NULL, ROUTE_BODY_JSON, false },
	{ "DELETE", "/1.0/profiles/{name}", profile_remove,  ACCESS_ENTITLED, "profile", "can_delete",          ON_ANY_MEMBER, NULL, NULL, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table profiles_routes = ROUTE_TABLE(routes);
