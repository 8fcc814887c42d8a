/*
 * Which steps of plans run at the same time.
 *
 * A step occupies a place at its source, at its target, and at the pool on both; caps say how many
 * there are of each. The coordinator asks before it starts a step, and the estimate of how long a
 * plan takes asks the same function, so that both mean the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct planner_plan;
struct placement_snapshot;

struct plan_caps {
	int64_t source;  /* Steps at a time for one source, */
	int64_t target;  /* for one target, */
	int64_t pool;    /* for one pool on one member, */
	int64_t cluster; /* in all, other plans' among them. */
};

/* What a step occupies; borrowed names. An empty pool is none. */
struct plan_slot {
	const char *source;
	const char *target;
	const char *pool;
};

/* Whether 'next' may run beside those that run. */
bool plan_schedule_fits(const struct plan_caps *caps, const struct plan_slot *busy, size_t n_busy,
                        const struct plan_slot *next);

/*
 * Milliseconds that the plan's steps take by their estimates, within the caps and after what they
 * depend on.
 */
uint64_t plan_schedule_ms(const struct plan_caps *caps, const struct placement_snapshot *snapshot,
                          const struct planner_plan *plan);

/*
 * What one copy may use of 'bandwidth' bytes a second (0: no limit) so that all that run at the
 * same time stay within it: 'n_copies' are to be made, all from one member or all to one.
 */
uint64_t plan_schedule_share(const struct plan_caps *caps, uint64_t bandwidth, size_t n_copies);
