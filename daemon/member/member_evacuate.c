#include "daemon/member/member_evacuate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/cluster.h"
#include "cluster/plan.h"
#include "cluster/planner.h"
#include "cluster/rebalance.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/member/member_draft.h"
#include "daemon/member/member_plan_operation.h"
#include "daemon/member/member_service.h"
#include "daemon/member/member_sizes.h"
#include "daemon/project/placement_view.h"
#include "daemon/storage/storage_service.h"
#include "db/reservations.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/map.h"
#include "lib/base/uuid.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

#define LATE_MS 2000 /* For the operation of a plan that somebody else starts just now. */
#define LATE_PAUSE_MS 5
#define FAMILIES (PLACEMENT_VIEW_FAMILIES | DB_PROFILES | DB_SNAPSHOTS)

static int read_mode(struct member_evacuate *evacuate, const char *mode, struct error **err)
{
	evacuate->mode = -1;
	if (!mode || !*mode)
		return 0;
	if (evacuate->is_restore) {
		evacuate->is_skipped = strcmp(mode, "skip") == 0;
		return evacuate->is_skipped ? 0 : error_set(err, 400, "Invalid mode: \"%s\"", mode);
	}
	if (strcmp(mode, "auto") == 0)
		return 0;

	int parsed = planner_mode_parse(mode);
	if (parsed < 0 || parsed == PLANNER_STAY || parsed == PLANNER_START)
		return error_set(err, 400, "Invalid evacuation mode \"%s\"", mode);
	if (parsed == PLANNER_LIVE_MIGRATE)
		parsed = -1;

	evacuate->mode = parsed;
	return 0;
}

static int read_no_target(struct member_evacuate *evacuate, const char *text)
{
	static const char *const names[] = {
		[MEMBER_NO_TARGET_STAY] = "stay",
		[MEMBER_NO_TARGET_STOP] = "stop",
		[MEMBER_NO_TARGET_FAIL] = "fail",
	};
	static_assert(COUNT_OF(names) == N_MEMBER_NO_TARGETS, "a name for each");

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		evacuate->no_target = (enum member_no_target)i;
		return 0;
	}
	return -EINVAL;
}

int member_evacuate_parse(struct json_object *body, const char *member,
                          struct member_evacuate *ret_evacuate, struct error **err)
{
	struct member_evacuate evacuate = { .member = member };
	const char *action = "";
	const char *mode = NULL;
	const char *no_target = NULL;

	int r = jv_get_string(body, "action", &action, err);
	if (r >= 0)
		r = jv_get_string(body, "mode", &mode, err);
	if (r >= 0)
		r = jv_get_bool(body, "force", &evacuate.is_forced, err);
	if (r >= 0)
		r = jv_get_bool(body, "dry_run", &evacuate.is_dry, err);
	if (r >= 0)
		r = jv_get_string(body, "on_no_target", &no_target, err);
	if (r < 0)
		return r;

	if (strcmp(action, "restore") == 0)
		evacuate.is_restore = true;
	else if (strcmp(action, "evacuate") != 0)
		return error_set(err, 400, "Unknown action \"%s\"", action);
	if (no_target && read_no_target(&evacuate, no_target) < 0)
		return error_set(err, 400, "Invalid on_no_target \"%s\"", no_target);

	r = read_mode(&evacuate, mode, err);
	if (r == 0)
		r = member_options_read(body, &evacuate.options, err);
	if (r < 0)
		return r;

	*ret_evacuate = evacuate;
	return 0;
}

/* Nowhere to go, and told to stop then. */
static void stop_unplaced(struct planner_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct planner_step *step = &plan->steps[i];

		if (step->mode != PLANNER_STAY || step->to != PLACEMENT_NONE || !step->must_run)
			continue;
		step->mode = PLANNER_STOP;
		step->to = step->from;
	}
}

/* What is known of the copies that a plan makes; without it they have no size. */
struct sizing {
	struct map *sizes; /* member_sizes_ask() */
	size_t n_copies;
};

