#include "cluster/plan_schedule.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/planner.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"

static bool shares_pool(const struct plan_slot *a, const struct plan_slot *b)
{
	return *a->pool && strcmp(a->pool, b->pool) == 0 &&
	       (strcmp(a->source, b->source) == 0 || strcmp(a->target, b->target) == 0);
}

bool plan_schedule_fits(const struct plan_caps *caps, const struct plan_slot *busy, size_t n_busy,
                        const struct plan_slot *next)
{
	int64_t n_source = 0, n_target = 0, n_pool = 0;

	for (size_t i = 0; i < n_busy; i++) {
		n_source += strcmp(busy[i].source, next->source) == 0;
		n_target += strcmp(busy[i].target, next->target) == 0;
		n_pool += shares_pool(&busy[i], next);
	}
	return (int64_t)n_busy < caps->cluster && n_source < caps->source &&
	       n_target < caps->target && n_pool < caps->pool;
}

/* One step of a plan on its way through the estimate. */
struct timing {
	struct plan_slot slot;
	uint64_t end;
	bool is_begun;
	bool is_ended;
};

struct timeline {
	const struct plan_caps *caps;
	const struct planner_plan *plan;
	struct timing *steps;
	struct plan_slot *busy;
	size_t n_busy;
	size_t n_ended;
	uint64_t now;
};

static const char *member_name(const struct placement_snapshot *snapshot, size_t member)
{
	return member == PLACEMENT_NONE ? "" : snapshot->members[member].name;
}

/* All that can begin now do. */
static void begin_steps(struct timeline *line)
{
	for (size_t i = 0; i < line->plan->n_steps; i++) {
		struct timing *step = &line->steps[i];
		size_t needed = line->plan->steps[i].depends_on;

		if (step->is_begun || (needed != PLACEMENT_NONE && !line->steps[needed].is_ended))
			continue;
		if (!plan_schedule_fits(line->caps, line->busy, line->n_busy, &step->slot))
			continue;
		step->is_begun = true;
		step->end = line->now + line->plan->steps[i].ms;
		line->busy[line->n_busy++] = step->slot;
	}
}

/* On to the moment when the next one ends. */
static bool end_step(struct timeline *line)
{
	struct timing *next = NULL;

	for (size_t i = 0; i < line->plan->n_steps; i++) {
		struct timing *step = &line->steps[i];

		if (step->is_begun && !step->is_ended && (!next || step->end < next->end))
			next = step;
	}
	if (!next)
		return false;

	line->now = next->end;
	next->is_ended = true;
	line->n_ended++;
	/* Slots of the same names are all alike. */
	for (size_t i = 0; i < line->n_busy; i++) {
		if (memcmp(&line->busy[i], &next->slot, sizeof(next->slot)) != 0)
			continue;
		line->busy[i] = line->busy[--line->n_busy];
		break;
	}
	return true;
}

uint64_t plan_schedule_ms(const struct plan_caps *caps, const struct placement_snapshot *snapshot,
                          const struct planner_plan *plan)
{
	scoped_free struct timing *steps = xcalloc(plan->n_steps + 1, sizeof(*steps));
	scoped_free struct plan_slot *busy = xcalloc(plan->n_steps + 1, sizeof(*busy));
	struct timeline line = { .caps = caps, .plan = plan, .steps = steps, .busy = busy };

	for (size_t i = 0; i < plan->n_steps; i++) {
		const char *pool = snapshot->instances[plan->steps[i].instance].root_pool;

		steps[i].slot = (struct plan_slot){
			.source = member_name(snapshot, plan->steps[i].from),
			.target = member_name(snapshot, plan->steps[i].to),
			.pool = pool ? pool : "",
		};
	}
	do
		begin_steps(&line);
	while (end_step(&line));

	return line.now;
}

uint64_t plan_schedule_share(const struct plan_caps *caps, uint64_t bandwidth, size_t n_copies)
{
	/* All share one source or all share one target; whichever allows more. */
	int64_t n = MIN_OF(MAX_OF(caps->source, caps->target), caps->cluster);

	n = MIN_OF(n, (int64_t)n_copies);
	if (bandwidth == 0)
		return 0;

	return n > 1 ? MAX_OF(bandwidth / (uint64_t)n, UINT64_C(1)) : bandwidth;
}
