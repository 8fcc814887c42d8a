/* Evacuation and restore of members, and the plans that carry them out. */
#include "daemon/api/cluster_plans.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/handover.h"
#include "cluster/plan.h"
#include "daemon/api/forwarding.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_send.h"
#include "daemon/member/member_evacuate.h"
#include "daemon/member/member_phase.h"
#include "daemon/member/member_plan.h"
#include "daemon/member/member_plan_act.h"
#include "daemon/member/member_plan_operation.h"
#include "daemon/member/member_progress.h"
#include "daemon/member/member_service.h"
#include "daemon/member/member_sizes.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"

/*
 * The leader that is to be evacuated lets another one lead first, which coordinates the plan then.
 * '*ret_address' is where the request is to go, or NULL: it stays here.
 */
static int hand_over(struct request *req, const struct member_evacuate *evacuate,
                     char **ret_address, struct error **err)
{
	scoped_free char *here = state_member_name(req->state);
	scoped_free char *own = NULL;
	scoped_free char *address = NULL;
	scoped(error_freep) struct error *failed = NULL;

	*ret_address = NULL;
	if (evacuate->is_restore || strcmp(here, evacuate->member) != 0)
		return 0;
	if (handover_leadership(req->state->cluster, &failed) < 0) {
		log_info("Leadership stays here: %s", failed->msg);
		return 0;
	}

	int r = cluster_leader_address(req->state->cluster, &address, err);
	if (r < 0)
		return r;

	own = cluster_member_address(req->state->cluster);
	if (*address && strcmp(address, own) != 0)
		*ret_address = TAKE_PTR(address);
	return 0;
}

static int begin(struct request *req, struct response *res, const struct member_evacuate *evacuate,
                 struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *address = NULL;

	int r = hand_over(req, evacuate, &address, err);
	if (r < 0)
		return r;
	if (address)
		return forwarding_send(req, res, address, err);

	r = member_evacuate_begin(req, evacuate, &op, err);
	if (r < 0)
		return r;
	if (operation_status(op) == OPERATION_PENDING)
		return response_operation(res, op, err);

	/* The plan was under way: whoever asks follows the same operation. */
	scoped_free char *url = operation_url(op);
	response_async(res, url, operation_json(op, false));
	return 0;
}

static int member_state_post(struct request *req, struct response *res, struct error **err)
{
	struct member_evacuate evacuate = { 0 };
	struct json_object *body = NULL;
	struct json_object *plan = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = member_evacuate_parse(body, request_param(req, "name"), &evacuate, err);
	if (r < 0)
		return r;

	r = member_evacuate_check(req, &evacuate, err);
	if (r == 0 && evacuate.is_dry) {
		r = member_evacuate_dry_run(req->state, &evacuate, &plan, err);
		if (r == 0)
			response_sync(res, plan);
	} else if (r == 0) {
		r = begin(req, res, &evacuate, err);
	}
	return r;
}

static int list_all(struct db_tx *tx, void *arg, struct error **err)
{
	return db_plan_list(tx, NULL, 0, arg, err);
}

static int plans_list(struct request *req, struct response *res, struct error **err)
{
	struct db_plans plans = { 0 };
	struct json_object *list = jv_array();

	int r = db_read(req->state->db, list_all, &plans, err);
	for (size_t i = 0; r == 0 && i < plans.n; i++) {
		struct db_plan plan = { 0 };
		struct db_plan_steps steps = { 0 };

		if (req->recursion == 0) {
			jv_add_take(list,
			            jv_of_stringf("/1.0/cluster/plans/%s", plans.rows[i].uuid));
			continue;
		}
		r = member_plan_load(req->state, plans.rows[i].uuid, &plan, &steps, err);
		if (r == 0)
			jv_add_take(list, plan_json(&plan, steps.rows, steps.n, false));
		db_plan_done(&plan);
		db_plan_step_list_done(&steps);
	}
	db_plan_list_done(&plans);
	if (r < 0) {
		json_object_put(list);
		return r;
	}

	response_sync(res, list);
	return 0;
}

static int plan_get(struct request *req, struct response *res, struct error **err)
{
	struct db_plan plan = { 0 };
	struct db_plan_steps steps = { 0 };

	int r = member_plan_load(req->state, request_param(req, "uuid"), &plan, &steps, err);
	if (r < 0)
		return r;

	response_sync(res, plan_json(&plan, steps.rows, steps.n, true));
	db_plan_done(&plan);
	db_plan_step_list_done(&steps);
	return 0;
}

static int plan_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body = NULL;
	const char *action = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_string(body, "action", &action, err);
	if (r == 0)
		r = member_plan_act(req->state, request_param(req, "uuid"), action, err);
	if (r == 0)
		r = member_plan_operation_adopt(req->state, err);
	if (r == 0)
		response_empty(res);

	return r;
}

/* The listeners open before the services are there. */
static int check_ready(const struct request *req, struct error **err)
{
	return atomic_load(&req->state->is_ready)
	               ? 0
	               : error_set(err, 503, "This member is not ready yet");
}

/* Answered from memory. */
static int progress_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body = NULL;
	const char *plan = NULL;

	int r = check_ready(req, err);
	if (r == 0)
		r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_string(body, "plan", &plan, err);
	if (r == 0)
		response_sync(res, member_progress_local(req->state, plan));

	return r;
}

/* What takes long, so it holds no request thread. */
struct job {
	struct state *state;
	struct json_object *body;
	struct member_phase phase; /* Borrows from 'body'. */
	int (*run)(struct job *job, struct json_object **ret_answer, struct error **err);
	struct response_later *later;
};

static void job_free(struct job *job)
{
	json_object_put(job->body);
	free(job);
}

