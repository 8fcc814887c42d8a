#include "cluster/plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define TO(phase) (1U << (phase))

/* clang-format off */
static const char *const phase_names[] = {
	[PLAN_PHASE_PLANNED]   = "planned",
	[PLAN_PHASE_RESERVED]  = "reserved",
	[PLAN_PHASE_PREPARED]  = "prepared",
	[PLAN_PHASE_COPIED]    = "copied",
	[PLAN_PHASE_PAUSED]    = "paused",
	[PLAN_PHASE_COMMITTED] = "committed",
	[PLAN_PHASE_RUNNING]   = "running",
	[PLAN_PHASE_CLEANED]   = "cleaned",
	[PLAN_PHASE_UNDONE]    = "undone",
	[PLAN_PHASE_SKIPPED]   = "skipped",
	[PLAN_PHASE_RETURNED]  = "returned",
};

static const uint32_t may_become[] = {
	[PLAN_PHASE_PLANNED]   = TO(PLAN_PHASE_RESERVED) | TO(PLAN_PHASE_COPIED) | TO(PLAN_PHASE_PAUSED) |
	                         TO(PLAN_PHASE_RUNNING) | TO(PLAN_PHASE_SKIPPED) | TO(PLAN_PHASE_UNDONE),
	[PLAN_PHASE_RESERVED]  = TO(PLAN_PHASE_PREPARED) | TO(PLAN_PHASE_COPIED) | TO(PLAN_PHASE_UNDONE),
	[PLAN_PHASE_PREPARED]  = TO(PLAN_PHASE_COPIED) | TO(PLAN_PHASE_UNDONE),
	[PLAN_PHASE_COPIED]    = TO(PLAN_PHASE_PAUSED) | TO(PLAN_PHASE_UNDONE),
	[PLAN_PHASE_PAUSED]    = TO(PLAN_PHASE_COMMITTED) | TO(PLAN_PHASE_CLEANED) | TO(PLAN_PHASE_UNDONE),
	[PLAN_PHASE_COMMITTED] = TO(PLAN_PHASE_RUNNING) | TO(PLAN_PHASE_RETURNED),
	[PLAN_PHASE_RUNNING]   = TO(PLAN_PHASE_CLEANED),
	[PLAN_PHASE_CLEANED]   = 0,
	[PLAN_PHASE_UNDONE]    = TO(PLAN_PHASE_PLANNED),
	[PLAN_PHASE_SKIPPED]   = TO(PLAN_PHASE_PLANNED),
	[PLAN_PHASE_RETURNED]  = TO(PLAN_PHASE_UNDONE),
};

static const struct {
	const char *name;
	bool is_open;
} states[] = {
	[PLAN_STATE_RUNNING]    = { "running",    true },
	[PLAN_STATE_PAUSED]     = { "paused",     true },
	[PLAN_STATE_CANCELLING] = { "cancelling", true },
	[PLAN_STATE_UNDOING]    = { "undoing",    true },
	[PLAN_STATE_DONE]       = { "done",       false },
	[PLAN_STATE_FAILED]     = { "failed",     false },
	[PLAN_STATE_CANCELLED]  = { "cancelled",  false },
	[PLAN_STATE_UNDONE]     = { "undone",     false },
};
/* clang-format on */
static_assert(COUNT_OF(phase_names) == N_PLAN_PHASES, "a name for each phase");
static_assert(COUNT_OF(may_become) == N_PLAN_PHASES, "a row for each phase");
static_assert(COUNT_OF(states) == N_PLAN_STATES, "a row for each state");

static bool is_phase(int64_t phase)
{
	return phase >= 0 && phase < N_PLAN_PHASES;
}

static bool is_state(int64_t state)
{
	return state >= 0 && state < N_PLAN_STATES;
}

const char *plan_phase_name(int64_t phase)
{
	return is_phase(phase) ? phase_names[phase] : "unknown";
}

const char *plan_state_name(int64_t state)
{
	return is_state(state) ? states[state].name : "unknown";
}

bool plan_phase_may_become(enum plan_phase from, enum plan_phase to)
{
	return may_become[from] & TO(to);
}

bool plan_phase_is_final(int64_t phase)
{
	return phase == PLAN_PHASE_CLEANED || phase == PLAN_PHASE_UNDONE ||
	       phase == PLAN_PHASE_SKIPPED;
}

bool plan_phase_is_under_way(int64_t phase)
{
	return phase != PLAN_PHASE_PLANNED && !plan_phase_is_final(phase);
}

bool plan_phase_is_committed(int64_t phase)
{
	return phase == PLAN_PHASE_COMMITTED || phase == PLAN_PHASE_RUNNING ||
	       phase == PLAN_PHASE_CLEANED;
}

bool plan_state_is_open(int64_t state)
{
	return is_state(state) && states[state].is_open;
}

static const char *member_name(const struct placement_snapshot *snapshot, size_t member)
{
	return member == PLACEMENT_NONE ? "" : snapshot->members[member].name;
}

