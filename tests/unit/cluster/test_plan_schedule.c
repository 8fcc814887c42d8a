#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/plan_schedule.h"
#include "cluster/planner.h"
#include "lib/base/macro.h"

static const struct plan_slot busy[] = {
	{ "m1", "m2", "ssd" },
	{ "m1", "m3", "ssd" },
	{ "m4", "m2", "hdd" },
};

static void each_cap_holds_by_itself(void **state)
{
	(void)state;
	static const struct {
		struct plan_caps caps;
		struct plan_slot next;
		bool fits;
	} cases[] = {
		{ { 8, 8, 8, 32 }, { "m1", "m2", "ssd" }, true },
		{ { 2, 8, 8, 32 }, { "m1", "m4", "hdd" }, false }, /* Two leave m1. */
		{ { 2, 8, 8, 32 }, { "m4", "m1", "hdd" }, true },
		{ { 8, 2, 8, 32 }, { "m3", "m2", "" }, false }, /* Two come to m2. */
		{ { 8, 2, 8, 32 }, { "m3", "m4", "" }, true },
		{ { 8, 8, 2, 32 }, { "m1", "m4", "ssd" }, false }, /* Its pool on m1 is busy, */
		{ { 8, 8, 2, 32 }, { "m1", "m4", "hdd" }, true },  /* the other one not, */
		{ { 8, 8, 2, 32 }, { "m3", "m4", "ssd" }, true },  /* nor the same elsewhere. */
		{ { 8, 8, 1, 32 }, { "m5", "m3", "ssd" }, false },
		{ { 8, 8, 1, 32 }, { "m1", "m2", "" }, true },
		{ { 8, 8, 8, 3 }, { "m8", "m9", "" }, false }, /* Three are under way. */
		{ { 8, 8, 8, 4 }, { "m8", "m9", "" }, true },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(
			plan_schedule_fits(&cases[i].caps, busy, COUNT_OF(busy), &cases[i].next),
			cases[i].fits);
}

static void the_estimate_keeps_to_the_caps(void **state)
{
	(void)state;
	const struct placement_member members[] = { { .name = "m1" }, { .name = "m2" } };
	const struct placement_instance instances[] = { { .name = "a", .root_pool = "ssd" },
		                                        { .name = "b", .root_pool = "ssd" },
		                                        { .name = "c" } };
	const struct placement_snapshot snapshot = {
		.members = members,
		.n_members = COUNT_OF(members),
		.instances = instances,
		.n_instances = COUNT_OF(instances),
	};
	struct planner_step steps[] = {
		{ .instance = 0, .to = 1, .ms = 100, .depends_on = PLACEMENT_NONE },
		{ .instance = 1, .to = 1, .ms = 200, .depends_on = PLACEMENT_NONE },
		{ .instance = 2, .to = 1, .ms = 300, .depends_on = PLACEMENT_NONE },
	};
	const struct planner_plan plan = { .steps = steps, .n_steps = COUNT_OF(steps) };
	static const struct {
		struct plan_caps caps;
		size_t third_after;
		uint64_t ms;
	} cases[] = {
		{ { 8, 8, 8, 32 }, PLACEMENT_NONE, 300 }, { { 1, 8, 8, 32 }, PLACEMENT_NONE, 600 },
		{ { 2, 8, 8, 32 }, PLACEMENT_NONE, 400 }, /* The third when the first has ended. */
		{ { 8, 8, 1, 32 }, PLACEMENT_NONE, 300 }, /* Two in a row, one beside them. */
		{ { 8, 8, 8, 1 }, PLACEMENT_NONE, 600 },  { { 8, 8, 8, 32 }, 1, 500 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		steps[2].depends_on = cases[i].third_after;
		assert_int_equal(plan_schedule_ms(&cases[i].caps, &snapshot, &plan), cases[i].ms);
	}
}

static void copies_share_the_bandwidth(void **state)
{
	(void)state;
	const struct plan_caps caps = { .source = 4, .target = 2, .pool = 4, .cluster = 3 };

	assert_int_equal(plan_schedule_share(&caps, 0, 10), 0);
	assert_int_equal(plan_schedule_share(&caps, 300, 10), 100);
	assert_int_equal(plan_schedule_share(&caps, 300, 2), 150);
	assert_int_equal(plan_schedule_share(&caps, 300, 0), 300);
	assert_int_equal(plan_schedule_share(&caps, 1, 10), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cap_holds_by_itself),
		cmocka_unit_test(the_estimate_keeps_to_the_caps),
		cmocka_unit_test(copies_share_the_bandwidth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