static int make_plan(struct state *state, const struct member_evacuate *evacuate,
                     const struct db_view *view, const struct db_reservations *reservations,
                     const struct sizing *sizing, struct member_draft *ret_made, struct error **err)
{
	scoped(member_list_unrefp) struct member_list *members = cluster_members(state->cluster);
	const struct member_options *options = &evacuate->options;
	struct planner_plan plan = { 0 };
	struct placement_view pv;

	placement_view_init(&pv, view, members, reservations);
	if (sizing)
		placement_view_set_sizes(&pv, sizing->sizes);
	const struct planner_request request = {
		.kind = evacuate->is_restore ? PLANNER_RESTORE : PLANNER_EVACUATE,
		.member = placement_view_member(&pv, evacuate->member),
		.target = PLACEMENT_NONE,
		.mode = evacuate->mode,
		.is_skipped = evacuate->is_skipped,
		.bandwidth = plan_schedule_share(&options->caps, (uint64_t)options->bandwidth,
		                                 sizing ? sizing->n_copies : 1),
		.downtime_ms = (uint64_t)options->downtime_ms,
	};
	int r = request.member == PLACEMENT_NONE ? error_set(err, 404, "Cluster member not found")
	                                         : planner_make(&pv.snapshot, &request, &plan, err);
	if (r < 0) {
		placement_view_done(&pv);
		return r;
	}
	if (evacuate->no_target == MEMBER_NO_TARGET_STOP)
		stop_unplaced(&plan);

	scoped_free char *text =
		member_options_text(options, plan_schedule_ms(&options->caps, &pv.snapshot, &plan));
	member_draft_make(&pv, &plan, evacuate->member, text, ret_made);
	planner_plan_done(&plan);
	placement_view_done(&pv);
	return 0;
}

static int list_reservations(struct db_tx *tx, void *arg, struct error **err)
{
	return db_reservation_list(tx, arg, err);
}

/* The plan by what is committed now; nothing is booked. */
static int preview(struct state *state, const struct member_evacuate *evacuate,
                   const struct sizing *sizing, struct member_draft *ret_made, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct db_reservations reservations = { 0 };

	int r = db_cache_view(state->cache, FAMILIES, &view, err);
	if (r == 0)
		r = db_read(state->db, list_reservations, &reservations, err);
	if (r == 0)
		r = make_plan(state, evacuate, view, &reservations, sizing, ret_made, err);
	db_reservation_list_done(&reservations);
	return r;
}

/* Asks the members how much there is to copy: by a plan without sizes, which are no part of any
 * choice. */
static int size_up(struct state *state, const struct member_evacuate *evacuate,
                   struct sizing *ret_sizing, struct error **err)
{
	struct member_draft draft = { 0 };

	int r = preview(state, evacuate, NULL, &draft, err);
	if (r < 0)
		return r;

	*ret_sizing = (struct sizing){
		.sizes = member_sizes_ask(state, draft.steps, draft.n_steps),
		.n_copies = member_draft_copies(draft.steps, draft.n_steps),
	};
	member_draft_done(&draft);
	return 0;
}

int member_evacuate_dry_run(struct state *state, const struct member_evacuate *evacuate,
                            struct json_object **ret_plan, struct error **err)
{
	struct sizing sizing = { 0 };
	struct member_draft made = { 0 };

	int r = size_up(state, evacuate, &sizing, err);
	if (r == 0)
		r = preview(state, evacuate, &sizing, &made, err);
	map_free(sizing.sizes);
	if (r < 0)
		return r;

	*ret_plan = plan_json(&made.plan, made.steps, made.n_steps, true);
	member_draft_done(&made);
	return 0;
}

struct beginning {
	struct state *state;
	const struct member_evacuate *evacuate;
	const char *requestor;
	struct sizing sizing;
	struct member_draft made;
	bool is_resumed; /* 'made.plan' is one that was there. */
};

/* The open plan of this member, if any; 400 when another one is in the way. */
static int find_open(struct db_tx *tx, struct beginning *beginning, bool *ret_found,
                     struct error **err)
{
	static const int64_t open[] = { PLAN_STATE_RUNNING, PLAN_STATE_PAUSED,
		                        PLAN_STATE_CANCELLING, PLAN_STATE_UNDOING };
	const struct member_evacuate *evacuate = beginning->evacuate;
	const char *verb = evacuate->is_restore ? "restore" : "evacuate";
	struct db_plans plans = { 0 };

	int r = db_plan_list(tx, open, COUNT_OF(open), &plans, err);
	*ret_found = false;
	for (size_t i = 0; r == 0 && i < plans.n; i++) {
		struct db_plan *plan = &plans.rows[i];
		bool is_same = strcmp(plan->member, evacuate->member) == 0;

		if (is_same && strcmp(plan->kind, verb) == 0) {
			r = db_plan_set_state(tx, plan->id, plan->state, PLAN_STATE_RUNNING, NULL,
			                      err);
			db_plan_done(&beginning->made.plan);
			beginning->made.plan = *plan;
			*plan = (struct db_plan){ 0 };
			*ret_found = true;
		} else if (is_same) {
			r = error_set(err, 400,
			              evacuate->is_restore
			                      ? "Cannot restore \"%s\" while an evacuate operation "
			                        "is in progress"
			                      : "Cannot evacuate \"%s\" while a restore operation "
			                        "is in progress",
			              evacuate->member);
		} else if (strcmp(plan->kind, verb) == 0 && !evacuate->is_restore) {
			r = error_set(err, 400,
			              "Cannot evacuate \"%s\" while another cluster member "
			              "evacuation is in progress",
			              evacuate->member);
		}
	}
	db_plan_list_done(&plans);
	return r;
}

