/* Roles: single changes as a table, and what clusters end as when all changes were made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/roles.h"
#include "lib/base/macro.h"

#define MAX 9

static const struct roles_targets targets = { .max_voters = 3, .max_standbys = 2 };

/*
 * A cluster as text: one word per member, ids from 1: V, S or - (spare), then "*" for the leader,
 * "!" for offline, "?" for suspect, "e" for evacuated, a digit for the failure domain.
 */
static size_t parse(const char *text, struct roles_member *ret)
{
	size_t n = 0;

	for (const char *c = text; *c; c++) {
		struct roles_member *m = &ret[n == 0 ? 0 : n - 1];

		switch (*c) {
		case 'V':
		case 'S':
		case '-':
			m = &ret[n++];
			*m = (struct roles_member){
				.id = n,
				.role = *c == 'V'   ? ROLE_VOTER
				        : *c == 'S' ? ROLE_STANDBY
				                    : ROLE_SPARE,
				.is_online = true,
				.may_promote = true,
			};
			break;
		case '*':
			m->is_leader = true;
			break;
		case '!':
			m->is_online = false;
			break;
		case '?':
			m->is_suspect = true;
			break;
		case 'e':
			m->may_promote = false;
			break;
		case ' ':
			break;
		default:
			m->domain = (uint64_t)(*c - '0');
		}
	}

	return n;
}

static void one_change_follows_from_each_state(void **state)
{
	(void)state;
	static const struct {
		const char *cluster;
		uint64_t id; /* 0: nothing to do. */
		enum role role;
	} cases[] = {
		{ "V*", 0, 0 },
		{ "V* -", 2, ROLE_STANDBY },
		{ "V* V", 2, ROLE_SPARE },
		{ "V* S", 0, 0 },
		{ "V* S!", 2, ROLE_SPARE },
		{ "V* -!", 0, 0 },
		{ "V* -e", 0, 0 },
		{ "V* V V", 0, 0 },
		{ "V* Ve V?", 0, 0 },
		{ "V* Ve V", 0, 0 },
		{ "V* Ve! V", 0, 0 },
		{ "V* Ve Ve", 2, ROLE_SPARE },
		{ "V* - Ve", 2, ROLE_VOTER },
		{ "V* V V Ve Ve", 5, ROLE_STANDBY },
		{ "V* V Ve Ve Ve", 3, ROLE_SPARE },
		{ "V* V V V V! V! V!", 5, ROLE_SPARE },
		{ "V* - -", 2, ROLE_VOTER },
		{ "V* S -", 2, ROLE_VOTER },
		{ "V* - S", 3, ROLE_VOTER },
		{ "V* V V!", 0, 0 },
		{ "V* V V V!", 4, ROLE_SPARE },
		{ "V* V V! -", 4, ROLE_VOTER },
		{ "V* V V! S -", 4, ROLE_VOTER },
		{ "V* V V! -e", 0, 0 },
		{ "V V* V V", 4, ROLE_STANDBY },
		{ "V V V V*", 3, ROLE_STANDBY },
		{ "V* V V - -", 4, ROLE_STANDBY },
		{ "V* V V S S -", 0, 0 },
		{ "V* V V S S S", 6, ROLE_SPARE },
		{ "V* V V S! S -", 6, ROLE_STANDBY },
		{ "V* V V S! S S", 4, ROLE_SPARE },
		{ "V* V Ve", 0, 0 },
		{ "V* V Ve -", 4, ROLE_VOTER },
		{ "V* V Ve V", 3, ROLE_SPARE },
		{ "V* V Ve V S", 3, ROLE_SPARE },
		{ "V* V V Se", 4, ROLE_SPARE },
		{ "V*1 V1 V2 -3", 4, ROLE_VOTER },
		{ "V*1 V1 V2 V3", 2, ROLE_STANDBY },
		{ "V*1 V1 V2 -3!", 0, 0 },
		{ "V*1 V2 V3 -4", 4, ROLE_STANDBY },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct roles_member members[MAX];
		size_t n = parse(cases[i].cluster, members);
		struct roles_change got = { 0 };

		if (!roles_next_change(members, n, &targets, &got))
			got = (struct roles_change){ 0 };
		if (got.id != cases[i].id || (got.id && got.role != cases[i].role)) {
			print_error("%s: member %d becomes %d\n", cases[i].cluster, (int)got.id,
			            (int)got.role);
			fail();
		}
	}
}

