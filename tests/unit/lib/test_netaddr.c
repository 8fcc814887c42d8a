#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/net/netaddr.h"

static void hosts_and_ports_are_split(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *host; unsigned port; } cases[] = {
		{ "10.0.0.1", "10.0.0.1", 8443 },
		{ "10.0.0.1:80", "10.0.0.1", 80 },
		{ "host.example", "host.example", 8443 },
		{ "host:1", "host", 1 },
		{ ":8444", "", 8444 },
		{ "", "", 8443 },
		{ "::1", "::1", 8443 },
		{ "[::1]", "::1", 8443 },
		{ "[::1]:9", "::1", 9 },
		{ "[::]:9", "::", 9 },
		{ "[::1", NULL, 0 },
		{ "[::1]x", NULL, 0 },
		{ "[host]:1", NULL, 0 },
		{ "host:", NULL, 0 },
		{ "host:65536", NULL, 0 },
		{ "host:-1", NULL, 0 },
		{ "host:1a", NULL, 0 },
		{ "a b:1", NULL, 0 },
		{ "a/b", NULL, 0 },
		{ "1:2:3", NULL, 0 },
		{ "a\n", NULL, 0 },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *host = NULL;
		uint16_t port = 0;
		int r = netaddr_split(cases[i].text, 8443, &host, &port);
		assert_int_equal(r, cases[i].host ? 0 : -EINVAL);
		if (cases[i].host) {
			assert_string_equal(host, cases[i].host);
			assert_int_equal(port, cases[i].port);
		}
	}
}

static void one_address_has_one_text(void **state)
{
	scoped_free char *text = NULL;

	assert_int_equal(netaddr_canonical("fd42:0:0::1", 8443, &text), 0);
	assert_string_equal(text, "[fd42::1]:8443");
	assert_true(netaddr_equal("10.0.0.1", "10.0.0.1:8443", 8443));
	assert_true(netaddr_equal("Host", "host:8443", 8443));
	assert_false(netaddr_equal("10.0.0.1:1", "10.0.0.1:2", 8443));

	char printed[NETADDR_TEXT_SIZE];
	struct netaddr addr;
	assert_int_equal(netaddr_parse("::ffff:10.1.2.3", 5, &addr), 0);
	netaddr_print((struct sockaddr *)&addr.storage, printed);
	assert_string_equal(printed, "10.1.2.3:5");
	assert_int_equal(netaddr_parse("localhost", 5, &addr), -EINVAL);
	netaddr_print((struct sockaddr *)&(struct sockaddr_storage){ .ss_family = AF_UNIX },
	              printed);
	assert_string_equal(printed, "@");
}

static void networks_contain_addresses(void **state)
{
	struct netaddr_cidr cidr;

	assert_int_equal(netaddr_cidr_parse("10.1.0.0/15", &cidr), 0);
	assert_true(netaddr_cidr_contains(&cidr, "10.0.255.1"));
	assert_true(netaddr_cidr_contains(&cidr, "10.1.2.3"));
	assert_false(netaddr_cidr_contains(&cidr, "10.2.0.0"));
	assert_false(netaddr_cidr_contains(&cidr, "::1"));
	assert_int_equal(netaddr_cidr_parse("fd42::/64", &cidr), 0);
	assert_true(netaddr_cidr_contains(&cidr, "fd42::ffff"));
	assert_false(netaddr_cidr_contains(&cidr, "fd42:0:0:1::"));
	assert_int_equal(netaddr_cidr_parse("0.0.0.0/0", &cidr), 0);
	assert_true(netaddr_cidr_contains(&cidr, "255.1.1.1"));

	static const char *const bad[] = { "",         "10.0.0.0/33", "10.0.0.0/",
		                           "10.0.0/8", "x/8",         "::/129" };
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(netaddr_cidr_parse(bad[i], &cidr), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_and_ports_are_split),
		cmocka_unit_test(one_address_has_one_text),
		cmocka_unit_test(networks_contain_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
