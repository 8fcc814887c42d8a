#include "daemon/member/member_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/plan.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/member/member_service.h"
#include "daemon/member/member_step.h"
#include "db/members.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define DEFAULT_PARALLEL 8
#define LOOK_MS 500 /* How often the plan's state is read while nothing else happens. */

/* A plan while this member carries it out. */
struct running {
	struct mutex mutex;
	struct cond changed; /* A step has ended. */
	struct state *state;
	struct operation *op;
	struct db_plan plan;
	struct db_plan_steps steps; /* Copies; the steps under way have their own. */
	bool *is_busy;              /* By step. */
	bool *is_stuck;             /* By step: could go neither on nor back. */
	size_t n_busy;
	int64_t term;
	bool is_replaced;
	bool has_failed;
	struct member_plan_options options;
};

struct job {
	struct running *running;
	size_t index;
	struct member_step step;
};

int member_plan_read_options(struct json_object *body, struct member_plan_options *ret_options,
                             char **ret_json, struct error **err)
{
	struct member_plan_options options = { 0 };
	const char *on_error = "continue";
	struct json_object *json;

	int r = jv_get_int(body, "max_parallel", &options.max_parallel, err);
	if (r >= 0)
		r = jv_get_int(body, "bandwidth", &options.bandwidth, err);
	if (r >= 0)
		r = jv_get_string(body, "on_error", &on_error, err);
	if (r < 0)
		return r;
	if (options.max_parallel < 0 || options.max_parallel > MEMBER_MAX_STEPS)
		return error_set(err, 400, "Invalid max_parallel: must be between 1 and %d",
		                 MEMBER_MAX_STEPS);
	if (options.bandwidth < 0)
		return error_set(err, 400, "Invalid bandwidth: must not be negative");

	options.stops_on_error = strcmp(on_error, "stop") == 0;
	options.undoes_on_error = strcmp(on_error, "rollback") == 0;
	if (!options.stops_on_error && !options.undoes_on_error &&
	    strcmp(on_error, "continue") != 0)
		return error_set(err, 400, "Invalid on_error \"%s\"", on_error);

	json = jv_object();
	jv_set_int(json, "max_parallel", options.max_parallel);
	jv_set_int(json, "bandwidth", options.bandwidth);
	jv_set_string(json, "on_error", on_error);
	if (ret_json)
		*ret_json = jv_print_text(json, NULL);
	json_object_put(json);
	*ret_options = options;
	return 0;
}

struct loading {
	const char *uuid;
	struct db_plan *plan;
	struct db_plan_steps *steps;
};

static int load(struct db_tx *tx, void *arg, struct error **err)
{
	struct loading *loading = arg;

	int r = db_plan_get(tx, loading->uuid, loading->plan, err);
	if (r < 0)
		return r;

	r = db_plan_step_list(tx, loading->plan->id, loading->steps, err);
	if (r < 0)
		db_plan_done(loading->plan);
	return r;
}

int member_plan_load(struct state *state, const char *uuid, struct db_plan *ret_plan,
                     struct db_plan_steps *ret_steps, struct error **err)
{
	struct loading loading = { .uuid = uuid, .plan = ret_plan, .steps = ret_steps };

	return db_read(state->db, load, &loading, err);
}

struct taking {
	const char *uuid;
	struct operation *op;
	struct running *running;
};

static int take(struct db_tx *tx, void *arg, struct error **err)
{
	struct taking *taking = arg;
	struct running *running = taking->running;

	db_plan_done(&running->plan);
	db_plan_step_list_done(&running->steps);
	int r = db_plan_get(tx, taking->uuid, &running->plan, err);
	if (r == 0)
		r = db_plan_take(tx, running->plan.id, &running->term, err);
	if (r == 0 && taking->op)
		r = db_plan_set_operation(tx, running->plan.id, operation_id(taking->op), err);
	if (r == 0)
		r = db_plan_step_list(tx, running->plan.id, &running->steps, err);

	return r;
}

/* What the operation shows. Called with the lock held; only copies are read. */
static void show(struct running *running) REQUIRES(running->mutex)
{
	if (!running->op)
		return;

	scoped_free char *text = plan_progress_text(running->steps.rows, running->steps.n);
	operation_set_metadata_key(
		running->op, "plan",
		plan_json(&running->plan, running->steps.rows, running->steps.n, false));
	operation_set_metadata_key(running->op, "evacuation_progress", jv_of_string(text));
}

