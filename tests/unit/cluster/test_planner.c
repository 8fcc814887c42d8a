/*
 * The planner: against brute force on small random clusters, and the cases that have a name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/planner.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"

#define N_MEMBERS 5
#define N_INSTANCES 8
#define N_GROUPS 2

static const char *const all_groups[] = { "default", NULL };
static const char *const names[] = { "m1", "m2", "m3", "m4", "m5" };
static const char *const instance_names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };

struct world {
	struct placement_member members[N_MEMBERS];
	struct placement_instance instances[N_INSTANCES];
	struct placement_group_row groups[N_GROUPS];
	struct placement_snapshot snapshot;
};

static void world_init(struct world *world)
{
	*world = (struct world){ 0 };
	for (size_t i = 0; i < N_MEMBERS; i++)
		world->members[i] = (struct placement_member){
			.name = names[i],
			.cluster_groups = all_groups,
			.is_online = true,
			.memory = 8,
		};
	for (size_t i = 0; i < N_INSTANCES; i++)
		world->instances[i] = (struct placement_instance){
			.id = (int64_t)i + 1,
			.project = "default",
			.name = instance_names[i],
			.origin = PLACEMENT_NONE,
			.group = PLACEMENT_NONE,
			.is_running = true,
			.n_bytes = 1 << 20,
		};
	for (size_t i = 0; i < N_GROUPS; i++)
		world->groups[i] = (struct placement_group_row){
			.project = "default",
			.name = i ? "g1" : "g0",
			.is_strict = true,
		};
	world->snapshot = (struct placement_snapshot){
		.members = world->members,
		.n_members = N_MEMBERS,
		.instances = world->instances,
		.n_instances = N_INSTANCES,
		.groups = world->groups,
		.n_groups = N_GROUPS,
	};
}

static void world_random(struct world *world, unsigned seed)
{
	srand(seed);
	world_init(world);
	for (size_t i = 0; i < N_GROUPS; i++)
		world->groups[i].policy = rand() % 3 ? PLACEMENT_SPREAD : PLACEMENT_COMPACT;
	for (size_t i = 1; i < N_MEMBERS; i++) {
		world->members[i].memory = (uint64_t)(3 + rand() % 8);
		world->members[i].is_online = rand() % 8 != 0;
	}
	for (size_t i = 0; i < N_INSTANCES; i++) {
		world->instances[i].member = rand() % 2 ? 0 : (size_t)(rand() % N_MEMBERS);
		world->instances[i].memory = (uint64_t)(rand() % 5);
		if (rand() % 2)
			world->instances[i].group = (size_t)(rand() % N_GROUPS);
	}
}

/* Whether every rule that was kept before is kept with these places. */
static bool is_legal(const struct world *world, const size_t *places)
{
	for (size_t m = 0; m < N_MEMBERS; m++) {
		uint64_t used = 0;
		bool is_new = false;

		for (size_t i = 0; i < N_INSTANCES; i++) {
			if (places[i] != m)
				continue;
			used += world->instances[i].memory;
			is_new |= places[i] != world->instances[i].member &&
			          world->instances[i].memory > 0;
		}
		if (is_new && used > world->members[m].memory)
			return false;
	}
	for (size_t i = 0; i < N_INSTANCES; i++) {
		size_t group = world->instances[i].group;

		if (places[i] == world->instances[i].member)
			continue;
		if (places[i] == 0 || !world->members[places[i]].is_online)
			return false;
		for (size_t k = 0; k < N_INSTANCES && group != PLACEMENT_NONE; k++) {
			if (k == i || world->instances[k].group != group)
				continue;
			if (world->groups[group].policy == PLACEMENT_SPREAD &&
			    places[k] == places[i])
				return false;
		}
	}
	return true;
}

/* The member of a strictly compact group, by the state before; PLACEMENT_NONE if it is free. */
static size_t bound_of(const struct world *world, size_t group)
{
	size_t best = PLACEMENT_NONE;
	size_t most = 0;

	for (size_t m = 1; m < N_MEMBERS; m++) {
		size_t n = 0;

		for (size_t i = 0; i < N_INSTANCES; i++)
			n += world->instances[i].group == group && world->instances[i].member == m;
		if (n > most) {
			most = n;
			best = m;
		}
	}
	return best;
}

static bool is_compact_kept(const struct world *world, const size_t *places)
{
	for (size_t group = 0; group < N_GROUPS; group++) {
		if (world->groups[group].policy != PLACEMENT_COMPACT)
			continue;

		size_t bound = bound_of(world, group);
		for (size_t i = 0; i < N_INSTANCES; i++) {
			if (world->instances[i].group != group ||
			    places[i] == world->instances[i].member)
				continue;
			if (bound == PLACEMENT_NONE)
				bound = places[i];
			if (places[i] != bound)
				return false;
		}
	}
	return true;
}

