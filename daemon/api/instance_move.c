#include "daemon/api/instance_move.h"

#include <string.h>

#include "cluster/cluster.h"
#include "cluster/connect.h"
#include "daemon/api/instance_job.h"
#include "daemon/auth/auth.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_transfer.h"
#include "daemon/member/member_move.h"
#include "daemon/project/project_limits.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"

/* The leader carries plans out; its operation is the answer. */
static int ask_leader(struct request *req, struct response *res, const struct member_move *move,
                      struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = member_move_json(move);
	scoped_free char *requestor = auth_forward_header(req->requestor);
	const struct connect_header header = { AUTH_REQUESTOR_HEADER, requestor };
	const struct connect_call call = {
		.method = "POST",
		.path = "/internal/plans/move",
		.body = body,
		.headers = &header,
		.n_headers = 1,
	};
	struct json_object *operation = NULL;

	int r = connect_call_leader(req->state->cluster, &call, &operation, err);
	if (r < 0)
		return r;

	scoped_free char *url = xasprintf("/1.0/operations/%s", jv_text(operation, "id"));
	response_async(res, url, operation);
	return 0;
}

static int move_begin(struct request *req, struct response *res, const struct member_move *move,
                      struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;

	int r = member_move_begin(req, move, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

static int to_member(struct request *req, struct response *res, const struct instance *inst,
                     struct error **err)
{
	const struct db_instance *row = &inst->row->row;
	const struct member_move move = {
		.project = row->project,
		.instance = row->name,
		.target = req->target,
	};

	if (!state_is_clustered(req->state))
		return error_set(err, 400, "This server is not clustered");

	int r = project_limits_check_target(db_cache_project(inst->view, row->project), req->target,
	                                    err);
	if (r < 0)
		return r;
	if (cluster_is_leader(req->state->cluster))
		return move_begin(req, res, &move, err);

	return ask_leader(req, res, &move, err);
}

static int run_transfer(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;

	return instance_transfer(job->state, job->project, job->name, job->text, job->new_name, op,
	                         err);
}

/* To another pool or project of this member. */
static int to_place(struct request *req, struct response *res, const struct instance *inst,
                    struct json_object *body, struct error **err)
{
	const char *pool = NULL;
	const char *project = NULL;

	int r = jv_get_string(body, "pool", &pool, err);
	if (r >= 0)
		r = jv_get_string(body, "project", &project, err);
	if (r < 0)
		return r;

	pool = pool && *pool ? pool : NULL;
	project = project && *project ? project : NULL;
	if (!pool && !project)
		return error_set(err, 501, "Migration between servers is not supported");
	if (project && strcmp(project, req->project) != 0) {
		r = request_authorize(req, "project", "can_create_instances", project, err);
		if (r < 0)
			return r;
	}

	r = instance_transfer_check(inst, pool, project, err);
	if (r < 0)
		return r;

	scoped_free char *url =
		lifecycle_url(project ? project : req->project,
	                      (const char *const[]){ "instances", inst->row->row.name, NULL });
	return instance_job_start(req, res, inst,
	                          &(struct instance_job_spec){
					  .description = "Migrating instance",
					  .entity_url = url,
					  .original_url = inst->url,
					  .run = run_transfer,
					  .text = pool,
					  .new_name = project,
				  },
	                          err);
}

int instance_move_post(struct request *req, struct response *res, const struct instance *inst,
                       struct json_object *body, struct error **err)
{
	const char *name = NULL;

	int r = jv_get_string(body, "name", &name, err);
	if (r < 0)
		return r;
	if (name && *name && strcmp(name, inst->row->row.name) != 0)
		return error_set(err, 400, "An instance cannot be moved and renamed at once");
	if (req->target && *req->target)
		return to_member(req, res, inst, err);

	return to_place(req, res, inst, body, err);
}

static int plans_move(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body = NULL;
	struct member_move move;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = member_move_parse(body, &move, err);

	return r < 0 ? r : move_begin(req, res, &move, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ "POST", "/internal/plans/move", plans_move, ACCESS_PEER, NULL, NULL, ON_LEADER, NULL, NULL, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_move_routes = ROUTE_TABLE(routes);