/* What a step has beside its columns: reasons, estimates, what it depends on. */
static char *step_detail(const struct placement_snapshot *snapshot, const struct planner_step *step)
{
	const struct placement_instance *instance = &snapshot->instances[step->instance];
	scoped(jv_unrefp) struct json_object *detail = jv_object();
	struct json_object *rejected = jv_array();

	jv_set_string(detail, "reason", step->reason);
	jv_set_uint(detail, "ms", step->ms);
	jv_set_uint(detail, "pause_ms", step->pause_ms);
	jv_set_bool(detail, "makes_room", step->is_displaced);
	if (instance->root_pool)
		jv_set_string(detail, "pool", instance->root_pool);
	if (step->depends_on != PLACEMENT_NONE)
		jv_set_uint(detail, "depends_on", step->depends_on);
	for (size_t i = 0; i < step->n_rejections; i++) {
		struct json_object *row = jv_object();
		scoped_free char *text =
			placement_rejection_text(snapshot, instance, &step->rejections[i]);

		jv_set_string(row, "member", member_name(snapshot, step->rejections[i].member));
		jv_set_string(row, "reason", text);
		jv_add_take(rejected, row);
	}
	jv_set_take(detail, "rejected", rejected);
	return jv_print_text(detail, NULL);
}

struct db_plan_step *plan_rows(const struct placement_snapshot *snapshot,
                               const struct planner_plan *plan, const int64_t *epochs)
{
	struct db_plan_step *rows = xcalloc(plan->n_steps + 1, sizeof(*rows));

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct planner_step *step = &plan->steps[i];
		const struct placement_instance *instance = &snapshot->instances[step->instance];

		rows[i] = (struct db_plan_step){
			.ordinal = (int64_t)i,
			.instance_id = instance->id,
			.project = xstrdup(instance->project),
			.instance = xstrdup(instance->name),
			.source = xstrdup(member_name(snapshot, step->from)),
			.target = xstrdup(member_name(snapshot, step->to)),
			.mode = xstrdup(planner_mode_name(step->mode)),
			.phase = PLAN_PHASE_PLANNED,
			.epoch = epochs ? epochs[step->instance] : 0,
			.was_running = step->must_run,
			.bytes_total = (int64_t)step->n_bytes,
			.error = xstrdup(""),
			.detail = step_detail(snapshot, step),
			.started = DATE_NONE,
			.updated = DATE_NONE,
		};
	}

	return rows;
}

struct json_object *plan_step_json(const struct db_plan_step *step, bool with_reasons)
{
	scoped(jv_unrefp) struct json_object *detail = NULL;
	scoped(error_freep) struct error *err = NULL;
	struct json_object *row = jv_object();

	if (step->detail && *step->detail)
		(void)jv_parse(step->detail, strlen(step->detail), &detail, &err);

	jv_set_int(row, "ordinal", step->ordinal);
	jv_set_string(row, "project", step->project);
	jv_set_string(row, "instance", step->instance);
	jv_set_string(row, "from", step->source);
	jv_set_string(row, "to", step->target);
	jv_set_string(row, "mode", step->mode);
	jv_set_string(row, "phase", plan_phase_name(step->phase));
	jv_set_int(row, "attempt", step->attempt);
	jv_set_bool(row, "was_running", step->was_running);
	jv_set_int(row, "bytes", step->bytes_total);
	jv_set_int(row, "bytes_done", step->bytes_done);
	jv_set_string(row, "error", step->error);
	jv_set_date(row, "started_at", step->started);
	jv_set_date(row, "updated_at", step->updated);
	if (!detail)
		return row;

	jv_set_string(row, "pool", jv_text(detail, "pool") ? jv_text(detail, "pool") : "");
	jv_set_double(row, "seconds", (double)jv_number(detail, "ms") / 1000);
	jv_set_int(row, "downtime_ms", jv_number(detail, "pause_ms"));
	jv_set_int(row, "rate", jv_number(detail, "rate"));
	if (jv_member(detail, "paused_ms"))
		jv_set_int(row, "paused_ms", jv_number(detail, "paused_ms"));

	struct json_object *depends = jv_array();
	if (jv_member(detail, "depends_on"))
		jv_add_int(depends, jv_number(detail, "depends_on"));
	jv_set_take(row, "depends_on", depends);
	if (with_reasons) {
		jv_set_string(row, "reason", jv_text(detail, "reason"));
		struct json_object *rejected = jv_member(detail, "rejected");
		jv_set_take(row, "rejected", rejected ? jv_ref(rejected) : jv_array());
	}
	return row;
}

struct counts {
	size_t n_done;
	size_t n_failed;
	size_t n_skipped;
	int64_t bytes;
	int64_t bytes_done;
};

static struct counts count_steps(const struct db_plan_step *steps, size_t n_steps)
{
	struct counts counts = { 0 };

