#include "cluster/planner_search.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

struct walk {
	struct planner_search *search;
	struct placement_usage *usage;
	size_t *places; /* Of the branch being walked. */
	size_t *order;  /* Movers, hardest first. */
	size_t n_placed;
	size_t n_best; /* Placed in what 'search->places' holds. */
	size_t left;   /* Of the budget. */
	struct planner_displacement *displaced;
	size_t n_displaced;
	size_t may_displace;
};

static struct placement_wish wish_of(const struct planner_search *search, size_t instance)
{
	return (struct placement_wish){
		.instance = &search->snapshot->instances[instance],
		.target = PLACEMENT_NONE,
		.exclude = search->source,
	};
}

static void keep(struct walk *walk)
{
	struct planner_search *search = walk->search;

	walk->n_best = walk->n_placed;
	memcpy(search->places, walk->places, search->n_movers * sizeof(*search->places));
	free(search->displaced);
	search->displaced = xcalloc(walk->n_displaced + 1, sizeof(*search->displaced));
	memcpy(search->displaced, walk->displaced, walk->n_displaced * sizeof(*search->displaced));
	search->n_displaced = walk->n_displaced;
}

static void walk_greedy(struct walk *walk)
{
	struct planner_search *search = walk->search;

	for (size_t i = 0; i < search->n_movers; i++) {
		const struct placement_instance *row =
			&search->snapshot->instances[search->movers[i]];
		struct placement_wish wish = wish_of(search, search->movers[i]);
		struct placement_choice choice;

		placement_choose(walk->usage, &wish, &choice);
		walk->places[i] = choice.member;
		if (choice.member != PLACEMENT_NONE) {
			placement_usage_add(walk->usage, row, search->source, -1);
			placement_usage_add(walk->usage, row, choice.member, 1);
			walk->n_placed++;
		}
		placement_choice_done(&choice);
	}
	keep(walk);
	for (size_t i = 0; i < search->n_movers; i++) {
		const struct placement_instance *row =
			&search->snapshot->instances[search->movers[i]];

		if (walk->places[i] == PLACEMENT_NONE)
			continue;
		placement_usage_add(walk->usage, row, walk->places[i], -1);
		placement_usage_add(walk->usage, row, search->source, 1);
		walk->places[i] = PLACEMENT_NONE;
	}
	walk->n_placed = 0;
}

static bool walk_deeper(struct walk *walk, size_t depth);

/* Puts one mover on one member and goes on; whether all found a place in the end. */
static bool try_place(struct walk *walk, size_t depth, size_t mover, size_t member)
{
	struct planner_search *search = walk->search;
	const struct placement_instance *row = &search->snapshot->instances[search->movers[mover]];

	placement_usage_add(walk->usage, row, search->source, -1);
	placement_usage_add(walk->usage, row, member, 1);
	walk->places[mover] = member;
	walk->n_placed++;
	bool is_done = walk_deeper(walk, depth + 1);
	walk->n_placed--;
	walk->places[mover] = PLACEMENT_NONE;
	placement_usage_add(walk->usage, row, member, -1);
	placement_usage_add(walk->usage, row, search->source, 1);
	return is_done;
}

static bool is_displaced(const struct walk *walk, size_t instance)
{
	for (size_t i = 0; i < walk->n_displaced; i++)
		if (walk->displaced[i].instance == instance)
			return true;

	return false;
}

/* Moves one that stands in the way of 'mover' on 'member' to a third member, and tries again. */
static bool try_displace(struct walk *walk, size_t depth, size_t mover, size_t member)
{
	const struct placement_snapshot *snapshot = walk->search->snapshot;
	struct placement_wish wanted = wish_of(walk->search, walk->search->movers[mover]);
	struct placement_rejection ignored;

	for (size_t i = 0; i < snapshot->n_instances; i++) {
		const struct placement_instance *row = &snapshot->instances[i];

		if (row->member != member || row->id == 0 || row->stuck || is_displaced(walk, i))
			continue;

		placement_usage_add(walk->usage, row, member, -1);
		bool is_room =
			placement_check(walk->usage, &wanted, member, &ignored) == PLACEMENT_CHOSEN;
		for (size_t to = 0; is_room && to < snapshot->n_members && walk->left > 0; to++) {
			struct placement_wish wish = wish_of(walk->search, i);

			walk->left--;
			if (to == member ||
			    placement_check(walk->usage, &wish, to, &ignored) != PLACEMENT_CHOSEN)
				continue;

			placement_usage_add(walk->usage, row, to, 1);
			walk->displaced[walk->n_displaced++] = (struct planner_displacement){
				.instance = i,
				.to = to,
				.for_mover = mover,
			};
			bool is_done = try_place(walk, depth, mover, member);
			walk->n_displaced--;
			placement_usage_add(walk->usage, row, to, -1);
			if (is_done) {
				placement_usage_add(walk->usage, row, member, 1);
				return true;
			}
		}
		placement_usage_add(walk->usage, row, member, 1);
	}

	return false;
}

