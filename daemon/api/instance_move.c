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
#include "daemon/instance/instance_rename.h"
#include "daemon/instance/instance_transfer.h"
#include "daemon/member/member_move.h"
#include "daemon/project/project_limits.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
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

/* Under its new name, if it gets one, before it goes; back if it does not go. */
static int rename_first(const struct request *req, const struct instance *inst, const char *name,
                        struct error **err)
{
	const struct db_instance *row = &inst->row->row;

	int r = instance_rename_check(inst, name, err);
	return r < 0 ? r : instance_rename(req->state, row->project, row->name, name, NULL, err);
}

static int to_member(struct request *req, struct response *res, const struct instance *inst,
                     const char *name, struct error **err)
{
	const struct db_instance *row = &inst->row->row;
	bool is_renamed = !str_is_empty(name) && !str_equals(name, row->name);
	scoped(error_freep) struct error *undo = NULL;
	const struct member_move move = {
		.project = row->project,
		.instance = is_renamed ? name : row->name,
		.target = req->target,
	};

	if (!state_is_clustered(req->state))
		return error_set(err, 400, "This server is not clustered");

	int r = project_limits_check_target(db_cache_project(inst->view, row->project), req->target,
	                                    err);
	if (r == 0 && is_renamed)
		r = rename_first(req, inst, name, err);
	if (r < 0)
		return r;

	r = cluster_is_leader(req->state->cluster) ? move_begin(req, res, &move, err)
	                                           : ask_leader(req, res, &move, err);
	if (r < 0 && is_renamed &&
	    instance_rename(req->state, row->project, name, row->name, NULL, &undo) < 0)
		log_warn("Failed renaming \"%s\" back: %s", name, undo->msg);
	return r;
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
	if (req->target && *req->target)
		return to_member(req, res, inst, name, err);

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
