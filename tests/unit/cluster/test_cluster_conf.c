/* Config keys of the cluster and of members: what is taken, and the sentence for what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/cluster_conf.h"
#include "lib/base/macro.h"

static void values_are_checked(void **state)
{
	(void)state;
	static const struct {
		const struct conf_key *table;
		const char *key, *value;
		bool is_good;
	} cases[] = {
		{ cluster_conf_keys, "cluster.offline_threshold", "11", true },
		{ cluster_conf_keys, "cluster.offline_threshold", "10", false },
		{ cluster_conf_keys, "cluster.offline_threshold", "x", false },
		{ cluster_conf_keys, "cluster.max_voters", "5", true },
		{ cluster_conf_keys, "cluster.max_voters", "4", false },
		{ cluster_conf_keys, "cluster.max_voters", "1", false },
		{ cluster_conf_keys, "cluster.max_standby", "0", true },
		{ cluster_conf_keys, "cluster.max_standby", "5", true },
		{ cluster_conf_keys, "cluster.max_standby", "6", false },
		{ cluster_conf_keys, "cluster.join_token_expiry", "1d 2H", true },
		{ cluster_conf_keys, "cluster.join_token_expiry", "1", false },
		{ cluster_conf_keys, "cluster.images_minimal_replica", "-1", true },
		{ cluster_conf_keys, "cluster.images_minimal_replica", "0", false },
		{ cluster_conf_keys, "cluster.healing_threshold", "0", true },
		{ cluster_conf_keys, "cluster.healing_threshold", "-1", false },
		{ cluster_conf_keys, "cluster.none", "1", false },
		{ cluster_conf_local_keys, "cluster.https_address", "10.0.0.1:8443", true },
		{ cluster_conf_local_keys, "cluster.https_address", "[fd42::1]", true },
		{ cluster_conf_local_keys, "cluster.https_address", ":8443", false },
		{ cluster_conf_local_keys, "cluster.https_address", "0.0.0.0", false },
		{ cluster_conf_local_keys, "cluster.https_address", "[::]:8443", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		int r = conf_validate(cases[i].table, cases[i].key, cases[i].value, &err);

		if ((r >= 0) != cases[i].is_good)
			fail_msg("%s = %s", cases[i].key, cases[i].value);
		if (r < 0)
			assert_int_equal(err->status, 400);
	}
}

static void members_get_the_sentences_of_lxd(void **state)
{
	(void)state;
	static const struct {
		const char *key, *value, *message;
	} cases[] = {
		{ "scheduler.instance", "all", NULL },
		{ "scheduler.instance", "manual", NULL },
		{ "user.anything", "at all", NULL },
		{ "bogus", "1", "Invalid cluster configuration key \"bogus\"" },
		{ "scheduler.instance", "never",
		  "Invalid cluster configuration key \"scheduler.instance\" value" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		int r = cluster_conf_check_member(cases[i].key, cases[i].value, &err);

		assert_int_equal(r < 0, cases[i].message != NULL);
		if (cases[i].message) {
			assert_int_equal(err->status, 400);
			assert_string_equal(err->msg, cases[i].message);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(members_get_the_sentences_of_lxd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
