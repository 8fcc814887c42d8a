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
#include "lib/base/log.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define MAX_PASSES 4
#define SMALL_PASS (4 << 20) /* Bytes: less than that changed, so stopping is worth it. */
#define RETRY_MS 60000       /* For what must go on and can only wait: a member that is gone. */
#define RETRY_PAUSE_MS 250
#define RESERVED_FOR (3600 * DATE_SECOND)

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
	phase.project = step->row.project;
	phase.instance = step->row.instance;
	phase.epoch = step->row.epoch;
	phase.source = step->row.source;
	phase.target = step->row.target;
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

struct advance {
	struct member_step *step;
	enum plan_phase to;
	int (*also)(struct db_tx *tx, struct member_step *step, struct error **err);
};

static int write_advance(struct db_tx *tx, void *arg, struct error **err)
{
	struct advance *advance = arg;
	struct member_step *step = advance->step;
	struct db_plan_step row = step->row;

	int r = db_plan_check_term(tx, step->plan_id, step->term, err);
	if (r == 0 && advance->also)
		r = advance->also(tx, step, err);
	if (r < 0)
		return r;

	row.phase = advance->to;
	return db_plan_step_update(tx, &row, step->row.phase, err);
}

/* The next phase, written on condition that the plan is still ours and the step where it was. */
static int advance(struct member_step *step, enum plan_phase to,
                   int (*also)(struct db_tx *tx, struct member_step *step, struct error **err),
                   struct error **err)
{
	struct advance change = { .step = step, .to = to, .also = also };

	assert(plan_phase_may_become((enum plan_phase)step->row.phase, to));
	int r = db_write(step->state->db, write_advance, &change, err);
	if (r < 0)
		return r;

