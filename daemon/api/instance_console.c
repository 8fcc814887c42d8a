/* /1.0/instances/{name}/console: being on it, its log. */
#include "daemon/api/instance_console.h"

#include <stdlib.h>

#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/instance/instance_console.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int load(struct request *req, struct instance **ret_inst, struct error **err)
{
	return instance_load(req->state, req->project, request_param(req, "name"), ret_inst, err);
}

static int check_type(struct json_object *body, struct error **err)
{
	const char *type = NULL;

	int r = jv_get_string(body, "type", &type, err);
	if (r < 0)
		return r;
	if (str_equals(type, "vga"))
		return error_set(err, 400, "VGA console is only supported by virtual machines");
	if (!str_is_empty(type) && !str_equals(type, "console"))
		return error_set(err, 400, "Unknown console type \"%s\"", type);

	return 0;
}

static int parse(struct json_object *body, struct instance_console_request *ret_request,
                 struct error **err)
{
	int64_t width = 0, height = 0;

	if (check_type(body, err) < 0 || jv_get_int(body, "width", &width, err) < 0 ||
	    jv_get_int(body, "height", &height, err) < 0 ||
	    jv_get_bool(body, "force", &ret_request->is_forced, err) < 0)
		return (*err)->code;
	if (width < 0 || width > UINT16_MAX || height < 0 || height > UINT16_MAX)
		return error_set(err, 400, "Invalid size of the terminal");

	ret_request->width = (uint16_t)width;
	ret_request->height = (uint16_t)height;
	return 0;
}

static int console_post(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct instance_console_request request = { 0 };
	struct instance *inst = NULL;
	struct json_object *body = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = parse(body, &request, err);
	if (r == 0)
		r = load(req, &inst, err);
	if (r == 0)
		r = instance_console(inst, &request, req->requestor, &op, err);
	if (r < 0)
		return r;

	return response_operation(res, op, err);
}

static int console_get(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	char *log = NULL;
	size_t size = 0;

	int r = load(req, &inst, err);
	if (r == 0)
		r = instance_console_log(inst, &log, &size, err);
	if (r < 0)
		return r;

	lifecycle_send_for(req, "instance-console-retrieved", req->project, inst->url, NULL);
	response_header(res, "Content-Disposition", "inline;filename=");
	response_raw(res, 200, "application/octet-stream", log, size);
	return 0;
}

static int console_delete(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;

	int r = load(req, &inst, err);
	if (r == 0)
		r = instance_console_clear(inst, err);
	if (r < 0)
		return r;

	lifecycle_send_for(req, "instance-console-reset", req->project, inst->url, NULL);
	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ "POST",   "/1.0/instances/{name}/console", console_post,   ACCESS_ENTITLED, "instance", "can_access_console", ON_OWNER, "console", instances_owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}/console", console_get,    ACCESS_ENTITLED, "instance", "can_access_console", ON_OWNER, "console", instances_owner, ROUTE_BODY_JSON, true },
	{ "DELETE", "/1.0/instances/{name}/console", console_delete, ACCESS_ENTITLED, "instance", "can_edit",           ON_OWNER, "console", instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_console_routes = ROUTE_TABLE(routes);
