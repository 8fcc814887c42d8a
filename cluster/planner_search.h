/*
 * Places for several instances at once, when one after the other does not do.
 *
 * First greedily, in order. If that leaves somebody out, depth-first over the assignments of all
 * that move, the one with the fewest places first; if that fails too, with instances that stay put
 * so far moving to a third member to make room. All within a budget of tried placements, and
 * deterministic. What is found never leaves out more than the greedy way does.
 */
#pragma once

#include <stddef.h>

#include "cluster/placement.h"

struct planner_displacement {
	size_t instance; /* Index of the one that makes room. */
	size_t to;
	size_t for_mover; /* Index in 'movers'. */
};

struct planner_search {
	const struct placement_snapshot *snapshot;
	size_t source;        /* The member that all leave. */
	const size_t *movers; /* Indexes of instances, in order. */
	size_t n_movers;
	size_t budget;

	size_t *places; /* Out, by mover: a member or PLACEMENT_NONE. */
	struct planner_displacement *displaced;
	size_t n_displaced;
};

void planner_search_run(struct planner_search *search);
void planner_search_done(struct planner_search *search);
