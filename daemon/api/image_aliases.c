#include "daemon/api/image_aliases.h"

#include <string.h>

#include "daemon/api/images.h"
#include "daemon/api/recursion.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/image/image_alias.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"

/* An alias of an image that is not public is nobody's business. */
static bool is_shown(const struct request *req, const struct db_view *view,
                     const struct db_image_alias *row)
{
	if (!images_is_public_only(req))
		return true;
	const struct db_image *image = db_cache_image(view, row->project, row->fingerprint);
	return image && image->public;
}

static int aliases_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();
	scoped_free char *project = NULL;

	int r = images_check_lists(req, err);
	if (r == 0)
		r = images_project(req, &project, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;

	const struct db_image_aliases *rows = db_cache_image_aliases(view);
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_image_alias *row = &rows->rows[i];

		if (strcmp(row->project, project) != 0 || !is_shown(req, view, row))
			continue;
		scoped_free char *url = image_alias_url(NULL, row->name);

		recursion_add(req, list, url,
		              recursion_needs_items(req) ? image_alias_json(row) : NULL);
	}
	response_sync(res, TAKE_PTR(list));
	return 0;
}

static int aliases_create(struct request *req, struct response *res, struct error **err)
{
	const char *name = "", *target = "", *description = "";
	scoped_free char *project = NULL;
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "name", &name, err) < 0 ||
	    jv_get_string(body, "target", &target, err) < 0 ||
	    jv_get_string(body, "description", &description, err) < 0)
		return (*err)->code;
	r = images_project_to_change(req, &project, err);
	if (r == 0)
		r = image_alias_create(req, project, name, target, description, err);
	if (r < 0)
		return r;
	scoped_free char *url = image_alias_url(req->project, name);
	response_created(res, url);
	return 0;
}

static int alias_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *project = NULL;

	int r = images_project(req, &project, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;
	const struct db_image_alias *row =
		db_cache_image_alias(view, project, request_param(req, "name"));
	if (!row || !is_shown(req, view, row))
		return error_set(err, 404, "Not Found");

	scoped(jv_unrefp) struct json_object *etag = image_alias_json(row);
	response_sync_etag(res, image_alias_json(row), etag);
	return 0;
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	const char *target = NULL, *description = NULL;
	scoped_free char *project = NULL;
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "target", &target, err) < 0 ||
	    jv_get_string(body, "description", &description, err) < 0)
		return (*err)->code;
	if (!is_patch && !target)
		return error_set(err, 400, "The target field is required");
	if (!is_patch && !description)
		description = "";
	r = images_project_to_change(req, &project, err);
	if (r == 0)
		r = image_alias_update(req, project, request_param(req, "name"), target,
		                       description, err);
	if (r < 0)
		return r;
	response_empty(res);
	return 0;
}

static int alias_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int alias_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

static int alias_post(struct request *req, struct response *res, struct error **err)
{
	scoped_free char *project = NULL;
	struct json_object *body;
	const char *name = "";

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_string(body, "name", &name, err);
	if (r >= 0)
		r = images_project_to_change(req, &project, err);
	if (r == 0)
		r = image_alias_rename(req, project, request_param(req, "name"), name, err);
	if (r < 0)
		return r;
	scoped_free char *url = image_alias_url(req->project, name);
	response_created(res, url);
	return 0;
}

static int alias_remove(struct request *req, struct response *res, struct error **err)
{
	scoped_free char *project = NULL;

	int r = images_project_to_change(req, &project, err);
	if (r == 0)
		r = image_alias_delete(req, project, request_param(req, "name"), err);
	if (r < 0)
		return r;
	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/images/aliases",        .handler = aliases_list,   .access = ACCESS_ANYONE,   .entity = "image_alias" },
	{ .method = "POST",   .path = "/1.0/images/aliases",        .handler = aliases_create, .access = ACCESS_ENTITLED, .entity = "image_alias", .entitlement = "can_create_image_aliases" },
	{ .method = "GET",    .path = "/1.0/images/aliases/{name}", .handler = alias_get,      .access = ACCESS_ANYONE,   .entity = "image_alias" },
	{ .method = "PUT",    .path = "/1.0/images/aliases/{name}", .handler = alias_put,      .access = ACCESS_ENTITLED, .entity = "image_alias", .entitlement = "can_edit" },
	{ .method = "PATCH",  .path = "/1.0/images/aliases/{name}", .handler = alias_patch,    .access = ACCESS_ENTITLED, .entity = "image_alias", .entitlement = "can_edit", .extension = "patch" },
	{ .method = "POST",   .path = "/1.0/images/aliases/{name}", .handler = alias_post,     .access = ACCESS_ENTITLED, .entity = "image_alias", .entitlement = "can_edit" },
	{ .method = "DELETE", .path = "/1.0/images/aliases/{name}", .handler = alias_remove,   .access = ACCESS_ENTITLED, .entity = "image_alias", .entitlement = "can_delete" },
};
/* clang-format on */

const struct route_table image_aliases_routes = ROUTE_TABLE(routes);
