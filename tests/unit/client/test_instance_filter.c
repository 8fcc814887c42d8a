#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/instance_filter.h"
#include "lib/base/macro.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

static const char text[] =
	"{\"name\":\"web01\",\"status\":\"Running\",\"type\":\"container\",\"architecture\":\"x86_64\","
	"\"location\":\"m1\",\"expanded_config\":{\"user.comment\":\"front end\","
	"\"security.privileged\":\"true\"},"
	"\"state\":{\"network\":{\"eth0\":{\"addresses\":[{\"family\":\"inet\","
	"\"address\":\"10.1.2.3\"}]},\"lo\":{\"addresses\":[{\"family\":\"inet\","
	"\"address\":\"127.0.0.1\"}]}}}}";

static void filters_are_names_keys_and_words(void **state)
{
	static const struct {
		const char *filters[3];
		bool passes;
	} cases[] = {
		{ { NULL }, true },
		{ { "web" }, true },
		{ { "eb" }, false },
		{ { "w.*[0-9]" }, true },
		{ { "^w" }, true },
		{ { "status=running" }, true },
		{ { "status=stopped,running" }, true },
		{ { "status=stopped" }, false },
		{ { "type=container", "location=m1" }, true },
		{ { "type=container", "location=m2" }, false },
		{ { "user.comment=front end" }, true },
		{ { "u.c=front.*" }, true },
		{ { "s.privileged=true" }, true },
		{ { "s.privileged=tr" }, false },
		{ { "user=front end" }, false },
		{ { "ipv4=10.1.2.0/24" }, true },
		{ { "ipv4=10.1.2.3" }, true },
		{ { "ipv4=127.0.0.0/8" }, false },
		{ { "ipv6=::/0" }, false },
	};
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(jv_parse(text, strlen(text), &o, &err), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (instance_filter_matches(o, cases[i].filters) != cases[i].passes)
			fail_msg("case %zu: %s", i, cases[i].filters[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_are_names_keys_and_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
