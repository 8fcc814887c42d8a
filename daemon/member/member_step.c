#include "daemon/member/member_step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/cluster.h"
#include "cluster/connect.h"
#include "cluster/plan.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/state.h"
#include "daemon/member/member_phase.h"
#include "daemon/member/member_service.h"
#include "db/instances.h"
#include "db/reservations.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define MAX_PASSES 4
#define MAX_PASSES_IN_BUDGET 8 /* With a limit to the downtime, which each may come nearer to. */
#define SMALL_PASS (4 << 20)   /* Bytes: less than that changed, so stopping is worth it. */
#define RETRY_MS 60000         /* For what must go on and can only wait: a member that is gone. */
#define TIDY_MS 15000 /* For files on a member that is gone: it looks when it comes back. */
#define RETRY_PAUSE_MS 100
#define MAX_ATTEMPTS 2

/* Asks a member, itself included, to do its part; see member_phase.h. */
static int ask(struct member_step *step, const char *member, struct member_phase phase,
               struct json_object **ret_answer, struct error **err)
{
	struct json_object *answer = NULL;
	scoped_free char *here = state_member_name(step->state);

	phase.plan = step->plan;
	phase.plan_id = step->plan_id;
	phase.term = step->term;
	phase.ordinal = step->row.ordinal;
	phase.instance_id = step->row.instance_id;
	phase.project = step->row.project;
	phase.instance = step->row.instance;
	phase.epoch = step->row.epoch;
	phase.source = step->row.source;
	phase.target = step->row.target;
	phase.must_run = step->row.was_running;
	phase.bandwidth = step->bandwidth;

	int r = 0;
	if (strcmp(member, here) == 0) {
		r = member_phase_run(step->state, &phase, &answer, err);
	} else {
		scoped(jv_unrefp) struct json_object *body = member_phase_json(&phase);
		const struct connect_call call = {
			.method = "POST",
			.path = "/internal/plans/phase",
			.body = body,
			.timeout_ms = CONNECT_NO_TIMEOUT,
		};

		r = connect_call_member(step->state->cluster, member, &call, &answer, err);
	}
	if (r < 0)
		return r;
	if (ret_answer)
		*ret_answer = answer;
	else
		json_object_put(answer);
	return 0;
}

/* What else a transaction does; it may change the row that is to be written. */
typedef int step_also(struct db_tx *tx, struct member_step *step, struct db_plan_step *row,
                      struct error **err);

struct advance {
	struct member_step *step;
	enum plan_phase to;
	step_also *also;
	struct db_plan_step row; /* Outcome: numbers only, texts are the step's. */
};

static int write_advance(struct db_tx *tx, void *arg, struct error **err)
{
	struct advance *advance = arg;
	struct member_step *step = advance->step;

	advance->row = step->row;
	advance->row.phase = advance->to;
	int r = db_plan_check_term(tx, step->plan_id, step->term, err);
	if (r == 0 && advance->also)
		r = advance->also(tx, step, &advance->row, err);
	if (r < 0)
		return r;

	return db_plan_step_update(tx, &advance->row, step->row.phase, err);
}

/* The next phase, written on condition that the plan is still ours and the step where it was. */
static int advance(struct member_step *step, enum plan_phase to, step_also *also,
                   struct error **err)
{
	struct advance change = { .step = step, .to = to, .also = also };

	assert(plan_phase_may_become((enum plan_phase)step->row.phase, to));
	int r = FAILPOINT("step.before", plan_phase_name(to),
	                  "Before a step's new phase is written", err);
	if (r == 0)
		r = db_write(step->state->db, write_advance, &change, err);
	if (r < 0)
		return r;

	FAILPOINT_HERE("step.after", plan_phase_name(to), "When a step's new phase is written");
	step->row.phase = to;
	step->row.epoch = change.row.epoch;
	step->row.was_running = change.row.was_running;
	step->is_pause_unknown &= !plan_phase_is_final(to);
	step->row.updated = date_now();
	if (step->changed)
		step->changed(step->arg);
	return 0;
}