static void copy_text(char **to, const char *from)
{
	free(*to);
	*to = xstrdup(from ? from : "");
}

/* Takes over what a step under way says of itself. */
static void step_changed(void *arg) NO_LOCK_CHECK
{
	struct job *job = arg;
	struct running *running = job->running;
	struct db_plan_step *row = &running->steps.rows[job->index];

	mutex_lock(&running->mutex);
	row->phase = job->step.row.phase;
	row->attempt = job->step.row.attempt;
	row->epoch = job->step.row.epoch;
	row->was_running = job->step.row.was_running;
	row->bytes_total = job->step.row.bytes_total;
	row->bytes_done = job->step.row.bytes_done;
	row->started = job->step.row.started;
	row->updated = job->step.row.updated;
	copy_text(&row->error, job->step.row.error);
	copy_text(&row->detail, job->step.row.detail);
	show(running);
	mutex_unlock(&running->mutex);
}

static void run_job(void *arg) NO_LOCK_CHECK
{
	struct job *job = arg;
	struct running *running = job->running;
	scoped(error_freep) struct error *err = NULL;

	int r = member_step_run(&job->step, &err);
	step_changed(job);

	mutex_lock(&running->mutex);
	if (r == -EEXIST) {
		running->is_replaced = true;
	} else if (r < 0) {
		log_warn("Step %lld of plan %s cannot go on: %s", (long long)job->step.row.ordinal,
		         running->plan.uuid, err->msg);
		copy_text(&running->steps.rows[job->index].error, err->msg);
		running->is_stuck[job->index] = true;
	}
	if (r < 0 || job->step.row.phase == PLAN_PHASE_UNDONE)
		running->has_failed = true;
	running->is_busy[job->index] = false;
	running->n_busy--;
	cond_broadcast(&running->changed);
	mutex_unlock(&running->mutex);
	db_plan_step_done(&job->step.row);
	free(job);
}

static struct db_plan_step copy_step(const struct db_plan_step *row)
{
	struct db_plan_step copy = *row;

	copy.project = xstrdup(row->project);
	copy.instance = xstrdup(row->instance);
	copy.source = xstrdup(row->source);
	copy.target = xstrdup(row->target);
	copy.mode = xstrdup(row->mode);
	copy.error = xstrdup(row->error);
	copy.detail = xstrdup(row->detail);
	return copy;
}

/* The ordinal of the step that must end first, or -1. */
static int64_t dependency(const struct db_plan_step *row)
{
	scoped(jv_unrefp) struct json_object *detail = NULL;
	scoped(error_freep) struct error *ignored = NULL;

	if (jv_parse_object(row->detail, strlen(row->detail), &detail, &ignored) < 0 ||
	    !jv_member(detail, "depends_on"))
		return -1;

	return jv_number(detail, "depends_on");
}

static bool may_start(const struct running *running, size_t index)
{
	const struct db_plan_step *row = &running->steps.rows[index];
	int64_t cap =
		running->options.max_parallel ? running->options.max_parallel : DEFAULT_PARALLEL;
	int64_t needed = dependency(row);
	int64_t n_source = 0;
	int64_t n_target = 0;

	if (running->is_busy[index] || running->is_stuck[index] || plan_phase_is_final(row->phase))
		return false;
	for (size_t i = 0; i < running->steps.n; i++) {
		const struct db_plan_step *other = &running->steps.rows[i];

		if (other->ordinal == needed && !plan_phase_is_final(other->phase))
			return false;
		if (!running->is_busy[i])
			continue;
		n_source += strcmp(other->source, row->source) == 0;
		n_target += strcmp(other->target, row->target) == 0;
	}
	return n_source < cap && n_target < cap;
}

static bool takes_new_steps(const struct running *running)
{
	return running->plan.state == PLAN_STATE_RUNNING && !running->is_replaced &&
	       !(running->has_failed && running->options.stops_on_error) &&
	       !atomic_load(&running->state->members->is_stopping) &&
	       !(running->op && operation_is_cancelled(running->op));
}

