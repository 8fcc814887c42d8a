#include "cluster/planner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/planner_search.h"
#include "lib/base/alloc.h"

#define DEFAULT_BANDWIDTH (200ULL << 20)
#define DEFAULT_BUDGET 20000
#define SETUP_MS 400 /* What a move costs beside its bytes. */
#define STOP_MS 300  /* Stop and start, without the instance's own shutdown. */

static const char *const kind_names[] = {
	[PLANNER_CREATE] = "create",   [PLANNER_MOVE] = "move", [PLANNER_EVACUATE] = "evacuate",
	[PLANNER_RESTORE] = "restore", [PLANNER_HEAL] = "heal",
};
static_assert(COUNT_OF(kind_names) == N_PLANNER_KINDS, "a name for each kind");

static const char *const mode_names[] = {
	[PLANNER_STOP] = "stop",
	[PLANNER_MIGRATE] = "migrate",
	[PLANNER_LIVE_MIGRATE] = "live-migrate",
	[PLANNER_REFRESH_MIGRATE] = "refresh-migrate",
	[PLANNER_START] = "start",
	[PLANNER_STAY] = "stay",
};
static_assert(COUNT_OF(mode_names) == N_PLANNER_MODES, "a name for each mode");

static int parse_name(const char *const *names, size_t n_names, const char *name)
{
	for (size_t i = 0; i < n_names; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;

	return -EINVAL;
}

const char *planner_kind_name(enum planner_kind kind)
{
	return kind_names[kind];
}

const char *planner_mode_name(enum planner_mode mode)
{
	return mode_names[mode];
}

int planner_kind_parse(const char *name)
{
	return parse_name(kind_names, COUNT_OF(kind_names), name);
}

int planner_mode_parse(const char *name)
{
	return parse_name(mode_names, COUNT_OF(mode_names), name);
}

void planner_plan_done(struct planner_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		free(plan->steps[i].reason);
		free(plan->steps[i].rejections);
	}
	free(plan->steps);
	*plan = (struct planner_plan){ 0 };
}

/* What the making of one plan carries around. */
struct making {
	const struct placement_snapshot *snapshot;
	const struct planner_request *request;
	struct placement_usage *usage;
	struct planner_plan *plan;
	size_t n_allocated;
};

static struct planner_step *add_step(struct making *making, size_t instance, size_t from, size_t to,
                                     enum planner_mode mode)
{
	struct planner_plan *plan = making->plan;

	if (plan->n_steps == making->n_allocated) {
		making->n_allocated = making->n_allocated ? making->n_allocated * 2 : 8;
		plan->steps = realloc(plan->steps, making->n_allocated * sizeof(*plan->steps));
		assert(plan->steps);
	}

	struct planner_step *step = &plan->steps[plan->n_steps++];
	*step = (struct planner_step){
		.instance = instance,
		.from = from,
		.to = to,
		.mode = mode,
		.must_run = making->snapshot->instances[instance].is_running,
		.depends_on = PLACEMENT_NONE,
	};
	return step;
}

struct cost {
	uint64_t bytes;    /* To copy. */
	uint64_t ms;       /* How long it takes. */
	uint64_t pause_ms; /* How long the instance is down. */
};

static struct cost cost_of(const struct making *making, size_t instance, enum planner_mode mode)
{
	const struct placement_instance *row = &making->snapshot->instances[instance];
	uint64_t bandwidth =
		making->request->bandwidth ? making->request->bandwidth : DEFAULT_BANDWIDTH;
	struct cost cost = { 0 };

	if (mode == PLANNER_STOP || mode == PLANNER_START) {
		cost.ms = STOP_MS;
		cost.pause_ms = mode == PLANNER_STOP ? STOP_MS : 0;
		return cost;
	}
	if (mode == PLANNER_STAY)
		return cost;

	cost.bytes = row->is_storage_shared ? 0 : row->n_bytes;
	uint64_t copy_ms = cost.bytes * 1000 / bandwidth;
	cost.ms = SETUP_MS + copy_ms + (row->is_running ? STOP_MS : 0);
	if (row->is_running)
		cost.pause_ms = mode == PLANNER_MIGRATE ? STOP_MS + copy_ms : STOP_MS;

	return cost;
}