static void run_job(void *arg)
{
	struct job *job = arg;
	struct json_object *answer = NULL;
	struct error *err = NULL;

	job->run(job, &answer, &err);
	response_later_send(job->later, answer, err);
	job_free(job);
}

static int job_new(struct request *req, struct job **ret_job, struct error **err)
{
	struct json_object *body = NULL;

	int r = check_ready(req, err);
	if (r == 0)
		r = request_json(req, &body, err);
	if (r < 0)
		return r;

	*ret_job = xcalloc(1, sizeof(**ret_job));
	(*ret_job)->state = req->state;
	(*ret_job)->body = jv_copy(body);
	return 0;
}

static void job_start_take(struct job *job, struct response *res)
{
	job->later = response_defer(res);
	if (worker_submit(job->state->members->phases, run_job, job) < 0) {
		struct error *busy = NULL;

		error_set(&busy, 503, "This member is too busy");
		response_later_send(job->later, NULL, busy);
		job_free(job);
	}
}

static int run_sizes(struct job *job, struct json_object **ret_answer, struct error **err)
{
	return member_sizes_local(job->state, job->body, ret_answer, err);
}

/* Looks at files for a while. */
static int sizes_post(struct request *req, struct response *res, struct error **err)
{
	struct job *job;

	int r = job_new(req, &job, err);
	if (r < 0)
		return r;

	job->run = run_sizes;
	job_start_take(job, res);
	return 0;
}

static int run_phase(struct job *job, struct json_object **ret_answer, struct error **err)
{
	return member_phase_run(job->state, &job->phase, ret_answer, err);
}

static int phase_post(struct request *req, struct response *res, struct error **err)
{
	struct job *job;

	int r = job_new(req, &job, err);
	if (r < 0)
		return r;

	job->run = run_phase;
	r = member_phase_parse(job->body, &job->phase, err);
	if (r < 0) {
		job_free(job);
		return r;
	}

	job_start_take(job, res);
	return 0;
}

struct sending {
	struct state *state;
	struct instance_send *send;
};

static void send_upgraded(struct stream *stream_take, void *arg)
{
	struct sending *sending = arg;

	instance_send_start(sending->state, sending->send, stream_take);
	free(sending);
}

static int query_number(const struct request *req, const char *key, uint64_t *ret_value,
                        struct error **err)
{
	const char *text = request_query(req, key);

	if (text && parse_uint64(text, ret_value) < 0)
		return error_set(err, 400, "Invalid value for \"%s\"", key);

	return 0;
}

static int volume_send(struct request *req, struct response *res, struct error **err)
{
	const char *instance = request_query(req, "instance");
	const char *snapshot = request_query(req, "snapshot");
	uint64_t pass = 0;
	uint64_t is_last = 0;
	uint64_t is_refresh = 0;
	uint64_t is_alone = 0;
	uint64_t bandwidth = 0;

	if (!instance)
		return error_set(err, 400, "No instance");

	int r = check_ready(req, err);
	if (r == 0)
		r = query_number(req, "pass", &pass, err);
	if (r == 0)
		r = query_number(req, "last", &is_last, err);
	if (r == 0)
		r = query_number(req, "refresh", &is_refresh, err);
	if (r == 0)
		r = query_number(req, "alone", &is_alone, err);
	if (r == 0)
		r = query_number(req, "bandwidth", &bandwidth, err);
	if (r < 0)
		return r;

	struct sending *sending = xcalloc(1, sizeof(*sending));
	sending->state = req->state;
	sending->send = xcalloc(1, sizeof(*sending->send));
	*sending->send = (struct instance_send){
		.project = xstrdup(req->project),
		.instance = xstrdup(instance),
		.snapshot = snapshot && *snapshot ? xstrdup(snapshot) : NULL,
		.pass = (unsigned)pass,
		.is_last = is_last != 0,
		.is_refresh = is_refresh != 0,
		.is_alone = is_alone != 0,
		.bandwidth = bandwidth,
	};
	response_upgrade(res, "volume", send_upgraded, sending);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ "POST", "/1.0/cluster/members/{name}/state", member_state_post, ACCESS_ENTITLED, "server", "can_edit", ON_LEADER,     "clustering_evacuation", NULL, ROUTE_BODY_JSON, false },
	{ "GET",  "/1.0/cluster/plans",                plans_list,        ACCESS_TRUSTED,  NULL,     NULL,       ON_ANY_MEMBER, "cluster_plans",         NULL, ROUTE_BODY_JSON, false },
	{ "GET",  "/1.0/cluster/plans/{uuid}",         plan_get,          ACCESS_TRUSTED,  NULL,     NULL,       ON_ANY_MEMBER, "cluster_plans",         NULL, ROUTE_BODY_JSON, false },
	{ "POST", "/1.0/cluster/plans/{uuid}",         plan_post,         ACCESS_ENTITLED, "server", "can_edit", ON_LEADER,     "cluster_plans",         NULL, ROUTE_BODY_JSON, false },
	{ "POST", "/internal/plans/phase",             phase_post,        ACCESS_PEER,     NULL,     NULL,       ON_ANY_MEMBER, NULL,                    NULL, ROUTE_BODY_JSON, false },
	{ "POST", "/internal/plans/progress",          progress_post,     ACCESS_PEER,     NULL,     NULL,       ON_ANY_MEMBER, NULL,                    NULL, ROUTE_BODY_JSON, false },
	{ "POST", "/internal/plans/sizes",             sizes_post,        ACCESS_PEER,     NULL,     NULL,       ON_ANY_MEMBER, NULL,                    NULL, ROUTE_BODY_JSON, false },
	{ "POST", "/internal/volumes/send",            volume_send,       ACCESS_PEER,     NULL,     NULL,       ON_ANY_MEMBER, NULL,                    NULL, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table cluster_plans_routes = ROUTE_TABLE(routes);