static void set_text(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with ? with : "");
}

static void set_detail_take(struct member_step *step, const char *key, struct json_object *value)
{
	scoped(jv_unrefp) struct json_object *detail = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	const char *text = step->row.detail && *step->row.detail ? step->row.detail : "{}";

	if (jv_parse_object(text, strlen(text), &detail, &ignored) < 0) {
		json_object_put(value);
		return;
	}

	jv_set_take(detail, key, value);
	free(step->row.detail);
	step->row.detail = jv_print_text(detail, NULL);
}

/* One number into the step's detail. */
static void set_detail(struct member_step *step, const char *key, int64_t value)
{
	set_detail_take(step, key, json_object_new_int64(value));
}

/* Two copies of one instance at the same time, to the same member even, would spoil each other. */
static int check_alone(struct db_tx *tx, const struct member_step *step, struct error **err)
{
	int64_t n = 0;

	int r = db_get_int(tx,
	                   "SELECT COUNT(*)"
	                   "  FROM plan_steps"
	                   "  JOIN plans ON plans.id = plan_steps.plan_id"
	                   " WHERE plan_steps.instance_id = ?"
	                   "   AND plan_steps.plan_id <> ?"
	                   "   AND (plan_steps.phase BETWEEN ? AND ?"
	                   "        OR plan_steps.phase = ?)"
	                   "   AND plans.state < ?",
	                   DB_ARGS(db_int(step->row.instance_id), db_int(step->plan_id),
	                           db_int(PLAN_PHASE_RESERVED), db_int(PLAN_PHASE_RUNNING),
	                           db_int(PLAN_PHASE_RETURNED), db_int(PLAN_STATE_DONE)),
	                   0, &n, err);
	if (r < 0)
		return r;
	if (n > 0)
		return error_set(err, 409, "Instance \"%s\" is being moved by another plan",
		                 step->row.instance);

	return 0;
}

/* Made with the plan; anew when the step is tried again. */
static int reserve(struct db_tx *tx, struct member_step *step, struct db_plan_step *row,
                   struct error **err)
{
	struct db_reservation reservation = {
		.member = step->row.target,
		.project = step->row.project,
		.instance = step->row.instance,
		.pool = (char *)(uintptr_t) "",
		.owner = (char *)(uintptr_t)step->plan,
		.placement_group = (char *)(uintptr_t) "",
		.created = date_now(),
		.expires = date_now() + MEMBER_RESERVED_FOR,
	};
	bool is_there = false;
	int64_t id = 0;

	(void)row;
	int r = check_alone(tx, step, err);
	if (r == 0)
		r = db_reservation_has(tx, step->row.project, step->row.instance, &is_there, err);
	if (r < 0 || is_there)
		return r;

	return db_reservation_create(tx, &reservation, &id, err);
}

/*
 * From here to the commit nobody else starts or stops it, so whether it runs now is whether it must
 * run in the end, whatever is read of it later.
 */
static int settle(struct db_tx *tx, struct member_step *step, struct db_plan_step *row,
                  struct error **err)
{
	struct db_instance inst = { 0 };

	int r = db_instance_get_by_id(tx, step->row.instance_id, &inst, err);
	if (r < 0)
		return r;

	if (inst.epoch != row->epoch || strcmp(inst.member, row->source) != 0)
		r = error_set(err, 409, "Instance \"%s\" has moved since the plan was made",
		              row->instance);
	row->was_running =
		strcmp(smap_get_or(&inst.config, "volatile.last_state.power", ""), "RUNNING") == 0;
	db_instance_done(&inst);
	return r;
}

static int reserve_and_settle(struct db_tx *tx, struct member_step *step, struct db_plan_step *row,
                              struct error **err)
{
	int r = reserve(tx, step, row, err);

	return r < 0 ? r : settle(tx, step, row, err);
}

static int unreserve(struct db_tx *tx, struct member_step *step, struct db_plan_step *row,
                     struct error **err)
{
	(void)row;
	return db_reservation_delete_of(tx, step->row.project, step->row.instance, step->plan, err);
}

