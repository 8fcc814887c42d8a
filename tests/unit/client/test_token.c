#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/token.h"
#include "lib/base/scoped.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

static struct json_object *operation(const char *metadata)
{
	scoped(error_freep) struct error *err = NULL;
	struct json_object *op = jv_object(), *m = NULL;

	assert_int_equal(jv_parse(metadata, strlen(metadata), &m, &err), 0);
	jv_set_take(op, "metadata", m);
	return op;
}

static void a_join_token_is_read_back(void **state)
{
	scoped(jv_unrefp) struct json_object *op = operation(
		"{\"serverName\":\"m9\",\"secret\":\"s\",\"fingerprint\":\"f\","
		"\"addresses\":[\"10.0.0.1:8443\"],\"expiresAt\":\"2026-11-24T16:04:40Z\"}");
	scoped(jv_unrefp) struct json_object *token = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *text = token_encode(op, true);

	(void)state;
	assert_int_equal(token_decode(text, &token, &err), 0);
	assert_string_equal(jv_text(token, "server_name"), "m9");
	assert_string_equal(jv_text(token, "expires_at"), "2026-11-24T16:04:40Z");
	assert_null(token_encode(op, false));
}

static void a_client_token_never_expires_unless_told(void **state)
{
	scoped(jv_unrefp) struct json_object *op =
		operation("{\"request\":{\"name\":\"t1\"},\"secret\":\"s\",\"fingerprint\":\"f\","
	                  "\"addresses\":[\"10.0.0.1:8443\"]}");
	scoped(jv_unrefp) struct json_object *token = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *text = token_encode(op, false);

	(void)state;
	assert_int_equal(token_decode(text, &token, &err), 0);
	assert_string_equal(jv_text(token, "client_name"), "t1");
	assert_string_equal(jv_text(token, "expires_at"), "0001-01-01T00:00:00Z");
}

static void what_is_no_token_is_refused(void **state)
{
	static const char *const texts[] = { "",     "10.0.0.1", "https://x",
		                             "e30=", "bm8=",     "eyJzZWNyZXQiOiJ4In0=" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		scoped(jv_unrefp) struct json_object *token = NULL;
		scoped(error_freep) struct error *err = NULL;

		assert_true(token_decode(texts[i], &token, &err) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_token_is_read_back),
		cmocka_unit_test(a_client_token_never_expires_unless_told),
		cmocka_unit_test(what_is_no_token_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