	step->row.phase = to;
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

/* One number into the step's detail. */
static void set_detail(struct member_step *step, const char *key, int64_t value)
{
	scoped(jv_unrefp) struct json_object *detail = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	const char *text = step->row.detail && *step->row.detail ? step->row.detail : "{}";

	if (jv_parse_object(text, strlen(text), &detail, &ignored) < 0)
		return;

	jv_set_int(detail, key, value);
	free(step->row.detail);
	step->row.detail = jv_print_text(detail, NULL);
}

static int reserve(struct db_tx *tx, struct member_step *step, struct error **err)
{
	struct db_reservation row = {
		.member = step->row.target,
		.project = step->row.project,
		.instance = step->row.instance,
		.pool = (char *)(uintptr_t) "",
		.owner = (char *)(uintptr_t)step->plan,
		.placement_group = (char *)(uintptr_t) "",
		.created = date_now(),
		.expires = date_now() + RESERVED_FOR,
	};
	int64_t id = 0;

	int r = db_reservation_delete_of(tx, row.project, row.instance, err);
	if (r < 0)
		return r;

	return db_reservation_create(tx, &row, &id, err);
}

static int unreserve(struct db_tx *tx, struct member_step *step, struct error **err)
{
	return db_reservation_delete_of(tx, step->row.project, step->row.instance, err);
}

/* Where it was evacuated from is remembered by the first move and forgotten by the way home. */
static int set_origin(struct db_tx *tx, struct member_step *step, struct error **err)
{
	scoped(smap_done) struct smap changes = { 0 };
	struct db_instance row = { 0 };

	int r = db_instance_get_by_id(tx, step->row.instance_id, &row, err);
	if (r < 0)
		return r;

	const char *origin = smap_get(&row.config, "volatile.evacuate.origin");
	bool is_leaving = strcmp(step->kind, "evacuate") == 0 || strcmp(step->kind, "heal") == 0;
	if (is_leaving && !origin && strcmp(step->row.source, step->member) == 0)
		smap_set(&changes, "volatile.evacuate.origin", step->row.source);
	else if (!is_leaving && origin)
		smap_set(&changes, "volatile.evacuate.origin", "");
	db_instance_done(&row);
	if (changes.n_entries == 0)
		return 0;

	return db_instance_patch_config(tx, step->row.instance_id, &changes, err);
}

/* The one transaction that moves the instance. */
static int commit(struct db_tx *tx, struct member_step *step, struct error **err)
{
	int r = db_instance_commit_move(tx, step->row.instance_id, step->row.epoch,
	                                step->row.target, err);
	if (r == 0)
		r = set_origin(tx, step, err);
	if (r == 0)
		r = unreserve(tx, step, err);

	return r;
}

/* Back again, when the target has said that it cannot start it. */
static int commit_back(struct db_tx *tx, struct member_step *step, struct error **err)
{
	return db_instance_commit_move(tx, step->row.instance_id, step->row.epoch, step->row.source,
	                               err);
}

/* Passes while it runs, until little changes between them. */
static int copy_running(struct member_step *step, struct error **err)
{
	for (int64_t pass = 0; pass < MAX_PASSES; pass++) {
		scoped(jv_unrefp) struct json_object *answer = NULL;
		int64_t start = date_monotonic();

		int r = ask(step, step->row.target,
		            (struct member_phase){
				    .verb = MEMBER_RECEIVE, .pass = pass, .is_refresh = pass > 0 },
		            &answer, err);
		if (r < 0)
			return r;

		int64_t bytes = jv_number(answer, "bytes");
		int64_t ms = date_monotonic() - start;
		step->row.bytes_done += bytes;
		set_detail(step, "rate", ms > 0 ? bytes * 1000 / ms : 0);
		set_detail(step, "passes", pass + 1);
		if (step->changed)
			step->changed(step->arg);
		if (pass > 0 && bytes < SMALL_PASS)
			break;
	}
	return 0;
}

static int stop_and_copy(struct member_step *step, struct error **err)
{
	bool is_refresh = strcmp(step->row.mode, "refresh-migrate") == 0;
	scoped(jv_unrefp) struct json_object *paused = NULL;
	scoped(jv_unrefp) struct json_object *received = NULL;
	int64_t start = date_monotonic();

	int r = ask(step, step->row.source, (struct member_phase){ .verb = MEMBER_PAUSE }, &paused,
	            err);
	if (r < 0)
		return r;

	step->row.was_running = jv_flag(paused, "was_running");
	r = ask(step, step->row.target,
	        (struct member_phase){ .verb = MEMBER_RECEIVE,
	                               .pass = is_refresh ? MAX_PASSES : 0,
	                               .is_last = true,
	                               .is_refresh = is_refresh },
	        &received, err);
	if (r < 0)
		return r;

	int64_t ms = date_monotonic() - start;
	step->row.bytes_done += jv_number(received, "bytes");
	step->row.bytes_total = step->row.bytes_done;
	if (!is_refresh)
		set_detail(step, "rate", ms > 0 ? step->row.bytes_done * 1000 / ms : 0);
	set_detail(step, "paused_ms", ms);
	return 0;
}

/* Everything up to the commit; what fails here is undone. */
static int run_until_commit(struct member_step *step, struct error **err)
{
	int r = 0;

	if (step->row.phase == PLAN_PHASE_PLANNED) {
		step->row.started = date_now();
		step->row.attempt++;
		step->row.bytes_done = 0;
		set_text(&step->row.error, "");
		r = advance(step, PLAN_PHASE_RESERVED, reserve, err);
	}
	if (r == 0 && step->row.phase == PLAN_PHASE_RESERVED)
		r = advance(step, PLAN_PHASE_PREPARED, NULL, err);
	if (r == 0 && step->row.phase == PLAN_PHASE_PREPARED) {
		if (strcmp(step->row.mode, "refresh-migrate") == 0)
			r = copy_running(step, err);
		if (r == 0)
			r = advance(step, PLAN_PHASE_COPIED, NULL, err);
	}
	if (r == 0 && step->row.phase == PLAN_PHASE_COPIED) {
		r = stop_and_copy(step, err);
		if (r == 0)
			r = advance(step, PLAN_PHASE_PAUSED, NULL, err);
	}
	if (r == 0 && step->row.phase == PLAN_PHASE_PAUSED) {
		r = advance(step, PLAN_PHASE_COMMITTED, commit, err);
		if (r == 0)
			step->row.epoch++;
	}
	return r;
}

static bool is_gone(const struct error *err)
{
	return err->status == 503 || err->status == 504;
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
                         struct error **err)
{
	int64_t deadline = date_deadline(RETRY_MS);
	const struct timespec pause = { .tv_nsec = RETRY_PAUSE_MS * 1000000L };