/* Every state of up to 5 members, in two domains, comes to rest without losing the quorum. */
static void all_changes_come_to_an_end(void **state)
{
	(void)state;
	enum { PER_MEMBER = 3 * 2 * 2 * 2 };

	for (size_t n = 1; n <= 4; n++) {
		size_t n_states = 1;

		for (size_t i = 0; i < n; i++)
			n_states *= PER_MEMBER;
		for (size_t code = 0; code < n_states; code++) {
			struct roles_member members[MAX] = { 0 };
			size_t rest = code, n_voters = 0, n_online = 0;

			for (size_t i = 0; i < n; i++, rest /= PER_MEMBER) {
				members[i] = (struct roles_member){
					.id = i + 1,
					.role = (enum role)(rest % 3),
					.is_online = rest / 3 % 2,
					.may_promote = rest / 6 % 2,
					.domain = rest / 12 % 2,
				};
				n_voters += members[i].role == ROLE_VOTER;
				n_online += members[i].role == ROLE_VOTER && members[i].is_online;
			}
			/* Only a cluster with a quorum and a leader makes changes. */
			if (members[0].role != ROLE_VOTER || !members[0].is_online ||
			    n_online < n_voters / 2 + 1)
				continue;
			members[0].is_leader = true;

			struct roles_change change;
			size_t n_changes = 0;
			while (roles_next_change(members, n, &targets, &change)) {
				assert_true(++n_changes < 32);
				assert_true(members[change.id - 1].role != change.role);
				if (change.role < members[change.id - 1].role)
					assert_true(members[change.id - 1].is_online);
				assert_false(members[change.id - 1].is_leader);
				members[change.id - 1].role = change.role;

				n_voters = n_online = 0;
				for (size_t i = 0; i < n; i++) {
					n_voters += members[i].role == ROLE_VOTER;
					n_online += members[i].role == ROLE_VOTER &&
					            members[i].is_online;
				}
				assert_true(n_online >= n_voters / 2 + 1);
			}
			assert_true(n_online <= targets.max_voters);
		}
	}
}

static void a_leaving_member_is_replaced(void **state)
{
	(void)state;
	static const struct {
		const char *cluster;
		uint64_t leaving, id;
		enum role role;
	} cases[] = {
		{ "V* V V", 3, 0, 0 },
		{ "V* V V -", 3, 4, ROLE_VOTER },
		{ "V* V V - S", 2, 5, ROLE_VOTER },
		{ "V* V V S -", 4, 5, ROLE_STANDBY },
		{ "V* V V -e", 3, 0, 0 },
		{ "V* V V -", 9, 0, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct roles_member members[MAX];
		size_t n = parse(cases[i].cluster, members);
		struct roles_change got = { 0 };
		bool is_changed = roles_replacement(members, n, &targets, cases[i].leaving, &got);

		assert_int_equal(is_changed, cases[i].id != 0);
		if (is_changed) {
			assert_int_equal(got.id, cases[i].id);
			assert_int_equal(got.role, cases[i].role);
		}
	}
}

static void evacuation_asks_whether_the_quorum_survives(void **state)
{
	(void)state;
	static const struct {
		const char *cluster;
		uint64_t id;
		bool survives;
	} cases[] = {
		{ "V*", 1, false },     { "V* -", 1, true },     { "V* -", 2, true },
		{ "V* V V", 3, true },  { "V* V! V", 3, false }, { "V* V! V -", 3, true },
		{ "V* V! V", 2, true }, { "V* V Ve", 3, true },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct roles_member members[MAX];
		size_t n = parse(cases[i].cluster, members);

		assert_int_equal(roles_quorum_survives(members, n, cases[i].id), cases[i].survives);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_change_follows_from_each_state),
		cmocka_unit_test(all_changes_come_to_an_end),
		cmocka_unit_test(a_leaving_member_is_replaced),
		cmocka_unit_test(evacuation_asks_whether_the_quorum_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
