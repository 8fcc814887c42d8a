#include "daemon/member/member_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/plan.h"
#include "cluster/rebalance.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/member/member_draft.h"
#include "daemon/member/member_options.h"
#include "daemon/member/member_progress.h"
#include "daemon/member/member_service.h"
#include "daemon/member/member_slots.h"
#include "daemon/member/member_step.h"
#include "daemon/member/member_undo.h"
#include "db/members.h"
#include "db/reservations.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/uuid.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

#define LOOK_MS 250 /* How often it is read whether somebody paused or cancelled the plan. */
#define SHOW_MS 50  /* The least between two pictures of the plan for those who watch, ... */
#define SHOW_MAX_MS 900
#define SHOW_PART 10 /* ... which take up to this part of the time when there are many steps. */
#define MAX_TRIES 2  /* Of a step that can go neither on nor back: a member that is gone. */

/* What of a step's detail is needed again and again. */
struct need {
	int64_t depends_on; /* Ordinal of the step that must end first, or -1. */
	char *pool;
	bool is_busy;
	unsigned n_stuck; /* How often it could go neither on nor back. */
};

/* A plan while this member carries it out. */
struct running {
	struct mutex mutex;
	struct cond changed; /* A step has ended. */
	struct state *state;
	struct operation *op;
	struct db_plan plan;
	struct db_plan_steps steps; /* Copies; the steps under way have their own. */
	struct need *needs;         /* By step. */
	struct member_progress *progress;
	int64_t next_show; /* date_deadline() */
	bool is_stale;     /* What is shown is older than what is known. */
	size_t n_busy;
	int64_t term;
	bool is_replaced;
	bool has_failed;
	struct member_options options;
	int64_t bandwidth; /* Of each copy. */
};

struct job {
	struct running *running;
	size_t index;
	struct member_step step;
};