static void start_step(struct running *running, size_t index) REQUIRES(running->mutex)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->running = running;
	job->index = index;
	job->step = (struct member_step){
		.state = running->state,
		.plan = running->plan.uuid,
		.plan_id = running->plan.id,
		.term = running->term,
		.kind = running->plan.kind,
		.member = running->plan.member,
		.bandwidth = running->options.bandwidth,
		.row = copy_step(&running->steps.rows[index]),
		.changed = step_changed,
		.arg = job,
	};
	if (worker_submit(running->state->members->steps, run_job, job) < 0) {
		db_plan_step_done(&job->step.row);
		free(job);
		return;
	}
	running->is_busy[index] = true;
	running->n_busy++;
}

/* Steps that were begun go on to their end whatever the plan's state is. */
static void start_steps(struct running *running) REQUIRES(running->mutex)
{
	bool takes_new = takes_new_steps(running);
	bool is_stopping = atomic_load(&running->state->members->is_stopping);

	for (size_t i = 0; i < running->steps.n && running->n_busy < MEMBER_MAX_STEPS; i++) {
		bool is_begun = running->steps.rows[i].phase != PLAN_PHASE_PLANNED;

		if (running->is_replaced || is_stopping || !(takes_new || is_begun))
			continue;
		if (may_start(running, i))
			start_step(running, i);
	}
}

struct reading {
	struct running *running;
	int64_t state;
};

static int read_state(struct db_tx *tx, void *arg, struct error **err)
{
	struct reading *reading = arg;

	int r = db_plan_check_term(tx, reading->running->plan.id, reading->running->term, err);
	if (r < 0)
		return r;

	return db_get_int(tx, "SELECT state FROM plans WHERE id = ?",
	                  DB_ARGS(db_int(reading->running->plan.id)), 0, &reading->state, err);
}

/* Whether somebody paused or cancelled it, or took it over. */
static void look(struct running *running) NO_LOCK_CHECK
{
	scoped(error_freep) struct error *err = NULL;
	struct reading reading = { .running = running };

	int r = db_read(running->state->db, read_state, &reading, &err);
	mutex_lock(&running->mutex);
	if (r == 0)
		running->plan.state = reading.state;
	else if (r == -EEXIST)
		running->is_replaced = true;
	mutex_unlock(&running->mutex);
}

static void run_steps(struct running *running) NO_LOCK_CHECK
{
	mutex_lock(&running->mutex);
	for (;;) {
		start_steps(running);
		if (running->n_busy == 0)
			break;
		if (!thread_cond_wait_until(&running->changed, &running->mutex,
		                            date_deadline(LOOK_MS))) {
			mutex_unlock(&running->mutex);
			look(running);
			mutex_lock(&running->mutex);
		}
	}
	mutex_unlock(&running->mutex);
}

static bool is_finished(const struct running *running)
{
	for (size_t i = 0; i < running->steps.n; i++)
		if (!plan_phase_is_final(running->steps.rows[i].phase))
			return false;

	return true;
}

struct ending {
	struct running *running;
	int64_t to;
};

static int write_end(struct db_tx *tx, void *arg, struct error **err)
{
	const struct ending *ending = arg;
	const struct running *running = ending->running;

	int r = db_plan_check_term(tx, running->plan.id, running->term, err);
	if (r == 0)
		r = db_plan_set_state(tx, running->plan.id, running->plan.state, ending->to, NULL,
		                      err);
	if (r < 0 || ending->to != PLAN_STATE_DONE || strcmp(running->plan.kind, "restore") != 0)
		return r;

	/* Only a member that has all of its own back takes new instances again. */
	struct db_member member = { 0 };
	r = db_member_get(tx, running->plan.member, &member, err);
	if (r < 0)
		return r;

	r = db_member_set_state(tx, member.id, DB_MEMBER_CREATED, err);
	db_member_done(&member);
	return r;
}

static void tell_end(const struct running *running)
{
	scoped_free char *url = lifecycle_url(
		NULL, (const char *const[]){ "cluster", "members", running->plan.member, NULL });
	const char *action = strcmp(running->plan.kind, "restore") == 0
	                             ? "cluster-member-restored"
	                             : "cluster-member-evacuated";

	lifecycle_send(running->state, NULL, action, NULL, url, NULL);
}