static bool is_leaving(const struct member_step *step)
{
	return strcmp(step->kind, "evacuate") == 0 || strcmp(step->kind, "heal") == 0;
}

static int write_origin(struct db_tx *tx, struct member_step *step, const char *origin,
                        struct error **err)
{
	scoped(smap_done) struct smap changes = { 0 };

	smap_set(&changes, "volatile.evacuate.origin", origin);
	return db_instance_patch_config(tx, step->row.instance_id, &changes, err);
}

static int read_origin(struct db_tx *tx, struct member_step *step, char **ret_origin,
                       struct error **err)
{
	struct db_instance row = { 0 };

	int r = db_instance_get_by_id(tx, step->row.instance_id, &row, err);
	if (r < 0)
		return r;

	*ret_origin = xstrdup(smap_get_or(&row.config, "volatile.evacuate.origin", ""));
	db_instance_done(&row);
	return 0;
}

/* Where it was evacuated from is remembered by the first move and forgotten by the way home. */
static int set_origin(struct db_tx *tx, struct member_step *step, struct error **err)
{
	scoped_free char *origin = NULL;

	int r = read_origin(tx, step, &origin, err);
	if (r < 0)
		return r;
	if (is_leaving(step) && !*origin && strcmp(step->row.source, step->member) == 0)
		return write_origin(tx, step, step->row.source, err);
	if (!is_leaving(step) && *origin)
		return write_origin(tx, step, "", err);

	return 0;
}

/* As it was before a move that did not last. */
static int take_back_origin(struct db_tx *tx, struct member_step *step, struct error **err)
{
	scoped_free char *origin = NULL;

	int r = read_origin(tx, step, &origin, err);
	if (r < 0)
		return r;
	if (is_leaving(step) && strcmp(origin, step->row.source) == 0)
		return write_origin(tx, step, "", err);
	if (!is_leaving(step) && !*origin && strcmp(step->row.target, step->member) == 0)
		return write_origin(tx, step, step->member, err);

	return 0;
}

/* The one transaction that moves the instance. */
static int commit(struct db_tx *tx, struct member_step *step, struct db_plan_step *row,
                  struct error **err)
{
	int r = db_instance_commit_move(tx, step->row.instance_id, step->row.epoch,
	                                step->row.target, err);
	if (r == 0)
		r = set_origin(tx, step, err);
	if (r == 0)
		r = unreserve(tx, step, row, err);

	row->epoch = step->row.epoch + 1;
	return r;
}

/* Back again, when the target has said that it cannot start it. */
static int commit_back(struct db_tx *tx, struct member_step *step, struct db_plan_step *row,
                       struct error **err)
{
	int r = db_instance_commit_move(tx, step->row.instance_id, step->row.epoch,
	                                step->row.source, err);
	if (r == 0)
		r = take_back_origin(tx, step, err);

	row->epoch = step->row.epoch + 1;
	return r;
}

static bool is_gone(const struct error *err)
{
	return err->status == 503 || err->status == 504;
}

/* Whether little enough changed in the last pass to stop it for the next one. */
static bool is_small(const struct member_step *step, int64_t pass, int64_t bytes, int64_t ms)
{
	if (step->downtime_ms > 0)
		return ms <= step->downtime_ms;

	return pass > 0 && bytes < SMALL_PASS;
}

/*
 * Passes while it runs, until little changes between them. What the last one took is what the one
 * after the stop will take: when that is too long, it is not stopped.
 */
