#include "daemon/member/member_move.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/plan.h"
#include "daemon/core/access.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/member/member_draft.h"
#include "daemon/member/member_plan_operation.h"
#include "daemon/project/placement_view.h"
#include "db/reservations.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

#define FAMILIES (PLACEMENT_VIEW_FAMILIES | DB_PROFILES | DB_SNAPSHOTS)

struct json_object *member_move_json(const struct member_move *move)
{
	struct json_object *obj = jv_object();

	jv_set_string(obj, "project", move->project);
	jv_set_string(obj, "instance", move->instance);
	jv_set_string(obj, "target", move->target ? move->target : "");
	return obj;
}

int member_move_parse(struct json_object *body, struct member_move *ret_move, struct error **err)
{
	struct member_move move = { .target = jv_text(body, "target") };

	int r = jv_need_string(body, "project", &move.project, err);
	if (r == 0)
		r = jv_need_string(body, "instance", &move.instance, err);
	if (r == 0)
		*ret_move = move;

	return r;
}

struct moving {
	struct state *state;
	const struct member_move *move;
	const char *requestor;
	struct member_draft draft;
};

/* A plan that has not ended moves it already. */
static int check_free(struct db_tx *tx, int64_t instance_id, struct error **err)
{
	int64_t n = 0;

	int r = db_get_int(tx,
	                   "SELECT COUNT(*)"
	                   "  FROM plan_steps"
	                   "  JOIN plans ON plans.id = plan_steps.plan_id"
	                   " WHERE plan_steps.instance_id = ?"
	                   "   AND plan_steps.phase NOT IN (?, ?, ?)"
	                   "   AND plans.state < ?",
	                   DB_ARGS(db_int(instance_id), db_int(PLAN_PHASE_CLEANED),
	                           db_int(PLAN_PHASE_UNDONE), db_int(PLAN_PHASE_SKIPPED),
	                           db_int(PLAN_STATE_DONE)),
	                   0, &n, err);
	if (r < 0)
		return r;
	if (n > 0)
		return error_set(err, 409, "Instance is being moved to another member");

	return 0;
}

static int read_target(const struct placement_view *pv, const struct db_view *view,
                       const struct moving *moving, struct planner_request *request,
                       struct error **err)
{
	const char *target = moving->move->target;

	if (!target || !*target)
		return 0;
	if (*target == '@') {
		request->target_group = target + 1;
		return db_cache_member_group(view, target + 1)
		               ? 0
		               : error_set(err, 400, "Cluster group \"%s\" does not exist",
		                           target + 1);
	}

	request->target = placement_view_member(pv, target);
	if (request->target == PLACEMENT_NONE)
		return error_set(err, 404, "Cluster member \"%s\" not found", target);
	if (request->target == pv->snapshot.instances[request->instance].member)
		return error_set(err, 400, "Instance \"%s\" is on member \"%s\" already",
		                 moving->move->instance, target);
	if (pv->snapshot.members[request->target].is_evacuated)
		return error_set(err, 403, "Cluster member is evacuated");
	if (!pv->snapshot.members[request->target].is_online)
		return error_set(err, 400, "Target cluster member is offline");

	return 0;
}

static char *options_of(const struct member_move *move)
{
	scoped(jv_unrefp) struct json_object *options = member_move_json(move);

	return jv_print_text(options, NULL);
}

static int make_draft(struct moving *moving, const struct db_view *view,
                      const struct db_reservations *reservations, struct error **err)
{
	const struct member_move *move = moving->move;
	scoped(member_list_unrefp) struct member_list *members =
		cluster_members(moving->state->cluster);
	scoped_free char *options = options_of(move);
	struct planner_plan plan = { 0 };
	struct placement_view pv;

	placement_view_init(&pv, view, members, reservations);
	struct planner_request request = {
		.kind = PLANNER_MOVE,
		.member = PLACEMENT_NONE,
		.instance = placement_view_instance(&pv, move->project, move->instance),
		.target = PLACEMENT_NONE,
		.allowed_groups = placement_view_allowed_groups(&pv, move->project),
		.mode = -1,
	};
	int r = request.instance == PLACEMENT_NONE ? error_set(err, 404, "Instance not found")
	                                           : read_target(&pv, view, moving, &request, err);
	if (r == 0)
		r = planner_make(&pv.snapshot, &request, &plan, err);
	if (r == 0) {
		member_draft_make(&pv, &plan, "", options, &moving->draft);
		planner_plan_done(&plan);
	}
	placement_view_done(&pv);
	return r;
}

static int begin(struct db_tx *tx, void *arg, struct error **err)
{
	struct moving *moving = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct db_reservations reservations = { 0 };

	member_draft_done(&moving->draft);
	int r = db_cache_view(moving->state->cache, FAMILIES, &view, err);
	if (r == 0)
		r = db_reservation_list(tx, &reservations, err);
	if (r == 0)
		r = make_draft(moving, view, &reservations, err);
	db_reservation_list_done(&reservations);
	for (size_t i = 0; r == 0 && i < moving->draft.n_steps; i++)
		r = check_free(tx, moving->draft.steps[i].instance_id, err);
	if (r < 0)
		return r;

	return member_draft_write(tx, &moving->draft, moving->requestor, err);
}

int member_move_begin(struct request *req, const struct member_move *move,
                      struct operation **ret_op, struct error **err)
{
	scoped(jv_unrefp) struct json_object *requestor = access_json(req->requestor);
	scoped_free char *text = requestor ? jv_print_text(requestor, NULL) : xstrdup("");
	struct moving moving = { .state = req->state, .move = move, .requestor = text };

	int r = db_write(req->state->db, begin, &moving, err);
	if (r == 0)
		r = member_plan_operation(req->state, &moving.draft.plan, ret_op, err);
	member_draft_done(&moving.draft);
	return r;
}