struct json_object *member_plan_metadata(const struct db_plan *plan,
                                         const struct db_plan_steps *steps)
{
	struct json_object *metadata = jv_object();
	struct json_object *json = plan_json(plan, steps->rows, steps->n, false);
	scoped_free char *text = plan_progress_text(steps->rows, steps->n);

	jv_set_take(metadata, "counts", jv_copy(jv_member(json, "counts")));
	jv_set_take(metadata, "plan", json);
	jv_set_string(metadata, "evacuation_progress", text);
	return metadata;
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

static int get_state(struct db_tx *tx, void *arg, struct error **err)
{
	struct loading *loading = arg;

	return db_plan_get(tx, loading->uuid, loading->plan, err);
}

int member_plan_is_open(struct state *state, const char *uuid, bool *ret_is_open,
                        struct error **err)
{
	struct db_plan plan = { 0 };
	struct loading loading = { .uuid = uuid, .plan = &plan };

	int r = db_query(state->db, get_state, &loading, err);
	if (r < 0)
		return r;

	*ret_is_open = plan_state_is_open(plan.state);
	db_plan_done(&plan);
	return 0;
}

struct taking {
	const char *uuid;
	struct running *running;
};

static int take(struct db_tx *tx, void *arg, struct error **err)
{
	struct taking *taking = arg;
	struct running *running = taking->running;

	db_plan_done(&running->plan);
	db_plan_step_list_done(&running->steps);
	int r = db_plan_get(tx, taking->uuid, &running->plan, err);
	if (r == 0 && !plan_state_is_open(running->plan.state)) {
		error_set(err, 409, "The plan has ended");
		r = OPERATION_MOVED;
	}
	if (r == 0)
		r = db_plan_take(tx, running->plan.id, &running->term, err);
	if (r == 0)
		r = db_plan_step_list(tx, running->plan.id, &running->steps, err);

	return r;
}

/* With what the copies under way have carried so far, and how long they will take. */
static struct json_object *live_metadata(const struct running *running)
{
	size_t n = running->steps.n;
	scoped_free struct db_plan_step *rows = xcalloc(n + 1, sizeof(*rows));
	scoped_free int64_t *rates = xcalloc(n + 1, sizeof(*rates));
	const struct db_plan_steps steps = { .rows = rows, .n = n };

	for (size_t i = 0; i < n; i++) {
		int64_t bytes = 0;

		rows[i] = running->steps.rows[i];
		if (!member_progress_read(running->progress, i, &bytes, &rates[i]))
			continue;
		rows[i].bytes_done += bytes;
		/* More than was thought, or a second pass over the same. */
		if (rows[i].bytes_total > 0)
			rows[i].bytes_total = MAX_OF(rows[i].bytes_total, rows[i].bytes_done);
	}

	struct json_object *metadata = member_plan_metadata(&running->plan, &steps);
	struct json_object *shown = jv_member(jv_member(metadata, "plan"), "steps");
	for (size_t i = 0; i < n; i++) {
		int64_t left = rows[i].bytes_total - rows[i].bytes_done;

		if (rates[i] <= 0)
			continue;
		jv_set_int(jv_item(shown, i), "rate", rates[i]);
		if (left > 0)
			jv_set_double(jv_item(shown, i), "eta", (double)left / (double)rates[i]);
	}
	return metadata;
}

/* What the operation shows. Called with the lock held; only copies are read. */
static void show(struct running *running) REQUIRES(running->mutex)
{
	int64_t start = date_monotonic();

	running->is_stale = false;
	if (!running->op)
		return;

	scoped(jv_unrefp) struct json_object *metadata = live_metadata(running);
	operation_set_metadata(running->op, metadata);
	int64_t pause = MAX_OF((date_monotonic() - start) * SHOW_PART, SHOW_MS);
	running->next_show = date_deadline(MIN_OF(pause, SHOW_MAX_MS));
}

/* Soon: many steps change at the same time, and each picture is one of all of them. */
static void show_soon(struct running *running) REQUIRES(running->mutex)
{
	if (date_left(running->next_show) == 0) {
		show(running);
	} else if (!running->is_stale) {
		running->is_stale = true;
		cond_broadcast(&running->changed);
	}
}

/* There is news of copies under way. */
static void copies_changed(void *arg) NO_LOCK_CHECK
{
	struct running *running = arg;

	mutex_lock(&running->mutex);
	show_soon(running);
	mutex_unlock(&running->mutex);
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
	member_progress_set(running->progress, job->index,
	                    row->phase >= PLAN_PHASE_RESERVED && row->phase <= PLAN_PHASE_COPIED,
	                    job->step.n_passes);
	show_soon(running);
	mutex_unlock(&running->mutex);
}

static struct plan_slot slot_of(const struct running *running, size_t index)
{
	return (struct plan_slot){
		.source = running->steps.rows[index].source,
		.target = running->steps.rows[index].target,
		.pool = running->needs[index].pool,
	};
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
		running->needs[job->index].n_stuck++;
	}
	if (running->needs[job->index].n_stuck >= MAX_TRIES ||
	    job->step.row.phase == PLAN_PHASE_UNDONE)
		running->has_failed = true;
	const struct plan_slot slot = slot_of(running, job->index);
	member_slots_give(running->state->members->slots, &slot);
	running->needs[job->index].is_busy = false;
	running->n_busy--;
	cond_broadcast(&running->changed);
	mutex_unlock(&running->mutex);
	db_plan_step_done(&job->step.row);
	free(job);
}

