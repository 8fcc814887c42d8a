/* /1.0/instances/{name}/state: what an instance does and uses; start, stop and the like. */
#include "daemon/api/instance_state.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_json.h"
#include "daemon/instance/instance_power.h"
#include "db/members.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"

/* As LXD: who names no timeout waits for ever. */
#define DEFAULT_TIMEOUT_S (-1)

static int state_get(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	struct json_object *state = NULL;

	int r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r == 0)
		r = instance_json_state(inst, INSTANCE_JSON_ALL, &state, err);
	if (r == 0)
		response_sync(res, state);

	return r;
}

struct change {
	struct state *state;
	char *project;
	char *name;
	struct instance_power_request request;
};

static void free_change(void *arg)
{
	struct change *change = arg;

	free(change->project);
	free(change->name);
	free(change);
}

static int run_change(struct operation *op, void *arg, struct error **err)
{
	const struct change *change = arg;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;

	int r = instance_lock(change->state, change->project, change->name,
	                      operation_cancel_token(op), &lock, &inst, err);
	if (r < 0)
		return r;

	return instance_power_change(inst, op, &change->request, err);
}

int instance_state_read(struct json_object *body, struct instance_power_request *ret_request,
                        struct error **err)
{
	const char *action = NULL;
	int64_t timeout = DEFAULT_TIMEOUT_S;
	bool is_stateful = false;

	int r = jv_get_string(body, "action", &action, err);
	if (r >= 0)
		r = jv_get_int(body, "timeout", &timeout, err);
	if (r >= 0)
		r = jv_get_bool(body, "force", &ret_request->is_forced, err);
	if (r >= 0)
		r = jv_get_bool(body, "stateful", &is_stateful, err);
	if (r < 0)
		return r;

	int parsed = action ? instance_power_parse(action) : -1;
	if (parsed < 0)
		return error_set(err, 400, "Unknown action: \"%s\"", action ? action : "");
	if (timeout < -1 || timeout > INT32_MAX)
		return error_set(err, 400, "Invalid timeout %lld", (long long)timeout);
	if (is_stateful)
		return error_set(err, 400, "Stateful %s is not supported for containers", action);

	ret_request->action = (enum instance_action)parsed;
	ret_request->timeout_s = (int)timeout;
	return 0;
}

/* Everything but a stop is refused on a member that is evacuated. */
static int check_member(const struct instance *inst, enum instance_action action,
                        struct error **err)
{
	const struct db_member *member = db_cache_member(inst->view, inst->row->row.member);

	if (action != INSTANCE_STOP && member && member->state == DB_MEMBER_EVACUATED)
		return error_set(err, 403, "Cluster member is evacuated");

	return 0;
}

static int state_put(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(operation_unrefp) struct operation *op = NULL;
	struct instance_power_request request = { 0 };
	struct json_object *body = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = instance_state_read(body, &request, err);
	if (r == 0)
		r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r == 0)
		r = check_member(inst, request.action, err);
	if (r == 0)
		r = instance_power_check(inst, request.action, err);
	if (r < 0)
		return r;

	struct change *change = xcalloc(1, sizeof(*change));
	change->state = req->state;
	change->project = xstrdup(req->project);
	change->name = xstrdup(inst->row->row.name);
	change->request = request;
	const struct operation_spec spec = {
		.description = instance_power_description(request.action),
		.project = req->project,
		.entity_url = inst->url,
		.run = run_change,
		.free_arg = free_change,
		.arg = change,
	};
	r = operation_new_for(req, &spec, &op, err);
	if (r < 0)
		return r;

	operation_add_resource(op, "instances", inst->url);
	return response_operation(res, op, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET", "/1.0/instances/{name}/state", state_get, ACCESS_ENTITLED, "instance", "can_view",         ON_OWNER, "instances", instances_owner, ROUTE_BODY_JSON, false },
	{ "PUT", "/1.0/instances/{name}/state", state_put, ACCESS_ENTITLED, "instance", "can_update_state", ON_OWNER, "instances", instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_state_routes = ROUTE_TABLE(routes);