static void estimate(struct making *making, struct planner_step *step)
{
	struct cost cost = cost_of(making, step->instance, step->mode);

	step->n_bytes = cost.bytes;
	step->ms = cost.ms;
	step->pause_ms = cost.pause_ms;
	making->plan->n_bytes += cost.bytes;
}

/* The way to move it that keeps it down for no longer than is allowed; "stay" if there is none. */
static enum planner_mode within_budget(const struct making *making, size_t instance,
                                       enum planner_mode mode)
{
	const struct placement_instance *row = &making->snapshot->instances[instance];
	uint64_t budget = making->request->downtime_ms;
	bool is_known = row->n_bytes > 0 || row->is_storage_shared || !row->is_running;

	if (budget == 0 || mode == PLANNER_STOP)
		return mode;
	if (cost_of(making, instance, mode).pause_ms <= budget &&
	    (mode != PLANNER_MIGRATE || row->is_vm || is_known))
		return mode;
	if (mode == PLANNER_MIGRATE && !row->is_vm &&
	    cost_of(making, instance, PLANNER_REFRESH_MIGRATE).pause_ms <= budget)
		return PLANNER_REFRESH_MIGRATE;

	return PLANNER_STAY;
}

/* It stays where it is, since it would be down for too long. */
static void stay_up(struct making *making, size_t instance)
{
	const struct placement_instance *row = &making->snapshot->instances[instance];
	struct planner_step *step =
		add_step(making, instance, row->member, row->member, PLANNER_STAY);
	enum planner_mode best = row->is_vm ? PLANNER_MIGRATE : PLANNER_REFRESH_MIGRATE;

	if (row->is_vm && row->may_live_migrate)
		best = PLANNER_LIVE_MIGRATE;
	step->reason =
		xasprintf("it would be down for about %llu ms, longer than the %llu ms allowed",
	                  (unsigned long long)cost_of(making, instance, best).pause_ms,
	                  (unsigned long long)making->request->downtime_ms);
}

/* cluster.evacuate, or what the request says in its place. */
static enum planner_mode evacuation_mode(const struct making *making,
                                         const struct placement_instance *instance)
{
	int mode = making->request->mode;

	if (mode < 0 && instance->evacuate && strcmp(instance->evacuate, "auto") != 0)
		mode = planner_mode_parse(instance->evacuate);

	/* Devices that are bound to this host decide unless somebody said what to do. */
	if (mode == PLANNER_STOP || (mode < 0 && instance->stuck))
		return PLANNER_STOP;
	if (!instance->is_running)
		return PLANNER_MIGRATE;
	if (instance->is_vm)
		return instance->may_live_migrate && mode != PLANNER_MIGRATE ? PLANNER_LIVE_MIGRATE
		                                                             : PLANNER_MIGRATE;

	return mode == PLANNER_REFRESH_MIGRATE ? PLANNER_REFRESH_MIGRATE : PLANNER_MIGRATE;
}

static enum planner_mode leaving_mode(const struct making *making, size_t instance)
{
	return within_budget(making, instance,
	                     evacuation_mode(making, &making->snapshot->instances[instance]));
}

/* Of one that makes room for another. */
static enum planner_mode displaced_mode(const struct making *making, size_t instance)
{
	const struct placement_instance *row = &making->snapshot->instances[instance];
	enum planner_mode mode = row->may_live_migrate ? PLANNER_LIVE_MIGRATE : PLANNER_MIGRATE;
	enum planner_mode kept = within_budget(making, instance, mode);

	/* The other one has no place without it; the coordinator looks at the budget once more. */
	return kept != PLANNER_STAY ? kept : row->is_vm ? mode : PLANNER_REFRESH_MIGRATE;
}

/* Why a move's member was chosen and the others were not, as things stand before the move. */
static void explain(struct making *making, struct planner_step *step,
                    const struct placement_wish *wish)
{
	struct placement_wish asked = *wish;
	struct placement_choice choice;

	asked.is_explained = !making->request->is_reduced;
	placement_choose(making->usage, &asked, &choice);
	if (choice.member == step->to || step->to == PLACEMENT_NONE) {
		step->reason = placement_chosen_text(making->usage, &asked, &choice);
	} else {
		/* The search gave the best place to somebody who has no other. */
		step->reason = xstrdup("the only way to place all");
		for (size_t i = 0; i < choice.n_rejections; i++) {
			if (choice.rejections[i].member == step->to)
				choice.rejections[i] = (struct placement_rejection){
					.member = (uint32_t)choice.member,
					.reason = PLACEMENT_NAME,
				};
		}
	}
	step->rejections = TAKE_PTR(choice.rejections);
	step->n_rejections = choice.n_rejections;
	placement_choice_done(&choice);
}

