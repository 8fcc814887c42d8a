#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/placement_comply.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

#define N_MEMBERS 3
#define N_INSTANCES 6

/* Each letter is an instance of the group on m1, m2 or m3. */
static void each_rule_says_who_is_wrong(void **state)
{
	(void)state;
	static const struct {
		enum placement_policy policy;
		bool is_strict;
		const char *places;
		bool is_evacuated; /* m3 */
		const char *wrong; /* Numbers of members. */
		const char *why;   /* Of the first one. */
	} cases[] = {
		{ PLACEMENT_SPREAD, true, "", false, "", NULL },
		{ PLACEMENT_SPREAD, true, "123", false, "", NULL },
		{ PLACEMENT_SPREAD, true, "11", false, "1", "it has 2 of a strictly spread group" },
		{ PLACEMENT_SPREAD, true, "112233", false, "123",
		  "it has 2 of a strictly spread group" },
		{ PLACEMENT_SPREAD, false, "112233", false, "", NULL },
		{ PLACEMENT_SPREAD, false, "1123", false, "", NULL },
		{ PLACEMENT_SPREAD, false, "1122", false, "12",
		  "it has 2, another member that could take one has at most 0" },
		{ PLACEMENT_SPREAD, false, "1122", true, "", NULL },
		{ PLACEMENT_COMPACT, true, "222", false, "", NULL },
		{ PLACEMENT_COMPACT, true, "1222", false, "1", "most of the group are on \"m2\"" },
		{ PLACEMENT_COMPACT, false, "12", false, "2", "most of the group are on \"m1\"" },
	};
	static const char *const names[] = { "m1", "m2", "m3" };

	for (size_t c = 0; c < COUNT_OF(cases); c++) {
		struct placement_member members[N_MEMBERS] = { 0 };
		struct placement_instance instances[N_INSTANCES] = { 0 };
		const struct placement_group_row group = { .policy = cases[c].policy,
			                                   .is_strict = cases[c].is_strict };
		struct placement_snapshot snapshot = {
			.members = members,
			.n_members = N_MEMBERS,
			.instances = instances,
			.groups = &group,
			.n_groups = 1,
		};
		struct placement_comply comply;
		const char *wrong = cases[c].wrong;

		for (size_t m = 0; m < N_MEMBERS; m++)
			members[m] =
				(struct placement_member){ .name = names[m], .is_online = true };
		members[2].is_evacuated = cases[c].is_evacuated;
		for (const char *p = cases[c].places; *p; p++, snapshot.n_instances++)
			instances[snapshot.n_instances] =
				(struct placement_instance){ .id = 1,
				                             .member = (size_t)(*p - '1') };

		placement_comply_check(&snapshot, 0, &comply);
		assert_int_equal(comply.n_instances, snapshot.n_instances);
		assert_int_equal(comply.complies, !*wrong);
		for (size_t m = 0; m < N_MEMBERS; m++) {
			bool is_wrong = *wrong == (char)('1' + m);

			assert_int_equal(comply.is_wrong[m], is_wrong);
			if (is_wrong && wrong == cases[c].wrong) {
				scoped_free char *why =
					placement_comply_text(&snapshot, 0, &comply, m);

				assert_string_equal(why, cases[c].why);
			}
			wrong += is_wrong;
		}
		placement_comply_done(&comply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_says_who_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
