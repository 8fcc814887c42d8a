#include "daemon/member/member_plan_operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/plan.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/member/member.h"
#include "daemon/member/member_plan.h"
#include "daemon/member/member_service.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

struct plan_job {
	struct state *state;
	char *uuid;
};

static int run_operation(struct operation *op, void *arg, struct error **err)
{
	const struct plan_job *job = arg;

	return member_plan_run(job->state, job->uuid, op, err);
}

/* Also when it never ran. A plan that is still open is looked for again a little later. */
static void free_job(void *arg)
{
	struct plan_job *job = arg;

	member_plan_unclaim(job->state, job->uuid);
	member_service_wake_later(job->state);
	free(job->uuid);
	free(job);
}

static const char *description(const struct db_plan *plan)
{
	if (strcmp(plan->kind, "move") == 0)
		return "Migrating instance";

	return strcmp(plan->kind, "restore") == 0 ? "Restoring cluster member"
	                                          : "Evacuating cluster member";
}

/* Of the member that the plan is about, or of the one instance that it moves. */
static char *entity_url(const struct db_plan *plan)
{
	scoped(jv_unrefp) struct json_object *options = NULL;
	scoped(error_freep) struct error *none = NULL;

	if (strcmp(plan->kind, "move") == 0 &&
	    jv_parse_object(plan->options, strlen(plan->options), &options, &none) == 0)
		return lifecycle_url(
			jv_text(options, "project"),
			(const char *const[]){ "instances", jv_text(options, "instance"), NULL });

	return lifecycle_url(NULL,
	                     (const char *const[]){ "cluster", "members", plan->member, NULL });
}

static struct json_object *requestor_json(const struct db_plan *plan)
{
	struct json_object *who = NULL;
	scoped(error_freep) struct error *none = NULL;

	if (plan->requestor && *plan->requestor)
		(void)jv_parse_object(plan->requestor, strlen(plan->requestor), &who, &none);

	return who;
}

static struct requestor *requestor_of(const struct db_plan *plan)
{
	scoped(jv_unrefp) struct json_object *who = requestor_json(plan);

	return who ? access_new(REQUESTOR_ADMIN, jv_text(who, "username"), jv_text(who, "protocol"),
	                        jv_text(who, "address"))
	           : NULL;
}

int member_plan_operation(struct state *state, const struct db_plan *plan,
                          struct operation **ret_op, struct error **err)
{
	scoped(access_unrefp) struct requestor *requestor = requestor_of(plan);
	scoped_free char *url = entity_url(plan);

	if (!member_plan_claim(state, plan->uuid)) {
		error_set(err, 409, "The plan is carried out already");
		return -EALREADY;
	}

	struct plan_job *job = xcalloc(1, sizeof(*job));
	job->state = state;
	job->uuid = xstrdup(plan->uuid);
	const struct operation_spec spec = {
		.id = plan->uuid,
		.description = description(plan),
		.entity_url = url,
		.requestor = requestor,
		.run = run_operation,
		.free_arg = free_job,
		.arg = job,
	};
	return operation_new(state, &spec, ret_op, err);
}

static int list_open(struct db_tx *tx, void *arg, struct error **err)
{
	static const int64_t open[] = { PLAN_STATE_RUNNING, PLAN_STATE_PAUSED,
		                        PLAN_STATE_CANCELLING, PLAN_STATE_UNDOING };

	return db_plan_list(tx, open, COUNT_OF(open), arg, err);
}

int member_plan_operation_adopt(struct state *state, struct error **err)
{
	struct db_plans plans = { 0 };

	if (!cluster_is_leader(state->cluster))
		return 0;

	int r = db_query(state->db, list_open, &plans, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < plans.n; i++) {
		scoped(operation_unrefp) struct operation *op = NULL;
		scoped(error_freep) struct error *failed = NULL;

		r = member_plan_operation(state, &plans.rows[i], &op, &failed);
		if (r == -EALREADY)
			continue;

		log_info("Taking over plan %s", plans.rows[i].uuid);
		if (r < 0 || operation_start(op, &failed) < 0)
			log_warn("Failed taking over plan %s: %s", plans.rows[i].uuid, failed->msg);
	}
	db_plan_list_done(&plans);
	return 0;
}

/* A plan that was undone since a step failed has failed. */
static enum operation_status status_of(const struct db_plan *plan)
{
	if (plan_state_is_open(plan->state))
		return plan->state == PLAN_STATE_CANCELLING ? OPERATION_CANCELLING
		                                            : OPERATION_RUNNING;
	if (plan->state == PLAN_STATE_CANCELLED)
		return OPERATION_CANCELLED;

	return plan->state == PLAN_STATE_FAILED || *plan->error ? OPERATION_FAILURE
	                                                        : OPERATION_SUCCESS;
}

int member_plan_operation_json(struct state *state, const char *uuid, struct json_object **ret_json,
                               struct error **err)
{
	struct db_plan plan = { 0 };
	struct db_plan_steps steps = { 0 };

	int r = member_plan_load(state, uuid, &plan, &steps, err);
	if (r < 0)
		return r;

	scoped_free char *url = entity_url(&plan);
	struct json_object *metadata = member_plan_metadata(&plan, &steps);
	struct json_object *who = requestor_json(&plan);
	const struct operation_view view = {
		.id = plan.uuid,
		.description = description(&plan),
		.status = status_of(&plan),
		.created = plan.created,
		.updated = plan.updated,
		.may_cancel = true,
		.metadata = metadata,
		.error = plan.error,
	};

	jv_set_string(metadata, "entity_url", url);
	*ret_json = operation_view_json(state, &view);
	if (who)
		jv_set_take(*ret_json, "requestor", who);
	json_object_put(metadata);
	db_plan_done(&plan);
	db_plan_step_list_done(&steps);
	return 0;
}
