/* /1.0/instances/{name}/exec: commands inside an instance. */
#include "daemon/api/instance_exec.h"

#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/instance/instance_exec.h"

static int exec_post(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_exec_request_done) struct instance_exec_request request = { 0 };
	scoped(operation_unrefp) struct operation *op = NULL;
	struct instance *inst = NULL;
	struct json_object *body = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = instance_exec_parse(body, &request, err);
	if (r == 0)
		r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r == 0)
		r = instance_exec(inst, &request, req->requestor, &op, err);
	if (r < 0)
		return r;

	return response_operation(res, op, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ "POST", "/1.0/instances/{name}/exec", exec_post, ACCESS_ENTITLED, "instance", "can_exec", ON_OWNER, "instances", instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_exec_routes = ROUTE_TABLE(routes);