static int copy_running(struct member_step *step, struct error **err)
{
	int64_t max = step->downtime_ms > 0 ? MAX_PASSES_IN_BUDGET : MAX_PASSES;
	int64_t ms = 0;

	step->n_passes = 0;
	for (int64_t pass = 0; pass < max; pass++) {
		scoped(jv_unrefp) struct json_object *answer = NULL;
		int64_t start = date_monotonic();

		int r = ask(step, step->row.target,
		            (struct member_phase){
				    .verb = MEMBER_RECEIVE, .pass = pass, .is_refresh = pass > 0 },
		            &answer, err);
		if (r < 0)
			return r;

		int64_t bytes = jv_number(answer, "bytes");
		ms = date_monotonic() - start;
		step->row.bytes_done += bytes;
		if (step->row.bytes_total > 0)
			step->row.bytes_total = MAX_OF(step->row.bytes_total, step->row.bytes_done);
		set_detail(step, "rate", ms > 0 ? bytes * 1000 / ms : 0);
		step->n_passes = pass + 1;
		set_detail(step, "passes", step->n_passes);
		if (step->changed)
			step->changed(step->arg);
		if (is_small(step, pass, bytes, ms))
			return 0;
	}
	if (step->downtime_ms > 0)
		return error_set(err, 400,
		                 "Instance \"%s\" would be down for about %lld ms, longer than the "
		                 "%lld ms allowed",
		                 step->row.instance, (long long)ms, (long long)step->downtime_ms);

	return 0;
}

static int stop_and_copy(struct member_step *step, struct error **err)
{
	scoped(jv_unrefp) struct json_object *received = NULL;
	int64_t start = date_monotonic();
	int64_t pass = step->n_passes;

	/* What was sent before is of use only once, and only to whoever knows how much it was. */
	step->n_passes = 0;

	int r = ask(step, step->row.source, (struct member_phase){ .verb = MEMBER_PAUSE }, NULL,
	            err);
	if (r < 0) {
		step->is_pause_unknown = is_gone(*err);
		return r;
	}

	r = ask(step, step->row.target,
	        (struct member_phase){ .verb = MEMBER_RECEIVE,
	                               .pass = pass,
	                               .is_last = true,
	                               .is_refresh = pass > 0 },
	        &received, err);
	if (r < 0)
		return r;

	int64_t ms = date_monotonic() - start;
	step->row.bytes_done += jv_number(received, "bytes");
	step->row.bytes_total = step->row.bytes_done;
	if (pass == 0)
		set_detail(step, "rate", ms > 0 ? step->row.bytes_done * 1000 / ms : 0);
	set_detail(step, "paused_ms", ms);
	return 0;
}

/* Everything up to the commit; what fails here is undone. */
static int run_until_commit(struct member_step *step, struct error **err)
{
	bool is_refresh = strcmp(step->row.mode, "refresh-migrate") == 0;
	int r = 0;

	if (step->row.phase == PLAN_PHASE_PLANNED) {
		step->row.started = date_now();
		step->row.attempt++;
		step->row.bytes_done = 0;
		set_text(&step->row.error, "");
		/* Nothing is copied before it stops: three phases in one transaction. */
		r = is_refresh ? advance(step, PLAN_PHASE_RESERVED, reserve, err)
		               : advance(step, PLAN_PHASE_COPIED, reserve_and_settle, err);
	}
	if (r == 0 &&
	    (step->row.phase == PLAN_PHASE_RESERVED || step->row.phase == PLAN_PHASE_PREPARED)) {
		if (is_refresh)
			r = copy_running(step, err);
		if (r == 0)
			r = advance(step, PLAN_PHASE_COPIED, settle, err);
	}
	if (r < 0)
		return r;

	/*
	 * Also what is said to be paused already is paused and copied: whoever drove the step
	 * before may have let it run again.
	 */
	r = stop_and_copy(step, err);
	if (r == 0 && step->row.phase == PLAN_PHASE_COPIED)
		r = advance(step, PLAN_PHASE_PAUSED, NULL, err);
	if (r == 0)
		r = advance(step, PLAN_PHASE_COMMITTED, commit, err);

	return r;
}

static int check_term(struct db_tx *tx, void *arg, struct error **err)
{
	const struct member_step *step = arg;

	return db_plan_check_term(tx, step->plan_id, step->term, err);
}

