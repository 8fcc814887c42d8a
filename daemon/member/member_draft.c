#include "daemon/member/member_draft.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/plan.h"
#include "daemon/core/operation.h"
#include "daemon/member/member_plan.h"
#include "daemon/member/member_service.h"
#include "daemon/member/member_step.h"
#include "daemon/project/placement_view.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/uuid.h"

#define PLANS_KEPT 100

void member_draft_done(struct member_draft *draft)
{
	for (size_t i = 0; i < draft->n_steps; i++)
		db_plan_step_done(&draft->steps[i]);
	for (size_t i = 0; i < draft->n_steps; i++)
		free(draft->places[i].placement_group);
	free(draft->places);
	free(draft->steps);
	db_plan_done(&draft->plan);
	*draft = (struct member_draft){ 0 };
}

/* The snapshot holds indexes; the rows want epochs by the same index. */
static int64_t *epochs_of(const struct placement_view *pv)
{
	int64_t *epochs = xcalloc(pv->snapshot.n_instances + 1, sizeof(*epochs));

	for (size_t i = 0; i < pv->snapshot.n_instances; i++) {
		const struct db_expanded *row = placement_view_row(pv, i);

		epochs[i] = row ? row->row.epoch : 0;
	}
	return epochs;
}

/* What each step that moves something books on its target. */
static struct db_reservation *places_of(const struct placement_snapshot *snapshot,
                                        const struct planner_plan *plan,
                                        const struct db_plan_step *rows)
{
	struct db_reservation *places = xcalloc(plan->n_steps + 1, sizeof(*places));

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct placement_instance *inst =
			&snapshot->instances[plan->steps[i].instance];
		bool has_group = inst->group != PLACEMENT_NONE;

		if (!*rows[i].target || strcmp(rows[i].target, rows[i].source) == 0)
			continue;
		places[i] = (struct db_reservation){
			.member = rows[i].target,
			.project = rows[i].project,
			.instance = rows[i].instance,
			.pool = (char *)(uintptr_t) "",
			.memory = (int64_t)inst->memory,
			.cpus = inst->n_cpus,
			.placement_group =
				xstrdup(has_group ? snapshot->groups[inst->group].name : ""),
			.created = date_now(),
			.expires = date_now() + MEMBER_RESERVED_FOR,
		};
	}
	return places;
}

static struct db_plan plan_row(enum planner_kind kind, const char *member, const char *options)
{
	char uuid[UUID_SIZE];

	operation_make_shared_id(uuid);
	return (struct db_plan){
		.uuid = xstrdup(uuid),
		.kind = xstrdup(planner_kind_name(kind)),
		.member = xstrdup(member),
		.requestor = xstrdup(""),
		.options = xstrdup(options),
		.state = PLAN_STATE_RUNNING,
		.operation = xstrdup(uuid),
		.error = xstrdup(""),
		.created = date_now(),
		.updated = date_now(),
	};
}

void member_draft_make(const struct placement_view *pv, const struct planner_plan *plan,
                       const char *member, const char *options, struct member_draft *ret_draft)
{
	scoped_free int64_t *epochs = epochs_of(pv);
	struct db_plan_step *rows = plan_rows(&pv->snapshot, plan, epochs);

	*ret_draft = (struct member_draft){
		.plan = plan_row(plan->kind, member, options),
		.steps = rows,
		.n_steps = plan->n_steps,
		.places = places_of(&pv->snapshot, plan, rows),
		.n_unplaced = plan->n_unplaced,
	};
}

size_t member_draft_copies(const struct db_plan_step *steps, size_t n_steps)
{
	size_t n = 0;

	for (size_t i = 0; i < n_steps; i++)
		n += *steps[i].source && *steps[i].target &&
		     strcmp(steps[i].source, steps[i].target) != 0;

	return n;
}

static int book(struct db_tx *tx, struct member_draft *draft, size_t i, struct error **err)
{
	struct db_reservation *place = &draft->places[i];
	bool is_there = false;
	int64_t id = 0;

	if (!place->member)
		return 0;

	/* Two plans never move the same instance; what is left of one that is lost may be. */
	int r = db_reservation_has(tx, place->project, place->instance, &is_there, err);
	if (r < 0 || is_there)
		return r;

	place->owner = draft->plan.uuid;
	return db_reservation_create(tx, place, &id, err);
}

int member_draft_write(struct db_tx *tx, struct member_draft *draft, const char *requestor,
                       struct error **err)
{
	free(draft->plan.requestor);
	draft->plan.requestor = xstrdup(requestor);

	int r = db_plan_create(tx, &draft->plan, draft->steps, draft->n_steps, &draft->plan.id,
	                       err);
	for (size_t i = 0; r == 0 && i < draft->n_steps; i++)
		r = book(tx, draft, i, err);
	if (r == 0)
		r = db_plan_prune(tx, PLAN_STATE_DONE, PLANS_KEPT, err);

	return r;
}