static bool brute_force(const struct world *world, size_t *places, size_t next)
{
	if (next == N_INSTANCES)
		return is_legal(world, places) && is_compact_kept(world, places);
	if (world->instances[next].member != 0) {
		places[next] = world->instances[next].member;
		return brute_force(world, places, next + 1);
	}
	for (size_t m = 1; m < N_MEMBERS; m++) {
		places[next] = m;
		if (brute_force(world, places, next + 1))
			return true;
	}
	return false;
}

static void no_strict_rule_is_broken_and_no_plan_missed(void **state)
{
	(void)state;
	size_t n_feasible = 0;

	for (unsigned seed = 1; seed <= 1500; seed++) {
		struct world world;
		struct planner_plan plan;
		scoped(error_freep) struct error *err = NULL;
		const struct planner_request request = {
			.kind = PLANNER_EVACUATE,
			.target = PLACEMENT_NONE,
			.mode = -1,
		};
		size_t places[N_INSTANCES];

		world_random(&world, seed);
		assert_int_equal(planner_make(&world.snapshot, &request, &plan, &err), 0);

		for (size_t i = 0; i < N_INSTANCES; i++)
			places[i] = world.instances[i].member;
		bool is_displacing = false;
		for (size_t i = 0; i < plan.n_steps; i++) {
			places[plan.steps[i].instance] =
				plan.steps[i].to == PLACEMENT_NONE ? 0 : plan.steps[i].to;
			is_displacing |= plan.steps[i].is_displaced;
		}
		if (!is_legal(&world, places) ||
		    (!is_displacing && !is_compact_kept(&world, places)))
			fail_msg("seed %u: a strict rule is broken", seed);

		size_t tried[N_INSTANCES];
		bool is_feasible = brute_force(&world, tried, 0);
		n_feasible += is_feasible;
		if (is_feasible && plan.n_unplaced > 0)
			fail_msg("seed %u: %zu without a place", seed, plan.n_unplaced);
		planner_plan_done(&plan);
	}
	assert_true(n_feasible > 300);
}

static void the_same_input_gives_the_same_plan(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct world world;
		struct planner_plan plans[2];
		scoped(error_freep) struct error *err = NULL;
		const struct planner_request request = {
			.kind = PLANNER_EVACUATE,
			.target = PLACEMENT_NONE,
			.mode = -1,
		};

		world_random(&world, seed);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(planner_make(&world.snapshot, &request, &plans[i], &err),
			                 0);
		assert_int_equal(plans[0].n_steps, plans[1].n_steps);
		for (size_t i = 0; i < plans[0].n_steps; i++) {
			assert_int_equal(plans[0].steps[i].instance, plans[1].steps[i].instance);
			assert_int_equal(plans[0].steps[i].to, plans[1].steps[i].to);
			assert_string_equal(plans[0].steps[i].reason, plans[1].steps[i].reason);
		}
		planner_plan_done(&plans[0]);
		planner_plan_done(&plans[1]);
	}
}

static void room_is_made_by_a_chain(void **state)
{
	(void)state;
	struct world world;
	struct planner_plan plan;
	scoped(error_freep) struct error *err = NULL;
	const struct planner_request request = {
		.kind = PLANNER_EVACUATE,
		.target = PLACEMENT_NONE,
		.mode = -1,
	};

	/* "a" needs 8 of memory, which only m2 could have, if "b" went to m3. */
	world_init(&world);
	world.snapshot.n_members = 3;
	world.snapshot.n_instances = 2;
	world.members[2].memory = 4;
	world.instances[0].memory = 8;
	world.instances[1].memory = 2;
	world.instances[1].member = 1;
	assert_int_equal(planner_make(&world.snapshot, &request, &plan, &err), 0);
	assert_int_equal(plan.n_steps, 2);
	assert_true(plan.steps[0].is_displaced);
	assert_int_equal(plan.steps[0].instance, 1);
	assert_int_equal(plan.steps[0].to, 2);
	assert_int_equal(plan.steps[1].to, 1);
	assert_int_equal(plan.steps[1].depends_on, 0);
	planner_plan_done(&plan);
}

static void who_has_no_place_stays_and_says_why(void **state)
{
	(void)state;
	struct world world;
	struct planner_plan plan;
	scoped(error_freep) struct error *err = NULL;
	const struct planner_request request = {
		.kind = PLANNER_EVACUATE,
		.target = PLACEMENT_NONE,
		.mode = -1,
	};

	world_init(&world);
	world.snapshot.n_members = 2;
	world.snapshot.n_instances = 2;
	world.groups[0].policy = PLACEMENT_SPREAD;
	world.instances[0].group = world.instances[1].group = 0;
	world.instances[1].member = 1;
	assert_int_equal(planner_make(&world.snapshot, &request, &plan, &err), 0);
	assert_int_equal(plan.n_unplaced, 1);
	assert_int_equal(plan.steps[0].mode, PLANNER_STAY);
	assert_int_equal(plan.steps[0].n_rejections, 2);
	scoped_free char *text = placement_rejection_text(&world.snapshot, &world.instances[0],
	                                                  &plan.steps[0].rejections[1]);
	assert_string_equal(text, "it already has 1 of strictly spread placement group \"g0\"");
	planner_plan_done(&plan);
}

