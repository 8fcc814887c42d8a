#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/response.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/data/jv.h"

static void urls_carry_their_project(void **state)
{
	(void)state;
	static const struct {
		const char *project, *name, *url;
	} cases[] = {
		{ "default", "c1", "/1.0/instances/c1/snapshots/s%201" },
		{ NULL, "c1", "/1.0/instances/c1/snapshots/s%201" },
		{ "p&1", "a/b", "/1.0/instances/a%2Fb/snapshots/s%201?project=p%261" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *url = lifecycle_url(
			cases[i].project, (const char *const[]){ "instances", cases[i].name,
		                                                 "snapshots", "s 1", NULL });

		assert_string_equal(url, cases[i].url);
	}
}

/* The order in which an object was put together says nothing about it. */
static void etags_depend_on_content_only(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *a =
		json_tokener_parse("{\"x\":1,\"y\":{\"b\":[],\"a\":null}}");
	scoped(jv_unrefp) struct json_object *b =
		json_tokener_parse("{\"y\":{\"a\":null,\"b\":[]},\"x\":1}");
	scoped(jv_unrefp) struct json_object *c =
		json_tokener_parse("{\"y\":{\"a\":null,\"b\":{}},\"x\":1}");
	scoped_free char *etag_a = response_etag(a);
	scoped_free char *etag_b = response_etag(b);
	scoped_free char *etag_c = response_etag(c);

	assert_int_equal(strlen(etag_a), 64);
	assert_string_equal(etag_a, etag_b);
	assert_string_not_equal(etag_a, etag_c);
}

static void errors_are_envelopes(void **state)
{
	size_t size;
	scoped_free char *text = response_error_text(404, "No \"x\"", &size);

	(void)state;
	assert_string_equal(text,
	                    "{\"type\":\"error\",\"status\":\"\",\"status_code\":0,"
	                    "\"operation\":\"\",\"error_code\":404,\"error\":\"No \\\"x\\\"\","
	                    "\"metadata\":null}\n");
	assert_int_equal(size, strlen(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_carry_their_project),
		cmocka_unit_test(etags_depend_on_content_only),
		cmocka_unit_test(errors_are_envelopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