/* Whether a 409 means that another coordinator has the plan, and not just this step's trouble. */
static bool is_replaced(struct member_step *step, int code)
{
	scoped(error_freep) struct error *ignored = NULL;

	return code == -EEXIST && db_read(step->state->db, check_term, step, &ignored) == -EEXIST;
}

static bool is_stopping(const struct member_step *step)
{
	return atomic_load(&step->state->members->is_stopping);
}

/* Asks again and again while the member cannot be reached. */
static int ask_patiently(struct member_step *step, const char *member, enum member_verb verb,
                         int64_t patience_ms, struct error **err)
{
	int64_t deadline = date_deadline(patience_ms);
	const struct timespec pause = { .tv_nsec = RETRY_PAUSE_MS * 1000000L };

	for (;;) {
		int r = ask(step, member, (struct member_phase){ .verb = verb }, NULL, err);
		if (r == 0 || !is_gone(*err) || date_left(deadline) == 0 || is_stopping(step))
			return r;

		error_clear(err);
		nanosleep(&pause, NULL);
	}
}

/* It runs on the source again if it ran; when nobody knows how far stopping it came, stop first. */
static int resume(struct member_step *step, struct error **err)
{
	int r = 0;

	if (step->is_pause_unknown)
		r = ask_patiently(step, step->row.source, MEMBER_PAUSE, RETRY_MS, err);
	if (r == 0)
		r = ask_patiently(step, step->row.source, MEMBER_RESUME, RETRY_MS, err);

	return r;
}

/* Files of it that a member keeps are removed, now or when that member looks by itself. */
static int tidy(struct member_step *step, const char *member, enum member_verb verb,
                struct error **err)
{
	scoped(error_freep) struct error *failed = NULL;

	int r = ask_patiently(step, member, verb, TIDY_MS, &failed);
	if (r < 0 && (is_replaced(step, r) || is_stopping(step)))
		return error_move(err, &failed);
	step->is_tidy &= r == 0;
	if (r < 0) {
		log_info("Member \"%s\" keeps files of \"%s\" until it looks: %s", member,
		         step->row.instance, failed->msg);
		set_detail_take(step, MEMBER_STEP_LEFT, json_object_new_string(member));
	}
	return 0;
}

/* The instance goes on where it was; what the target has of it goes. */
static int undo(struct member_step *step, const char *why, struct error **err)
{
	scoped(error_freep) struct error *failed = NULL;
	int r = 0;

	set_text(&step->row.error, why);
	step->is_tidy = true;
	if (step->row.phase >= PLAN_PHASE_COPIED && step->row.instance_id != 0)
		r = resume(step, &failed);
	if (r < 0 && (is_replaced(step, r) || is_stopping(step)))
		return error_move(err, &failed);
	if (r < 0) {
		step->is_tidy = false;
		log_warn("Instance \"%s\" was not started again on \"%s\": %s", step->row.instance,
		         step->row.source, failed->msg);
	}

	if (step->row.phase != PLAN_PHASE_PLANNED) {
		r = tidy(step, step->row.target, MEMBER_ABORT, err);
		if (r < 0)
			return r;
	}
	return advance(step, PLAN_PHASE_UNDONE, unreserve, err);
}

/* The target refused to start it: home again, by a commit of its own. */
static int move_back(struct member_step *step, const char *why, struct error **err)
{
	set_text(&step->row.error, why);
	int r = advance(step, PLAN_PHASE_RETURNED, commit_back, err);

	return r < 0 ? r : undo(step, why, err);
}

static void tell(struct member_step *step, const char *action)
{
	scoped_free char *url = lifecycle_url(
		step->row.project, (const char *const[]){ "instances", step->row.instance, NULL });

	lifecycle_send(step->state, NULL, action, step->row.project, url, NULL);
}