static bool walk_deeper(struct walk *walk, size_t depth)
{
	struct planner_search *search = walk->search;

	if (walk->n_placed > walk->n_best)
		keep(walk);
	if (depth == search->n_movers)
		return walk->n_placed == search->n_movers;
	/* Not even with all that are left would it be better. */
	if (walk->n_placed + (search->n_movers - depth) <= walk->n_best)
		return false;

	size_t mover = walk->order[depth];
	struct placement_wish wish = wish_of(search, search->movers[mover]);
	struct placement_rejection ignored;

	for (size_t member = 0; member < search->snapshot->n_members && walk->left > 0; member++) {
		walk->left--;
		if (placement_check(walk->usage, &wish, member, &ignored) == PLACEMENT_CHOSEN &&
		    try_place(walk, depth, mover, member))
			return true;
	}
	for (size_t member = 0; walk->n_displaced < walk->may_displace &&
	                        member < search->snapshot->n_members && walk->left > 0;
	     member++) {
		enum placement_reason reason =
			placement_check(walk->usage, &wish, member, &ignored);

		walk->left--;
		if ((reason == PLACEMENT_MEMORY || reason == PLACEMENT_GROUP_SPREAD ||
		     reason == PLACEMENT_GROUP_COMPACT) &&
		    try_displace(walk, depth, mover, member))
			return true;
	}

	return walk_deeper(walk, depth + 1);
}

/* How many members a mover could go to as things are: those with few are placed first. */
static void order_movers(struct walk *walk)
{
	struct planner_search *search = walk->search;
	scoped_free size_t *n_places = xcalloc(search->n_movers + 1, sizeof(*n_places));
	struct placement_rejection ignored;

	for (size_t i = 0; i < search->n_movers; i++) {
		struct placement_wish wish = wish_of(search, search->movers[i]);

		for (size_t member = 0; member < search->snapshot->n_members; member++)
			n_places[i] += placement_check(walk->usage, &wish, member, &ignored) ==
			               PLACEMENT_CHOSEN;
	}
	for (size_t i = 0; i < search->n_movers; i++) {
		size_t k = i;

		for (; k > 0 && n_places[walk->order[k - 1]] > n_places[i]; k--)
			walk->order[k] = walk->order[k - 1];
		walk->order[k] = i;
	}
}

void planner_search_run(struct planner_search *search)
{
	size_t n = search->n_movers;

	search->places = xcalloc(n + 1, sizeof(*search->places));
	search->displaced = NULL;
	search->n_displaced = 0;
	for (size_t i = 0; i < n; i++)
		search->places[i] = PLACEMENT_NONE;

	scoped(placement_usage_freep) struct placement_usage *usage =
		placement_usage_new(search->snapshot);
	scoped_free size_t *places = xcalloc(n + 1, sizeof(*places));
	scoped_free size_t *order = xcalloc(n + 1, sizeof(*order));
	scoped_free struct planner_displacement *displaced = xcalloc(n + 1, sizeof(*displaced));
	struct walk walk = {
		.search = search,
		.usage = usage,
		.places = places,
		.order = order,
		.displaced = displaced,
	};
	for (size_t i = 0; i < n; i++)
		places[i] = PLACEMENT_NONE;

	walk_greedy(&walk);
	/* Beyond that many the search would not get far, and the greedy answer is good. */
	if (walk.n_best == n || n > 256)
		return;

	order_movers(&walk);
	for (size_t may_displace = 0; may_displace <= n; may_displace = may_displace * 2 + 1) {
		walk.may_displace = may_displace < n ? may_displace : n;
		walk.left = search->budget;
		if (walk_deeper(&walk, 0))
			return;
	}
}

void planner_search_done(struct planner_search *search)
{
	free(search->places);
	free(search->displaced);
	search->places = NULL;
	search->displaced = NULL;
	search->n_displaced = 0;
}