static void restore_brings_home_what_came_from_there(void **state)
{
	(void)state;
	struct world world;
	struct planner_plan plan;
	scoped(error_freep) struct error *err = NULL;
	const struct planner_request request = {
		.kind = PLANNER_RESTORE,
		.member = 2,
		.target = PLACEMENT_NONE,
		.mode = -1,
	};

	world_init(&world);
	world.instances[3].origin = 2;
	world.instances[4].member = 2;
	world.instances[5].member = 2;
	world.instances[5].is_running = false;
	assert_int_equal(planner_make(&world.snapshot, &request, &plan, &err), 0);
	assert_int_equal(plan.n_steps, 2);
	assert_int_equal(plan.steps[0].to, 2);
	assert_int_equal(plan.steps[0].mode, PLANNER_MIGRATE);
	assert_int_equal(plan.steps[1].mode, PLANNER_START);
	planner_plan_done(&plan);
}

static void nobody_is_down_for_longer_than_allowed(void **state)
{
	(void)state;
	/* 1 MiB in 100 ms: stopping and copying takes 400 ms, stopping alone 300. */
	static const struct {
		uint64_t downtime_ms;
		uint64_t n_bytes;
		const char *evacuate;
		enum planner_mode mode;
	} cases[] = {
		{ 0, 1 << 20, NULL, PLANNER_MIGRATE },
		{ 400, 1 << 20, NULL, PLANNER_MIGRATE },
		{ 399, 1 << 20, NULL, PLANNER_REFRESH_MIGRATE },
		{ 300, 1 << 20, "refresh-migrate", PLANNER_REFRESH_MIGRATE },
		{ 299, 1 << 20, NULL, PLANNER_STAY },
		{ 299, 1 << 20, "stop", PLANNER_STOP },
		{ 400, 0, NULL, PLANNER_REFRESH_MIGRATE }, /* Who knows how large it is. */
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct world world;
		struct planner_plan plan;
		scoped(error_freep) struct error *err = NULL;
		struct planner_request request = {
			.kind = PLANNER_EVACUATE,
			.target = PLACEMENT_NONE,
			.mode = -1,
			.bandwidth = 10 << 20,
			.downtime_ms = cases[i].downtime_ms,
		};

		world_init(&world);
		world.snapshot.n_instances = 1;
		world.instances[0].n_bytes = cases[i].n_bytes;
		world.instances[0].evacuate = cases[i].evacuate;
		assert_int_equal(planner_make(&world.snapshot, &request, &plan, &err), 0);
		assert_int_equal(plan.n_steps, 1);
		assert_int_equal(plan.steps[0].mode, cases[i].mode);
		assert_int_equal(plan.n_unplaced, 0);
		if (cases[i].mode == PLANNER_STAY)
			assert_string_equal(plan.steps[0].reason,
			                    "it would be down for about 300 ms, longer than the "
			                    "299 ms allowed");
		planner_plan_done(&plan);

		/* The way home knows no less. */
		world.instances[0].origin = 2;
		request.kind = PLANNER_RESTORE;
		request.member = 2;
		assert_int_equal(planner_make(&world.snapshot, &request, &plan, &err), 0);
		assert_int_equal(plan.n_steps, 1);
		if (cases[i].mode != PLANNER_STOP)
			assert_int_equal(plan.steps[0].mode, cases[i].mode);
		planner_plan_done(&plan);
	}
}

static void every_name_goes_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < N_PLANNER_MODES; i++)
		assert_int_equal(planner_mode_parse(planner_mode_name((enum planner_mode)i)), i);
	for (int i = 0; i < N_PLANNER_KINDS; i++)
		assert_int_equal(planner_kind_parse(planner_kind_name((enum planner_kind)i)), i);
	assert_true(planner_mode_parse("auto") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_strict_rule_is_broken_and_no_plan_missed),
		cmocka_unit_test(the_same_input_gives_the_same_plan),
		cmocka_unit_test(room_is_made_by_a_chain),
		cmocka_unit_test(who_has_no_place_stays_and_says_why),
		cmocka_unit_test(restore_brings_home_what_came_from_there),
		cmocka_unit_test(nobody_is_down_for_longer_than_allowed),
		cmocka_unit_test(every_name_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