/* What the end of the plan means for whoever follows the operation. */
static int end_plan(struct running *running, struct error **err)
{
	size_t n_failed = 0;
	const char *first = "";

	for (size_t i = 0; i < running->steps.n; i++) {
		if (running->steps.rows[i].phase != PLAN_PHASE_UNDONE && !running->is_stuck[i])
			continue;
		if (n_failed++ == 0)
			first = running->steps.rows[i].error;
	}

	struct ending ending = { .running = running, .to = PLAN_STATE_DONE };
	if (n_failed > 0)
		ending.to = PLAN_STATE_FAILED;
	if (!is_finished(running) && n_failed == 0)
		ending.to = PLAN_STATE_CANCELLED;

	int r = db_write(running->state->db, write_end, &ending, err);
	if (r < 0)
		return r;

	running->plan.state = ending.to;
	if (ending.to == PLAN_STATE_DONE)
		tell_end(running);
	if (n_failed > 0)
		return error_set(err, 500, "%zu of %zu instances were not moved: %s", n_failed,
		                 running->steps.n, first);

	return ending.to == PLAN_STATE_CANCELLED ? -ECANCELED : 0;
}

static bool claim(struct state *state, const char *uuid) NO_LOCK_CHECK
{
	struct member_service *service = state->members;

	mutex_lock(&service->mutex);
	bool is_free = map_add(service->coordinated, uuid, service);
	mutex_unlock(&service->mutex);
	return is_free;
}

static void unclaim(struct state *state, const char *uuid) NO_LOCK_CHECK
{
	struct member_service *service = state->members;

	mutex_lock(&service->mutex);
	map_remove(service->coordinated, uuid);
	mutex_unlock(&service->mutex);
}

static int run_taken(struct running *running, struct error **err)
{
	scoped(jv_unrefp) struct json_object *options = NULL;

	int r = jv_parse_object(running->plan.options, strlen(running->plan.options), &options,
	                        err);
	if (r == 0)
		r = member_plan_read_options(options, &running->options, NULL, err);
	if (r < 0)
		return r;

	mutex_lock(&running->mutex);
	show(running);
	mutex_unlock(&running->mutex);
	run_steps(running);
	mutex_lock(&running->mutex);
	show(running);
	mutex_unlock(&running->mutex);
	if (running->is_replaced)
		return error_set(err, 409, "The plan is carried out by another member now");
	if (atomic_load(&running->state->members->is_stopping))
		return error_set(err, 503, "The daemon is stopping; the plan goes on elsewhere");
	if (running->plan.state == PLAN_STATE_PAUSED)
		return 0;

	r = end_plan(running, err);
	mutex_lock(&running->mutex);
	show(running);
	mutex_unlock(&running->mutex);
	return r;
}

int member_plan_run(struct state *state, const char *uuid, struct operation *op, struct error **err)
{
	struct running running = { .state = state, .op = op };
	struct taking taking = { .uuid = uuid, .op = op, .running = &running };

	if (!claim(state, uuid))
		return error_set(err, 409, "The plan is carried out already");

	mutex_init(&running.mutex);
	cond_init(&running.changed);
	int r = db_write(state->db, take, &taking, err);
	if (r == 0) {
		running.is_busy = xcalloc(running.steps.n + 1, sizeof(bool));
		running.is_stuck = xcalloc(running.steps.n + 1, sizeof(bool));
		r = run_taken(&running, err);
	}
	unclaim(state, uuid);
	free(running.is_busy);
	free(running.is_stuck);
	db_plan_done(&running.plan);
	db_plan_step_list_done(&running.steps);
	cond_done(&running.changed);
	mutex_done(&running.mutex);
	return r;
}

struct plan_job {
	struct state *state;
	char *uuid;
};

static int run_operation(struct operation *op, void *arg, struct error **err)
{
	const struct plan_job *job = arg;

	return member_plan_run(job->state, job->uuid, op, err);
}

static void free_job(void *arg)
{
	struct plan_job *job = arg;

	free(job->uuid);
	free(job);
}

int member_plan_operation(struct state *state, const struct db_plan *plan,
                          struct operation **ret_op, struct error **err)
{
	struct plan_job *job = xcalloc(1, sizeof(*job));
	scoped_free char *url = lifecycle_url(
		NULL, (const char *const[]){ "cluster", "members", plan->member, NULL });

