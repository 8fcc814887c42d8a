/* /1.0/instances/{name}/logs: files of the driver, and recorded output of commands. */
#include "daemon/api/instance_logs.h"

#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/instance/instance_logs.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"

static int list(struct request *req, struct response *res, enum instance_logs_kind kind,
                struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	struct json_object *urls = NULL;

	int r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r == 0)
		r = instance_logs_list(inst, kind, &urls, err);
	if (r == 0)
		response_sync(res, urls);

	return r;
}

static void send_event(struct request *req, const struct instance *inst, const char *action,
                       const char *file)
{
	struct json_object *context = jv_object();

	jv_set_string(context, "file", file);
	lifecycle_send_for(req, action, req->project, inst->url, context);
}

static int get(struct request *req, struct response *res, enum instance_logs_kind kind,
               struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *file = xstrdup(request_param(req, "file"));
	uint64_t size = 0;
	int fd = -1;

	int r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r == 0)
		r = instance_logs_open(inst, kind, file, &fd, &size, err);
	if (r < 0)
		return r;

	send_event(req, inst, "instance-log-retrieved", file);
	response_file(res, NULL, file, fd, size);
	return 0;
}

static int remove_one(struct request *req, struct response *res, enum instance_logs_kind kind,
                      struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	const char *file = request_param(req, "file");

	int r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r == 0)
		r = instance_logs_delete(inst, kind, file, err);
	if (r < 0)
		return r;

	send_event(req, inst, "instance-log-deleted", file);
	response_empty(res);
	return 0;
}

static int logs_list(struct request *req, struct response *res, struct error **err)
{
	return list(req, res, INSTANCE_LOGS_OF_DRIVER, err);
}

static int log_get(struct request *req, struct response *res, struct error **err)
{
	return get(req, res, INSTANCE_LOGS_OF_DRIVER, err);
}

static int log_delete(struct request *req, struct response *res, struct error **err)
{
	return remove_one(req, res, INSTANCE_LOGS_OF_DRIVER, err);
}

static int recorded_list(struct request *req, struct response *res, struct error **err)
{
	return list(req, res, INSTANCE_LOGS_OF_EXEC, err);
}

static int recorded_get(struct request *req, struct response *res, struct error **err)
{
	return get(req, res, INSTANCE_LOGS_OF_EXEC, err);
}

static int recorded_delete(struct request *req, struct response *res, struct error **err)
{
	return remove_one(req, res, INSTANCE_LOGS_OF_EXEC, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET",    "/1.0/instances/{name}/logs",                    logs_list,       ACCESS_ENTITLED, "instance", "can_view", ON_OWNER, "instances",                instances_owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}/logs/exec-output",        recorded_list,   ACCESS_ENTITLED, "instance", "can_exec", ON_OWNER, "container_exec_recording", instances_owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}/logs/exec-output/{file}", recorded_get,    ACCESS_ENTITLED, "instance", "can_exec", ON_OWNER, "container_exec_recording", instances_owner, ROUTE_BODY_JSON, true },
	{ "DELETE", "/1.0/instances/{name}/logs/exec-output/{file}", recorded_delete, ACCESS_ENTITLED, "instance", "can_exec", ON_OWNER, "container_exec_recording", instances_owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}/logs/{file}",             log_get,         ACCESS_ENTITLED, "instance", "can_view", ON_OWNER, "instances",                instances_owner, ROUTE_BODY_JSON, true },
	{ "DELETE", "/1.0/instances/{name}/logs/{file}",             log_delete,      ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "instances",                instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_logs_routes = ROUTE_TABLE(routes);
