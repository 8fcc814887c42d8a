/* Names and addresses that a member may have; the rest of it is in tests/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cluster/bootstrap.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

static void names_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *name, *message;
	} cases[] = {
		{ "m1", NULL },
		{ "node-1", NULL },
		{ "", "ServerName is required when enabling clustering" },
		{ NULL, "ServerName is required when enabling clustering" },
		{ "@m1", "ServerName may not start with \"@\"" },
		{ "none", "Join token name cannot be \"none\"" },
		{ "a b", "Invalid server name \"a b\"" },
		{ "a/b", "Invalid server name \"a/b\"" },
		{ "-a", "Invalid server name \"-a\"" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;

		assert_int_equal(bootstrap_check_name(cases[i].name, &err) < 0,
		                 cases[i].message != NULL);
		if (cases[i].message) {
			assert_int_equal(err->status, 400);
			assert_string_equal(err->msg, cases[i].message);
		}
	}
}

static void addresses_get_a_port_and_no_wildcard(void **state)
{
	(void)state;
	static const struct {
		const char *address, *wanted;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1:8443" },
		{ "10.0.0.1:9443", "10.0.0.1:9443" },
		{ "fd42::1", "[fd42::1]:8443" },
		{ "", NULL },
		{ ":8443", NULL },
		{ "0.0.0.0:8443", NULL },
		{ "[::]:8443", NULL },
		{ "10.0.0.1:port", NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped_free char *got = NULL;
		int r = bootstrap_check_address(cases[i].address, &got, &err);

		assert_int_equal(r >= 0, cases[i].wanted != NULL);
		if (r >= 0)
			assert_string_equal(got, cases[i].wanted);
		else
			assert_int_equal(err->status, 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(addresses_get_a_port_and_no_wildcard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