static int run_after_commit(struct member_step *step, struct error **err)
{
	int r = 0;

	if (step->row.phase == PLAN_PHASE_COMMITTED) {
		scoped(error_freep) struct error *failed = NULL;

		if (step->row.was_running)
			r = ask_patiently(step, step->row.target, MEMBER_START, RETRY_MS, &failed);
		if (r < 0 && (is_gone(failed) || is_stopping(step) || is_replaced(step, r)))
			return error_move(err, &failed);
		if (r < 0)
			return move_back(step, failed->msg, err);

		r = advance(step, PLAN_PHASE_RUNNING, NULL, err);
		if (r == 0)
			tell(step, "instance-migrated");
	}
	if (r == 0 && step->row.phase == PLAN_PHASE_RUNNING) {
		r = tidy(step, step->row.source, MEMBER_CLEAN, err);
		if (r == 0)
			r = advance(step, PLAN_PHASE_CLEANED, NULL, err);
	}
	return r;
}

/* Once more, when it was undone because a member was lost for a while and is there again. */
static int plan_again(struct member_step *step, struct error **err)
{
	log_info("Instance \"%s\" is moved once more: %s", step->row.instance, step->row.error);
	return advance(step, PLAN_PHASE_PLANNED, NULL, err);
}

/* Deleted since the step began: what members have of it goes. */
static int end_without(struct member_step *step, struct error **err)
{
	step->row.was_running = false;
	return plan_phase_is_committed(step->row.phase)
	               ? run_after_commit(step, err)
	               : undo(step, "The instance was deleted", err);
}

static int run_move(struct member_step *step, struct error **err)
{
	if (step->row.instance_id == 0)
		return end_without(step, err);
	if (step->row.phase == PLAN_PHASE_RETURNED) {
		scoped_free char *why = xstrdup(step->row.error);

		return undo(step, why, err);
	}
	while (!plan_phase_is_committed(step->row.phase)) {
		scoped(error_freep) struct error *failed = NULL;

		if (step->row.phase == PLAN_PHASE_PLANNED)
			tell(step, "instance-migration-started");
		int r = run_until_commit(step, &failed);
		if (r == 0)
			break;
		if (is_replaced(step, r) || is_stopping(step))
			return error_move(err, &failed);

		bool was_lost = is_gone(failed);
		tell(step, "instance-migration-failed");
		r = undo(step, failed->msg, err);
		if (r < 0 || !was_lost || !step->is_tidy || step->row.attempt >= MAX_ATTEMPTS ||
		    (step->may_try && !step->may_try(step->arg)))
			return r;

		r = plan_again(step, err);
		if (r < 0)
			return r;
	}

	return run_after_commit(step, err);
}

/* Stopped, or started, where it is. */
static int run_in_place(struct member_step *step, enum member_verb verb, enum plan_phase through,
                        struct error **err)
{
	scoped(error_freep) struct error *failed = NULL;
	int r = 0;

	if (step->row.phase == PLAN_PHASE_PLANNED) {
		step->row.started = date_now();
		step->row.attempt++;
		set_text(&step->row.error, "");
		r = ask_patiently(step, step->row.source, verb, RETRY_MS, &failed);
		if (r < 0 && (is_replaced(step, r) || is_stopping(step)))
			return error_move(err, &failed);
		if (r < 0) {
			set_text(&step->row.error, failed->msg);
			return advance(step, PLAN_PHASE_UNDONE, NULL, err);
		}
		r = advance(step, through, NULL, err);
	}
	if (r == 0)
		r = advance(step, PLAN_PHASE_CLEANED, NULL, err);

	return r;
}

int member_step_run(struct member_step *step, struct error **err)
{
	if (plan_phase_is_final(step->row.phase))
		return 0;
	if (strcmp(step->row.mode, "stay") == 0 ||
	    (step->row.instance_id == 0 && step->row.phase == PLAN_PHASE_PLANNED)) {
		tell(step, "instance-migration-skipped");
		return advance(step, PLAN_PHASE_SKIPPED, NULL, err);
	}
	if (strcmp(step->row.mode, "stop") == 0)
		return run_in_place(step, MEMBER_STOP, PLAN_PHASE_PAUSED, err);
	if (strcmp(step->row.mode, "start") == 0)
		return run_in_place(step, MEMBER_START, PLAN_PHASE_RUNNING, err);

	return run_move(step, err);
}
