#include "daemon/member/member_plan_act.h"

#include <string.h>

#include "cluster/plan.h"
#include "daemon/core/state.h"
#include "db/instances.h"
#include "db/plans.h"

static int list_open(struct db_tx *tx, void *arg, struct error **err)
{
	static const int64_t open[] = { PLAN_STATE_RUNNING, PLAN_STATE_PAUSED,
		                        PLAN_STATE_CANCELLING, PLAN_STATE_UNDOING };

	return db_plan_list(tx, open, COUNT_OF(open), arg, err);
}

struct acting {
	const char *uuid;
	const char *action;
	int64_t to;
	bool (*applies)(int64_t state);
};

static bool is_paused_or_runs(int64_t state)
{
	return state == PLAN_STATE_RUNNING || state == PLAN_STATE_PAUSED;
}

static bool has_failed(int64_t state)
{
	return state == PLAN_STATE_FAILED || state == PLAN_STATE_CANCELLED;
}

static bool may_be_undone(int64_t state)
{
	return state != PLAN_STATE_UNDONE && state != PLAN_STATE_UNDOING;
}

/* What was undone is planned again, with the epoch that the instance has now. */
static int plan_again(struct db_tx *tx, const struct db_plan *plan, struct error **err)
{
	struct db_plan_steps steps = { 0 };

	int r = db_plan_step_list(tx, plan->id, &steps, err);
	for (size_t i = 0; r == 0 && i < steps.n; i++) {
		struct db_plan_step *step = &steps.rows[i];
		scoped(error_freep) struct error *gone = NULL;
		struct db_instance inst = { 0 };

		if (step->phase != PLAN_PHASE_UNDONE || step->instance_id == 0 ||
		    db_instance_get_by_id(tx, step->instance_id, &inst, &gone) < 0)
			continue;
		if (strcmp(inst.member, step->source) == 0) {
			step->epoch = inst.epoch;
			step->phase = PLAN_PHASE_PLANNED;
			r = db_plan_step_update(tx, step, PLAN_PHASE_UNDONE, err);
		}
		db_instance_done(&inst);
	}
	db_plan_step_list_done(&steps);
	return r;
}

/* An ended plan is opened again only while no other one is open. */
static int check_alone(struct db_tx *tx, const struct db_plan *plan, struct error **err)
{
	struct db_plans plans = { 0 };

	if (plan_state_is_open(plan->state))
		return 0;

	int r = list_open(tx, &plans, err);
	if (r == 0 && plans.n > 0)
		r = error_set(err, 400, "Plan \"%s\" is being carried out", plans.rows[0].uuid);
	db_plan_list_done(&plans);
	return r;
}

static int act(struct db_tx *tx, void *arg, struct error **err)
{
	const struct acting *acting = arg;
	struct db_plan plan = { 0 };

	int r = db_plan_get(tx, acting->uuid, &plan, err);
	if (r < 0)
		return r;

	if (!acting->applies(plan.state))
		r = error_set(err, 400, "Cannot %s the plan: it is %s", acting->action,
		              plan_state_name(plan.state));
	if (r == 0)
		r = check_alone(tx, &plan, err);
	if (r == 0 && strcmp(acting->action, "retry") == 0)
		r = plan_again(tx, &plan, err);
	if (r == 0 && plan.state != acting->to)
		r = db_plan_set_state(tx, plan.id, plan.state, acting->to, "", err);
	db_plan_done(&plan);
	return r;
}

int member_plan_act(struct state *state, const char *uuid, const char *action, struct error **err)
{
	static const struct {
		const char *name;
		int64_t to;
		bool (*applies)(int64_t state);
	} actions[] = {
		{ "pause", PLAN_STATE_PAUSED, is_paused_or_runs },
		{ "resume", PLAN_STATE_RUNNING, is_paused_or_runs },
		{ "cancel", PLAN_STATE_CANCELLING, is_paused_or_runs },
		{ "retry", PLAN_STATE_RUNNING, has_failed },
		{ "undo", PLAN_STATE_UNDOING, may_be_undone },
	};

	for (size_t i = 0; i < COUNT_OF(actions); i++) {
		struct acting acting = {
			.uuid = uuid,
			.action = action,
			.to = actions[i].to,
			.applies = actions[i].applies,
		};

		if (strcmp(actions[i].name, action) == 0)
			return db_write(state->db, act, &acting, err);
	}
	return error_set(err, 400, "Unknown action \"%s\"", action);
}