static bool may_try(void *arg) NO_LOCK_CHECK
{
	struct job *job = arg;

	mutex_lock(&job->running->mutex);
	bool may = job->running->plan.state == PLAN_STATE_RUNNING;
	mutex_unlock(&job->running->mutex);
	return may;
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

static struct need read_need(const struct db_plan_step *row)
{
	scoped(jv_unrefp) struct json_object *detail = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	struct need need = { .depends_on = -1 };
	const char *pool = NULL;

	if (jv_parse_object(row->detail, strlen(row->detail), &detail, &ignored) == 0) {
		pool = jv_text(detail, "pool");
		if (jv_member(detail, "depends_on"))
			need.depends_on = jv_number(detail, "depends_on");
	}
	need.pool = xstrdup(pool ? pool : "");
	return need;
}

/* Whether it has not ended, is not under way, and waits for no other step of the plan. */
static bool may_start(const struct running *running, size_t index)
{
	const struct need *need = &running->needs[index];

	if (need->is_busy || need->n_stuck >= MAX_TRIES ||
	    plan_phase_is_final(running->steps.rows[index].phase))
		return false;
	for (size_t i = 0; need->depends_on >= 0 && i < running->steps.n; i++) {
		const struct db_plan_step *other = &running->steps.rows[i];

		if (other->ordinal == need->depends_on && !plan_phase_is_final(other->phase))
			return false;
	}
	return true;
}

static bool is_stopping(const struct running *running)
{
	return atomic_load(&running->state->members->is_stopping) ||
	       atomic_load(&running->state->is_shutting_down);
}

static bool takes_new_steps(const struct running *running)
{
	return running->plan.state == PLAN_STATE_RUNNING && !running->is_replaced &&
	       !(running->has_failed &&
	         (running->options.stops_on_error || running->options.undoes_on_error)) &&
	       !is_stopping(running) && !(running->op && operation_is_cancelled(running->op));
}

/* False: there is no place for it just now. */
static bool start_step(struct running *running, size_t index) REQUIRES(running->mutex)
{
	struct member_service *service = running->state->members;
	const struct plan_slot slot = slot_of(running, index);
	struct job *job;

	if (!member_slots_take(service->slots, &running->options.caps, &slot))
		return false;

	job = xcalloc(1, sizeof(*job));
	job->running = running;
	job->index = index;
	job->step = (struct member_step){
		.state = running->state,
		.plan = running->plan.uuid,
		.plan_id = running->plan.id,
		.term = running->term,
		.kind = running->plan.kind,
		.member = running->plan.member,
		.bandwidth = running->bandwidth,
		.downtime_ms = running->options.downtime_ms,
		.row = copy_step(&running->steps.rows[index]),
		.changed = step_changed,
		.may_try = may_try,
		.arg = job,
	};
	if (worker_submit(service->steps, run_job, job) < 0) {
		member_slots_give(service->slots, &slot);
		db_plan_step_done(&job->step.row);
		free(job);
		return false;
	}
	running->needs[index].is_busy = true;
	running->n_busy++;
	return true;
}

/*
 * Steps that were begun go on to their end whatever the plan's state is. Whether some wait only for
 * others to give up their place, maybe those of other plans.
 */
static bool start_steps(struct running *running) REQUIRES(running->mutex)
{
	bool takes_new = takes_new_steps(running);
	bool is_over = running->is_replaced || is_stopping(running);
	bool is_held = false;

	for (size_t i = 0; i < running->steps.n && !is_over; i++) {
		bool is_begun = running->steps.rows[i].phase != PLAN_PHASE_PLANNED;

		if ((takes_new || is_begun) && may_start(running, i))
			is_held |= !start_step(running, i);
	}
	return is_held;
}

struct looking {
	struct running *running;
	int64_t state;
	bool is_cancelled; /* By a client of the operation. */
};

static int read_state(struct db_tx *tx, void *arg, struct error **err)
{
	struct looking *looking = arg;
	const struct db_plan *plan = &looking->running->plan;

	int r = db_plan_check_term(tx, plan->id, looking->running->term, err);
	if (r == 0)
		r = db_get_int(tx, "SELECT state FROM plans WHERE id = ?",
		               DB_ARGS(db_int(plan->id)), 0, &looking->state, err);
	if (r < 0 || !looking->is_cancelled ||
	    (looking->state != PLAN_STATE_RUNNING && looking->state != PLAN_STATE_PAUSED))
		return r;

	r = db_plan_set_state(tx, plan->id, looking->state, PLAN_STATE_CANCELLING, NULL, err);
	if (r == 0)
		looking->state = PLAN_STATE_CANCELLING;
	return r;
}

/* Whether somebody paused or cancelled it, or took it over. */
static void look(struct running *running) NO_LOCK_CHECK
{
	scoped(error_freep) struct error *err = NULL;
	struct looking looking = {
		.running = running,
		.is_cancelled = running->op && operation_is_cancelled(running->op) &&
		                !is_stopping(running) &&
		                running->plan.state != PLAN_STATE_CANCELLING,
	};

	int r = looking.is_cancelled ? db_write(running->state->db, read_state, &looking, &err)
	                             : db_read(running->state->db, read_state, &looking, &err);
	mutex_lock(&running->mutex);
	if (r == -EEXIST)
		running->is_replaced = true;
	if (r == 0 && running->plan.state != looking.state) {
		running->plan.state = looking.state;
		show(running);
		/* Whoever follows the operation sees it cancelled however that was asked for. */
		if (running->op && looking.state == PLAN_STATE_CANCELLING)
			cancel_fire(operation_cancel_token(running->op));
	}
	mutex_unlock(&running->mutex);
}

static void run_steps(struct running *running) NO_LOCK_CHECK
{
	int64_t next_look = date_deadline(LOOK_MS);

	mutex_lock(&running->mutex);
	for (;;) {
		bool is_held = start_steps(running);
		bool waits = running->plan.state == PLAN_STATE_PAUSED && !running->is_replaced &&
		             !is_stopping(running);
		if (running->n_busy == 0 && !waits && !is_held)
			break;
		if (running->is_stale && date_left(running->next_show) == 0)
			show(running);
		if (date_left(next_look) > 0) {
			int64_t next = running->is_stale ? MIN_OF(next_look, running->next_show)
			                                 : next_look;

			(void)thread_cond_wait_until(&running->changed, &running->mutex, next);
			continue;
		}
		mutex_unlock(&running->mutex);
		look(running);
		member_progress_ask(running->progress);
		next_look = date_deadline(LOOK_MS);
		mutex_lock(&running->mutex);
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
	const char *why;
	char *reverse; /* UUID of the plan that undoes this one. */
};

static int set_member_state(struct db_tx *tx, const char *name, enum db_member_state to,
                            struct error **err)
{
	struct db_member member = { 0 };

	int r = db_member_get(tx, name, &member, err);
	if (r < 0)
		return r;

	r = db_member_set_state(tx, member.id, to, err);
	db_member_done(&member);
	return r;
}

static int write_end(struct db_tx *tx, void *arg, struct error **err)
{
	const struct ending *ending = arg;
	const struct running *running = ending->running;
	const struct db_plan *plan = &running->plan;
	int64_t from = 0;

	int r = db_plan_check_term(tx, plan->id, running->term, err);
	if (r == 0)
		r = db_get_int(tx, "SELECT state FROM plans WHERE id = ?",
		               DB_ARGS(db_int(plan->id)), 0, &from, err);
	if (r == 0)
		r = db_plan_set_state(tx, plan->id, from, ending->to, ending->why, err);
	if (r == 0)
		r = db_reservation_delete_by(tx, plan->uuid, err);
	if (r == 0 && ending->reverse)
		r = member_undo_create(tx, plan, &running->steps, ending->reverse, err);
	if (r < 0 || ending->to != PLAN_STATE_DONE || strcmp(plan->kind, "restore") != 0)
		return r;

	/* Only a member that has all of its own back takes new instances again. */
	return set_member_state(tx, plan->member, DB_MEMBER_CREATED, err);
}

static void tell_end(const struct running *running)
{
	if (!*running->plan.member)
		return;

	scoped_free char *url = lifecycle_url(
		NULL, (const char *const[]){ "cluster", "members", running->plan.member, NULL });
	const char *action = strcmp(running->plan.kind, "restore") == 0
	                             ? "cluster-member-restored"
	                             : "cluster-member-evacuated";

	lifecycle_send(running->state, NULL, action, NULL, url, NULL);
}

static bool is_to_undo(const struct running *running)
{
	return running->plan.state == PLAN_STATE_UNDOING ||
	       (running->has_failed && running->options.undoes_on_error);
}

/* What the end of the plan means for whoever follows the operation. */
static int end_plan(struct running *running, char **ret_reverse, struct error **err)
{
	char reverse[UUID_SIZE];
	size_t n_failed = 0;
	const char *first = "";

	for (size_t i = 0; i < running->steps.n; i++) {
		if (running->steps.rows[i].phase != PLAN_PHASE_UNDONE && !running->needs[i].n_stuck)
			continue;
		if (plan_phase_is_final(running->steps.rows[i].phase) &&
		    running->steps.rows[i].phase != PLAN_PHASE_UNDONE)
			continue;
		if (n_failed++ == 0)
			first = running->steps.rows[i].error;
	}

	struct ending ending = { .running = running, .to = PLAN_STATE_DONE };
	scoped_free char *why = n_failed > 0 ? xasprintf("%zu of %zu instances were not moved: %s",
	                                                 n_failed, running->steps.n, first)
	                                     : NULL;
	ending.why = why;
	if (n_failed > 0)
		ending.to = PLAN_STATE_FAILED;
	else if (!is_finished(running))
		ending.to = PLAN_STATE_CANCELLED;
	if (is_to_undo(running)) {
		operation_make_shared_id(reverse);
		ending.to = PLAN_STATE_UNDONE;
		ending.reverse = reverse;
		member_plan_claim(running->state, reverse);
	}

	int r = FAILPOINT("plan.before", plan_state_name(ending.to),
	                  "Before the end of a plan is written", err);
	if (r == 0)
		r = db_write(running->state->db, write_end, &ending, err);
	if (r == 0)
		FAILPOINT_HERE("plan.after", plan_state_name(ending.to),
		               "When the end of a plan is written");
	if (r < 0) {
		if (ending.reverse)
			member_plan_unclaim(running->state, reverse);
		return r;
	}

	running->plan.state = ending.to;
	/* When it is over, the cluster survives the loss of a member as before. */
	rebalance_wait(running->state->cluster);
	if (ending.to == PLAN_STATE_DONE)
		tell_end(running);
	if (ending.reverse)
		*ret_reverse = xstrdup(reverse);
	if (why)
		return error_set(err, 500, "%s", why);

	return ending.to == PLAN_STATE_CANCELLED
	               ? error_set_errno(err, -ECANCELED, "The plan was cancelled")
	               : 0;
}

bool member_plan_claim(struct state *state, const char *uuid) NO_LOCK_CHECK
{
	struct member_service *service = state->members;

	mutex_lock(&service->mutex);
	bool is_free = map_add(service->coordinated, uuid, service);
	mutex_unlock(&service->mutex);
	return is_free;
}

void member_plan_unclaim(struct state *state, const char *uuid) NO_LOCK_CHECK
{
	struct member_service *service = state->members;

	mutex_lock(&service->mutex);
	map_remove(service->coordinated, uuid);
	cond_broadcast(&service->idle);
	mutex_unlock(&service->mutex);
}

/* A step may have failed under another coordinator: what the plan does on errors holds for that. */
static bool has_undone(const struct db_plan_steps *steps)
{
	for (size_t i = 0; i < steps->n; i++)
		if (steps->rows[i].phase == PLAN_PHASE_UNDONE && steps->rows[i].instance_id != 0)
			return true;

	return false;
}

static int run_taken(struct running *running, char **ret_reverse, struct error **err)
{
	scoped(jv_unrefp) struct json_object *options = NULL;

	int r = jv_parse_object(running->plan.options, strlen(running->plan.options), &options,
	                        err);
	if (r == 0)
		r = member_options_read(options, &running->options, err);
	if (r < 0)
		return r;

	running->bandwidth = (int64_t)plan_schedule_share(
		&running->options.caps, (uint64_t)running->options.bandwidth,
		member_draft_copies(running->steps.rows, running->steps.n));

	mutex_lock(&running->mutex);
	running->has_failed = has_undone(&running->steps);
	show(running);
	mutex_unlock(&running->mutex);
	run_steps(running);
	if (running->is_replaced || is_stopping(running)) {
		error_set(err, 503, "The plan is carried out by another member now");
		return OPERATION_MOVED;
	}

	r = end_plan(running, ret_reverse, err);
	mutex_lock(&running->mutex);
	show(running);
	mutex_unlock(&running->mutex);
	return r;
}

static void begin_running(struct running *running)
{
	running->needs = xcalloc(running->steps.n + 1, sizeof(*running->needs));
	for (size_t i = 0; i < running->steps.n; i++)
		running->needs[i] = read_need(&running->steps.rows[i]);
	running->progress = member_progress_new(running->state, running->plan.uuid, &running->steps,
	                                        copies_changed, running);
	member_slots_watch(running->state->members->slots, &running->changed);
}

static void end_running(struct running *running)
{
	member_slots_unwatch(running->state->members->slots, &running->changed);
	member_progress_free(running->progress);
	for (size_t i = 0; i < running->steps.n; i++)
		free(running->needs[i].pool);
	free(running->needs);
}

/* One plan; '*ret_reverse' is set to the claimed plan that is to follow. */
static int run_one(struct state *state, const char *uuid, struct operation *op, char **ret_reverse,
                   struct error **err)
{
	struct running running = { .state = state, .op = op };
	struct taking taking = { .uuid = uuid, .running = &running };

	mutex_init(&running.mutex);
	cond_init(&running.changed);
	int r = db_write(state->db, take, &taking, err);
	if (r == 0) {
		begin_running(&running);
		r = run_taken(&running, ret_reverse, err);
		end_running(&running);
	}
	/* Whatever kept it from its end: it is open, and somebody must carry it out. */
	if (r < 0 && plan_state_is_open(running.plan.state) && r != OPERATION_MOVED) {
		log_warn("Plan %s waits: %s", uuid, *err ? (*err)->msg : "");
		r = OPERATION_MOVED;
	}
	db_plan_done(&running.plan);
	db_plan_step_list_done(&running.steps);
	cond_done(&running.changed);
	mutex_done(&running.mutex);
	return r;
}

int member_plan_run(struct state *state, const char *uuid, struct operation *op, struct error **err)
{
	scoped_free char *reverse = NULL;

	int r = run_one(state, uuid, op, &reverse, err);
	if (reverse) {
		scoped(error_freep) struct error *failed = NULL;
		scoped_free char *none = NULL;

		if (run_one(state, reverse, op, &none, &failed) < 0)
			log_warn("Failed undoing plan %s: %s", uuid, failed ? failed->msg : "");
		member_plan_unclaim(state, reverse);
	}
	return r;
}