static int check_member(const struct db_member *row, const struct member_evacuate *evacuate,
                        struct error **err)
{
	if (!row)
		return error_set(err, 404, "Cluster member not found");
	if (row->state == DB_MEMBER_PENDING)
		return error_set(err, 400, "Cannot evacuate or restore a pending cluster member");
	if (evacuate->is_restore && row->state != DB_MEMBER_EVACUATED)
		return error_set(err, 400, "Cluster member is already restored");

	return 0;
}

static int begin(struct db_tx *tx, void *arg, struct error **err)
{
	struct beginning *beginning = arg;
	const struct member_evacuate *evacuate = beginning->evacuate;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct db_reservations reservations = { 0 };

	member_draft_done(&beginning->made);
	int r = db_cache_view(beginning->state->cache, FAMILIES, &view, err);
	if (r < 0)
		return r;

	const struct db_member *member = db_cache_member(view, evacuate->member);
	r = check_member(member, evacuate, err);
	if (r == 0)
		r = find_open(tx, beginning, &beginning->is_resumed, err);
	if (r < 0 || beginning->is_resumed)
		return r;

	r = db_reservation_list(tx, &reservations, err);
	if (r == 0)
		r = make_plan(beginning->state, evacuate, view, &reservations, &beginning->sizing,
		              &beginning->made, err);
	db_reservation_list_done(&reservations);
	if (r < 0)
		return r;

	struct member_draft *made = &beginning->made;
	if (made->n_unplaced > 0 && evacuate->no_target == MEMBER_NO_TARGET_FAIL)
		return error_set(err, 409, "Cannot evacuate \"%s\": %zu instances fit nowhere else",
		                 evacuate->member, made->n_unplaced);
	r = member_draft_write(tx, made, beginning->requestor, err);
	if (r == 0 && !evacuate->is_restore)
		r = db_member_set_state(tx, member->id, DB_MEMBER_EVACUATED, err);

	return r;
}

int member_evacuate_check(struct request *req, const struct member_evacuate *evacuate,
                          struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	if (!state_is_clustered(req->state))
		return error_set(err, 400, "This server is not clustered");
	if (!storage_service_is_ready(req->state) && !evacuate->is_forced)
		return error_set(err, 400,
		                 "Cannot %s \"%s\" because some storage pools have not started yet",
		                 evacuate->is_restore ? "restore" : "evacuate", evacuate->member);

	int r = db_cache_view(req->state->cache, DB_MEMBERS, &view, err);
	if (r == 0)
		r = check_member(db_cache_member(view, evacuate->member), evacuate, err);
	if (r < 0 || evacuate->is_restore || evacuate->is_forced)
		return r;

	return rebalance_leader_check_quorum(req->state->cluster, evacuate->member, err);
}

/* The operation of the plan: a new one, or that of the thread that was faster. */
static int find_operation(struct state *state, const struct db_plan *plan,
                          struct operation **ret_op, struct error **err)
{
	const struct timespec pause = { .tv_nsec = LATE_PAUSE_MS * 1000000L };
	int64_t deadline = date_deadline(LATE_MS);

	for (;;) {
		scoped(error_freep) struct error *none = NULL;

		int r = member_plan_operation(state, plan, ret_op, err);
		if (r != -EALREADY)
			return r;
		if (operation_find(state, plan->uuid, ret_op, &none) == 0) {
			error_clear(err);
			return 0;
		}
		if (date_left(deadline) == 0)
			return r;

		error_clear(err);
		nanosleep(&pause, NULL);
	}
}

static void tell_begin(struct request *req, const struct member_evacuate *evacuate)
{
	scoped_free char *url = lifecycle_url(
		NULL, (const char *const[]){ "cluster", "members", evacuate->member, NULL });

	lifecycle_send_for(req,
	                   evacuate->is_restore ? "cluster-member-restoring"
	                                        : "cluster-member-evacuating",
	                   NULL, url, NULL);
}

int member_evacuate_begin(struct request *req, const struct member_evacuate *evacuate,
                          struct operation **ret_op, struct error **err)
{
	scoped(jv_unrefp) struct json_object *requestor = access_json(req->requestor);
	scoped_free char *text = requestor ? jv_print_text(requestor, NULL) : xstrdup("");
	struct beginning beginning = {
		.state = req->state,
		.evacuate = evacuate,
		.requestor = text,
	};

	int r = size_up(req->state, evacuate, &beginning.sizing, err);
	if (r == 0)
		r = db_write(req->state->db, begin, &beginning, err);
	map_free(beginning.sizing.sizes);
	if (r == 0 && !beginning.is_resumed)
		tell_begin(req, evacuate);
	if (r == 0)
		r = find_operation(req->state, &beginning.made.plan, ret_op, err);
	member_draft_done(&beginning.made);
	return r;
}