static struct placement_wish wish_of(const struct making *making, size_t instance, size_t exclude)
{
	return (struct placement_wish){
		.instance = &making->snapshot->instances[instance],
		.target = making->request->target,
		.target_group = making->request->target_group,
		.allowed_groups = making->request->allowed_groups,
		.exclude = exclude,
	};
}

static size_t move_step(struct making *making, size_t instance, size_t from, size_t to,
                        enum planner_mode mode)
{
	const struct placement_instance *row = &making->snapshot->instances[instance];
	struct placement_wish wish = wish_of(making, instance, from);
	struct planner_step *step = add_step(making, instance, from, to, mode);

	explain(making, step, &wish);
	estimate(making, step);
	if (to != PLACEMENT_NONE && from != to) {
		if (from != PLACEMENT_NONE)
			placement_usage_add(making->usage, row, from, -1);
		placement_usage_add(making->usage, row, to, 1);
	}

	return making->plan->n_steps - 1;
}

static int plan_one(struct making *making, struct error **err)
{
	size_t instance = making->request->instance;
	const struct placement_instance *row = &making->snapshot->instances[instance];
	struct placement_wish wish = wish_of(making, instance, row->member);
	struct placement_choice choice;

	placement_choose(making->usage, &wish, &choice);
	int r = choice.member == PLACEMENT_NONE
	                ? placement_error(making->snapshot, &wish, &choice, err)
	                : 0;
	if (r == 0)
		move_step(making, instance, row->member, choice.member,
		          row->is_running && row->may_live_migrate ? PLANNER_LIVE_MIGRATE
		                                                   : PLANNER_MIGRATE);
	placement_choice_done(&choice);
	return r;
}

/* Those that leave, in the order in which they leave: high boot.stop.priority first, then name. */

static int compare_order(const void *a, const void *b, void *arg)
{
	const struct placement_instance *instances = arg;
	const struct placement_instance *x = &instances[*(const size_t *)a];
	const struct placement_instance *y = &instances[*(const size_t *)b];

	if (x->stop_priority != y->stop_priority)
		return x->stop_priority > y->stop_priority ? -1 : 1;

	int r = strcmp(x->project, y->project);
	return r ? r : strcmp(x->name, y->name);
}

static size_t order_instances(const struct placement_snapshot *snapshot, size_t *indexes, size_t n)
{
	qsort_r(indexes, n, sizeof(*indexes), compare_order,
	        (void *)(uintptr_t)snapshot->instances);
	return n;
}