	job->state = state;
	job->uuid = xstrdup(plan->uuid);
	const struct operation_spec spec = {
		.description = strcmp(plan->kind, "restore") == 0 ? "Restoring cluster member"
		                                                  : "Evacuating cluster member",
		.entity_url = url,
		.run = run_operation,
		.free_arg = free_job,
		.arg = job,
	};
	int r = operation_new(state, &spec, ret_op, err);
	if (r < 0)
		free_job(job);

	return r;
}

static int list_open(struct db_tx *tx, void *arg, struct error **err)
{
	static const int64_t active[] = { PLAN_STATE_RUNNING, PLAN_STATE_CANCELLING,
		                          PLAN_STATE_UNDOING };

	return db_plan_list(tx, active, COUNT_OF(active), arg, err);
}

int member_plan_adopt(struct state *state, struct error **err)
{
	struct db_plans plans = { 0 };

	if (!cluster_is_leader(state->cluster))
		return 0;

	int r = db_read(state->db, list_open, &plans, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < plans.n; i++) {
		scoped(operation_unrefp) struct operation *op = NULL;
		scoped(error_freep) struct error *failed = NULL;
		struct member_service *service = state->members;

		mutex_lock(&service->mutex);
		bool is_ours = map_has(service->coordinated, plans.rows[i].uuid);
		mutex_unlock(&service->mutex);
		if (is_ours)
			continue;

		log_info("Taking over plan %s", plans.rows[i].uuid);
		if (member_plan_operation(state, &plans.rows[i], &op, &failed) < 0 ||
		    operation_start(op, &failed) < 0)
			log_warn("Failed taking over plan %s: %s", plans.rows[i].uuid, failed->msg);
	}
	db_plan_list_done(&plans);
	return 0;
}

struct acting {
	const char *uuid;
	int64_t to;
	bool is_retry;
};

static int again(struct db_tx *tx, const struct db_plan *plan, struct error **err)
{
	struct db_plan_steps steps = { 0 };

	int r = db_plan_step_list(tx, plan->id, &steps, err);
	for (size_t i = 0; r == 0 && i < steps.n; i++) {
		int64_t from = steps.rows[i].phase;

		if (from != PLAN_PHASE_UNDONE)
			continue;
		steps.rows[i].phase = PLAN_PHASE_PLANNED;
		r = db_plan_step_update(tx, &steps.rows[i], from, err);
	}
	db_plan_step_list_done(&steps);
	return r;
}

static int act(struct db_tx *tx, void *arg, struct error **err)
{
	const struct acting *acting = arg;
	struct db_plan plan = { 0 };

	int r = db_plan_get(tx, acting->uuid, &plan, err);
	if (r < 0)
		return r;

	bool is_possible = acting->is_retry ? !plan_state_is_active(plan.state) &&
	                                              plan.state != PLAN_STATE_DONE
	                                    : plan_state_is_open(plan.state);
	if (!is_possible)
		r = error_set(err, 400, "The plan is %s", plan_state_name(plan.state));
	if (r == 0 && acting->is_retry)
		r = again(tx, &plan, err);
	if (r == 0)
		r = db_plan_set_state(tx, plan.id, plan.state, acting->to, NULL, err);
	db_plan_done(&plan);
	return r;
}

int member_plan_act(struct state *state, const char *uuid, const char *action, struct error **err)
{
	static const struct {
		const char *name;
		int64_t to;
		bool is_retry;
	} actions[] = {
		{ "pause", PLAN_STATE_PAUSED, false },
		{ "resume", PLAN_STATE_RUNNING, false },
		{ "cancel", PLAN_STATE_CANCELLING, false },
		{ "retry", PLAN_STATE_RUNNING, true },
	};

	for (size_t i = 0; i < COUNT_OF(actions); i++) {
		struct acting acting = {
			.uuid = uuid,
			.to = actions[i].to,
			.is_retry = actions[i].is_retry,
		};

		if (strcmp(actions[i].name, action) == 0)
			return db_write(state->db, act, &acting, err);
	}
	return error_set(err, 400, "Unknown action \"%s\"", action);
}