	for (size_t i = 0; i < n_steps; i++) {
		counts.n_done += steps[i].phase == PLAN_PHASE_CLEANED;
		counts.n_failed += steps[i].phase == PLAN_PHASE_UNDONE;
		counts.n_skipped += steps[i].phase == PLAN_PHASE_SKIPPED;
		counts.bytes += steps[i].bytes_total;
		counts.bytes_done += steps[i].bytes_done;
	}

	return counts;
}

/* How much of a step is behind it, from 0 to 1. */
static double share_done(const struct db_plan_step *step)
{
	if (plan_phase_is_final(step->phase))
		return 1;
	if (plan_phase_is_committed(step->phase) || step->phase == PLAN_PHASE_PAUSED)
		return 0.9;
	if (step->bytes_total <= 0 || step->bytes_done <= 0)
		return 0;

	return 0.9 * MIN_OF((double)step->bytes_done / (double)step->bytes_total, 1.0);
}

/*
 * Seconds that the rest will take: by the estimate at first, and more and more as it went so far.
 * -1 if nobody can say. 'rows' are the steps as JSON, which have their own estimates.
 */
static int64_t seconds_left(const struct db_plan *plan, double estimate,
                            const struct db_plan_step *steps, size_t n_steps,
                            struct json_object *rows)
{
	double work = 0, done = 0;

	for (size_t i = 0; i < n_steps; i++) {
		struct json_object *own = jv_member(jv_item(rows, i), "seconds");
		double weight = MAX_OF(json_object_get_double(own), 0.001);

		work += weight;
		done += weight * share_done(&steps[i]);
	}
	if (done >= work)
		return 0;

	double share = done / work;
	double elapsed = (double)(date_now() - plan->created) / (double)DATE_SECOND;
	if (plan->id == 0 || plan->created == DATE_NONE)
		return (int64_t)(estimate + 0.999);
	if (share <= 0)
		return estimate > 0 ? (int64_t)(estimate + 0.999) : -1;

	double by_pace = elapsed * (1 - share) / share;
	double by_estimate = estimate > 0 ? estimate * (1 - share) : by_pace;
	return (int64_t)(by_pace * share + by_estimate * (1 - share) + 0.999);
}

/* The options of the plan without what is ours: the estimate, which '*ret_ms' gets. */
static struct json_object *options_json(const struct db_plan *plan, int64_t *ret_ms)
{
	scoped(error_freep) struct error *ignored = NULL;
	struct json_object *options = NULL;

	if (!plan->options ||
	    jv_parse_object(plan->options, strlen(plan->options), &options, &ignored) < 0)
		options = jv_object();
	*ret_ms = jv_number(options, "estimate_ms");
	json_object_object_del(options, "estimate_ms");
	return options;
}

struct json_object *plan_json(const struct db_plan *plan, const struct db_plan_step *steps,
                              size_t n_steps, bool with_reasons)
{
	struct counts counts = count_steps(steps, n_steps);
	struct json_object *obj = jv_object();
	struct json_object *rows = jv_array();
	struct json_object *unplaced = jv_array();
	struct json_object *count = jv_object();
	int64_t estimate_ms = 0;

	jv_set_string(obj, "uuid", plan->uuid);
	jv_set_string(obj, "kind", plan->kind);
	jv_set_string(obj, "member", plan->member);
	jv_set_string(obj, "state", plan->id ? plan_state_name(plan->state) : "planned");
	jv_set_string(obj, "operation", plan->operation);
	jv_set_string(obj, "error", plan->error);
	jv_set_take(obj, "options", options_json(plan, &estimate_ms));
	jv_set_date(obj, "created_at", plan->created);
	jv_set_date(obj, "updated_at", plan->updated);
	for (size_t i = 0; i < n_steps; i++) {
		jv_add_take(rows, plan_step_json(&steps[i], with_reasons));
		if (!*steps[i].target)
			jv_add_string(unplaced, steps[i].instance);
	}
	jv_set_take(obj, "steps", rows);
	jv_set_take(obj, "unplaced", unplaced);
	jv_set_uint(count, "total", n_steps);
	jv_set_uint(count, "done", counts.n_done);
	jv_set_uint(count, "failed", counts.n_failed);
	jv_set_uint(count, "skipped", counts.n_skipped);
	jv_set_take(obj, "counts", count);
	jv_set_int(obj, "bytes", counts.bytes);
	jv_set_int(obj, "bytes_done", counts.bytes_done);
	jv_set_double(obj, "seconds", (double)estimate_ms / 1000);
	jv_set_int(obj, "eta_seconds",
	           plan_state_is_open(plan->state)
	                   ? seconds_left(plan, (double)estimate_ms / 1000, steps, n_steps, rows)
	                   : 0);
	return obj;
}

char *plan_progress_text(const struct db_plan_step *steps, size_t n_steps)
{
	struct counts counts = count_steps(steps, n_steps);
	scoped_free char *text = xasprintf("%zu of %zu done", counts.n_done, n_steps);

	if (counts.n_failed)
		return xasprintf("%s, %zu failed", text, counts.n_failed);

	return TAKE_PTR(text);
}