static void plan_evacuation(struct making *making)
{
	const struct placement_snapshot *snapshot = making->snapshot;
	size_t source = making->request->member;
	scoped_free size_t *movers = xcalloc(snapshot->n_instances + 1, sizeof(*movers));
	size_t n_movers = 0;

	for (size_t i = 0; i < snapshot->n_instances; i++)
		if (snapshot->instances[i].member == source && snapshot->instances[i].id != 0)
			movers[n_movers++] = i;
	order_instances(snapshot, movers, n_movers);

	size_t n_moving = 0;
	scoped_free size_t *moving = xcalloc(n_movers + 1, sizeof(*moving));
	for (size_t i = 0; i < n_movers; i++) {
		enum planner_mode mode = leaving_mode(making, movers[i]);

		if (mode != PLANNER_STOP && mode != PLANNER_STAY)
			moving[n_moving++] = movers[i];
	}

	struct planner_search search = {
		.snapshot = snapshot,
		.source = source,
		.movers = moving,
		.n_movers = n_moving,
		.budget = making->request->search_budget ? making->request->search_budget
		                                         : DEFAULT_BUDGET,
	};
	planner_search_run(&search);

	size_t next = 0;
	for (size_t i = 0; i < n_movers; i++) {
		const struct placement_instance *row = &snapshot->instances[movers[i]];
		enum planner_mode mode = leaving_mode(making, movers[i]);

		if (mode == PLANNER_STAY) {
			stay_up(making, movers[i]);
			continue;
		}
		if (mode == PLANNER_STOP) {
			bool is_heal = making->request->kind == PLANNER_HEAL;
			struct planner_step *step =
				add_step(making, movers[i], source, source,
			                 is_heal || !row->is_running ? PLANNER_STAY : PLANNER_STOP);

			step->reason = row->stuck ? xstrdup(row->stuck)
			                          : xstrdup("its evacuation mode is \"stop\"");
			estimate(making, step);
			continue;
		}

		size_t at = next++;
		size_t room = PLACEMENT_NONE;
		for (size_t k = 0; k < search.n_displaced; k++) {
			struct planner_displacement *displaced = &search.displaced[k];

			if (displaced->for_mover != at)
				continue;
			room = move_step(making, displaced->instance,
			                 snapshot->instances[displaced->instance].member,
			                 displaced->to,
			                 displaced_mode(making, displaced->instance));
			making->plan->steps[room].is_displaced = true;
			free(making->plan->steps[room].reason);
			making->plan->steps[room].reason =
				xasprintf("makes room for \"%s\"", row->name);
		}

		size_t to = search.places[at];
		size_t ordinal = move_step(making, movers[i], source, to,
		                           to == PLACEMENT_NONE ? PLANNER_STAY : mode);
		making->plan->steps[ordinal].depends_on = room;
		if (to == PLACEMENT_NONE)
			making->plan->n_unplaced++;
	}
	planner_search_done(&search);
}

/* Home again: those that came from here, and those that were stopped here. */
static void plan_restore(struct making *making)
{
	const struct placement_snapshot *snapshot = making->snapshot;
	size_t home = making->request->member;
	scoped_free size_t *movers = xcalloc(snapshot->n_instances + 1, sizeof(*movers));
	size_t n_movers = 0;

	if (making->request->is_skipped)
		return;
	for (size_t i = 0; i < snapshot->n_instances; i++)
		if (snapshot->instances[i].id != 0 &&
		    ((snapshot->instances[i].origin == home &&
		      snapshot->instances[i].member != home) ||
		     (snapshot->instances[i].member == home && snapshot->instances[i].is_running)))
			movers[n_movers++] = i;
	order_instances(snapshot, movers, n_movers);

	for (size_t i = 0; i < n_movers; i++) {
		const struct placement_instance *row = &snapshot->instances[movers[i]];

		if (row->member == home) {
			struct planner_step *step =
				add_step(making, movers[i], home, home, PLANNER_START);
			step->reason = xstrdup("it was stopped here");
			estimate(making, step);
			continue;
		}

		enum planner_mode mode = PLANNER_MIGRATE;
		if (row->is_running && row->is_vm && row->may_live_migrate)
			mode = PLANNER_LIVE_MIGRATE;
		else if (row->is_running && row->evacuate &&
		         strcmp(row->evacuate, "refresh-migrate") == 0)
			mode = PLANNER_REFRESH_MIGRATE;
		mode = within_budget(making, movers[i], mode);
		if (mode == PLANNER_STAY) {
			stay_up(making, movers[i]);
			continue;
		}

		struct planner_step *step = add_step(making, movers[i], row->member, home, mode);
		step->reason = xstrdup("it was evacuated from there");
		estimate(making, step);
	}
}

int planner_make(const struct placement_snapshot *snapshot, const struct planner_request *request,
                 struct planner_plan *ret_plan, struct error **err)
{
	struct planner_plan plan = { .kind = request->kind, .member = request->member };
	scoped(placement_usage_freep) struct placement_usage *usage = placement_usage_new(snapshot);
	struct making making = {
		.snapshot = snapshot,
		.request = request,
		.usage = usage,
		.plan = &plan,
	};
	int r = 0;

	switch (request->kind) {
	case PLANNER_CREATE:
	case PLANNER_MOVE:
		r = plan_one(&making, err);
		break;
	case PLANNER_EVACUATE:
	case PLANNER_HEAL:
		plan_evacuation(&making);
		break;
	case PLANNER_RESTORE:
		plan_restore(&making);
		break;
	case N_PLANNER_KINDS:
		assert(!"no kind");
	}
	if (r < 0) {
		planner_plan_done(&plan);
		return r;
	}

	*ret_plan = plan;
	return 0;
}
