/* /1.0/instances/{name}/metadata: what its image said of itself, and the image's templates. */
#include "daemon/api/instance_metadata.h"

#include <stdlib.h>

#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/instance/instance_metadata.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int open_metadata(struct request *req, struct instance_metadata **ret, struct error **err)
{
	return instance_metadata_open(req->state, req->project, request_param(req, "name"),
	                              request_cancel(req), ret, err);
}

static void send_event(struct request *req, const struct instance_metadata *metadata,
                       const char *action, const char *path)
{
	struct json_object *context = NULL;

	if (path) {
		context = jv_object();
		jv_set_string(context, "path", path);
	}
	lifecycle_send_for(req, action, req->project, instance_metadata_instance(metadata)->url,
	                   context);
}

static int metadata_get(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_metadata_closep) struct instance_metadata *metadata = NULL;
	struct json_object *json = NULL;

	int r = open_metadata(req, &metadata, err);
	if (r == 0)
		r = instance_metadata_get(metadata, &json, err);
	if (r < 0)
		return r;

	send_event(req, metadata, "instance-metadata-retrieved", NULL);
	response_sync_etag(res, json, json);
	return 0;
}

static int change(struct request *req, struct response *res, bool merges, struct error **err)
{
	scoped(instance_metadata_closep) struct instance_metadata *metadata = NULL;
	scoped(jv_unrefp) struct json_object *now = NULL;
	struct json_object *body = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = open_metadata(req, &metadata, err);
	if (r == 0)
		r = instance_metadata_get(metadata, &now, err);
	if (r == 0)
		r = request_check_etag(req, now, err);
	if (r < 0)
		return r;
	if (merges)
		jv_merge(now, body);
	r = instance_metadata_put(metadata, merges ? now : body, err);
	if (r < 0)
		return r;

	send_event(req, metadata, "instance-metadata-updated", NULL);
	response_empty(res);
	return 0;
}

static int metadata_put(struct request *req, struct response *res, struct error **err)
{
	return change(req, res, false, err);
}

static int metadata_patch(struct request *req, struct response *res, struct error **err)
{
	return change(req, res, true, err);
}

static int templates_get(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_metadata_closep) struct instance_metadata *metadata = NULL;
	scoped_free char *path = xstrdup(str_or_empty(request_query(req, "path")));
	struct json_object *names = NULL;
	char *text = NULL;
	size_t size = 0;

	int r = open_metadata(req, &metadata, err);
	if (r < 0)
		return r;
	if (!*path) {
		r = instance_metadata_templates(metadata, &names, err);
		if (r == 0)
			response_sync(res, names);
		return r;
	}

	r = instance_metadata_template_get(metadata, path, &text, &size, err);
	if (r < 0)
		return r;

	scoped_free char *disposition = xasprintf("inline;filename=\"%s\"", path);

	send_event(req, metadata, "instance-metadata-template-retrieved", path);
	if (str_is_utf8(path, strlen(path)) && !strpbrk(path, "\"\r\n"))
		response_header(res, "Content-Disposition", disposition);
	response_raw(res, 200, "application/octet-stream", text, size);
	return 0;
}

static int need_path(struct request *req, const char **ret_path, struct error **err)
{
	*ret_path = request_query(req, "path");
	if (str_is_empty(*ret_path))
		return error_set(err, 400, "Missing path argument");

	return 0;
}

static int templates_post(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_metadata_closep) struct instance_metadata *metadata = NULL;
	scoped_free char *text = NULL;
	const char *path;
	uint64_t size = 0;
	size_t n = 0;
	int fd = -1;

	int r = need_path(req, &path, err);
	if (r == 0 && request_body_size(req) > INSTANCE_METADATA_MAX_TEMPLATE)
		return error_set(err, 413, "The template is too large");
	if (r == 0)
		r = request_body_fd(req, &fd, &size, err);
	if (r < 0)
		return r;
	r = fd_read_all(fd, INSTANCE_METADATA_MAX_TEMPLATE, &text, &n);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading the request body");
	r = open_metadata(req, &metadata, err);
	if (r == 0)
		r = instance_metadata_template_put(metadata, path, text, n, err);
	if (r < 0)
		return r;

	send_event(req, metadata, "instance-metadata-template-created", path);
	response_empty(res);
	return 0;
}

static int templates_delete(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_metadata_closep) struct instance_metadata *metadata = NULL;
	const char *path;

	int r = need_path(req, &path, err);
	if (r == 0)
		r = open_metadata(req, &metadata, err);
	if (r == 0)
		r = instance_metadata_template_delete(metadata, path, err);
	if (r < 0)
		return r;

	send_event(req, metadata, "instance-metadata-template-deleted", path);
	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET",    "/1.0/instances/{name}/metadata",           metadata_get,     ACCESS_ENTITLED, "instance", "can_view", ON_OWNER, "container_edit_metadata", instances_owner, ROUTE_BODY_JSON, false },
	{ "PUT",    "/1.0/instances/{name}/metadata",           metadata_put,     ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "container_edit_metadata", instances_owner, ROUTE_BODY_JSON, false },
	{ "PATCH",  "/1.0/instances/{name}/metadata",           metadata_patch,   ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "container_edit_metadata", instances_owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}/metadata/templates", templates_get,    ACCESS_ENTITLED, "instance", "can_view", ON_OWNER, "container_edit_metadata", instances_owner, ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/instances/{name}/metadata/templates", templates_post,   ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "container_edit_metadata", instances_owner, ROUTE_BODY_FILE, false },
	{ "DELETE", "/1.0/instances/{name}/metadata/templates", templates_delete, ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "container_edit_metadata", instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_metadata_routes = ROUTE_TABLE(routes);