	for (;;) {
		int r = ask(step, member, (struct member_phase){ .verb = verb }, NULL, err);
		if (r == 0 || !is_gone(*err) || date_left(deadline) == 0 || is_stopping(step))
			return r;

		error_free(*err);
		*err = NULL;
		nanosleep(&pause, NULL);
	}
}

/* The instance goes on where it was; what the target has of it goes. */
static int undo(struct member_step *step, const char *why, struct error **err)
{
	scoped(error_freep) struct error *abort_err = NULL;
	scoped(error_freep) struct error *resume_err = NULL;

	set_text(&step->row.error, why);
	if (step->row.phase != PLAN_PHASE_PLANNED &&
	    ask(step, step->row.target, (struct member_phase){ .verb = MEMBER_ABORT }, NULL,
	        &abort_err) < 0)
		log_info("Member \"%s\" keeps what it received of \"%s\" until it looks: %s",
		         step->row.target, step->row.instance, abort_err->msg);
	if (step->row.phase >= PLAN_PHASE_COPIED &&
	    ask(step, step->row.source, (struct member_phase){ .verb = MEMBER_RESUME }, NULL,
	        &resume_err) < 0)
		log_warn("Instance \"%s\" was not started again on \"%s\": %s", step->row.instance,
		         step->row.source, resume_err->msg);

	return advance(step, PLAN_PHASE_UNDONE, unreserve, err);
}

/* The target refused to start it: home again, by a commit of its own. */
static int move_back(struct member_step *step, const char *why, struct error **err)
{
	scoped(error_freep) struct error *ignored = NULL;

	set_text(&step->row.error, why);
	int r = advance(step, PLAN_PHASE_UNDONE, commit_back, err);
	if (r < 0)
		return r;

	step->row.epoch++;
	if (ask(step, step->row.source, (struct member_phase){ .verb = MEMBER_RESUME }, NULL,
	        &ignored) < 0)
		log_warn("Instance \"%s\" was not started again on \"%s\": %s", step->row.instance,
		         step->row.source, ignored->msg);

	scoped(error_freep) struct error *abort_err = NULL;
	if (ask(step, step->row.target, (struct member_phase){ .verb = MEMBER_ABORT }, NULL,
	        &abort_err) < 0)
		log_info("Member \"%s\" keeps what it received of \"%s\" until it looks: %s",
		         step->row.target, step->row.instance, abort_err->msg);
	return 0;
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

		r = ask_patiently(step, step->row.target, MEMBER_START, &failed);
		if (r < 0 && is_gone(failed))
			return error_move(err, &failed);
		if (is_replaced(step, r))
			return error_move(err, &failed);
		if (r < 0)
			return move_back(step, failed->msg, err);

		r = advance(step, PLAN_PHASE_RUNNING, NULL, err);
		if (r == 0)
			tell(step, "instance-migrated");
	}
	if (r == 0 && step->row.phase == PLAN_PHASE_RUNNING) {
		scoped(error_freep) struct error *failed = NULL;

		/* A source that is gone removes its files itself when it comes back. */
		if (ask(step, step->row.source, (struct member_phase){ .verb = MEMBER_CLEAN }, NULL,
		        &failed) < 0) {
			if (is_replaced(step, failed->code))
				return error_move(err, &failed);
			log_info("Member \"%s\" keeps the files of \"%s\" until it looks: %s",
			         step->row.source, step->row.instance, failed->msg);
		}
		r = advance(step, PLAN_PHASE_CLEANED, NULL, err);
	}
	return r;
}

static int run_move(struct member_step *step, struct error **err)
{
	if (!plan_phase_is_committed(step->row.phase)) {
		scoped(error_freep) struct error *failed = NULL;

		if (step->row.phase == PLAN_PHASE_PLANNED)
			tell(step, "instance-migration-started");
		int r = run_until_commit(step, &failed);
		if (r < 0 && (is_replaced(step, r) || is_stopping(step)))
			return error_move(err, &failed);
		if (r < 0) {
			tell(step, "instance-migration-failed");
			return undo(step, failed->msg, err);
		}
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
		r = ask(step, step->row.source, (struct member_phase){ .verb = verb }, NULL,
		        &failed);
		if (is_replaced(step, r))
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
	if (strcmp(step->row.mode, "stay") == 0 || step->row.instance_id == 0) {
		tell(step, "instance-migration-skipped");
		return advance(step, PLAN_PHASE_SKIPPED, NULL, err);
	}
	if (strcmp(step->row.mode, "stop") == 0)
		return run_in_place(step, MEMBER_STOP, PLAN_PHASE_PAUSED, err);
	if (strcmp(step->row.mode, "start") == 0)
		return run_in_place(step, MEMBER_START, PLAN_PHASE_RUNNING, err);

	return run_move(step, err);
}
