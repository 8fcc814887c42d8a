/* Join tokens: both directions, what others make, and what is no token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/join_token.h"
#include "lib/base/base64.h"
#include "lib/base/date.h"
#include "lib/base/macro.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static char *encode(const char *json)
{
	return base64_encode(json, strlen(json));
}

static void a_token_survives_both_ways(void **state)
{
	(void)state;
	char *addresses[] = { (char *)"10.0.0.1:8443", (char *)"[fd42::1]:8443", NULL };
	const struct join_token token = { .server_name = (char *)"m2",
		                          .fingerprint = (char *)"35bc63da",
		                          .addresses = addresses,
		                          .secret = (char *)"c51e052d",
		                          .expires_at = (char *)"2026-11-24T16:04:40.062098371Z" };
	scoped_free char *text = join_token_format(&token);
	scoped(join_token_done) struct join_token read = { 0 };
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(join_token_parse(text, &read, &err), 0);
	assert_string_equal(read.server_name, token.server_name);
	assert_string_equal(read.fingerprint, token.fingerprint);
	assert_string_equal(read.secret, token.secret);
	assert_string_equal(read.expires_at, token.expires_at);
	assert_true(strv_equals(read.addresses, addresses));
}

static void tokens_of_others_are_read(void **state)
{
	(void)state;
	scoped_free char *text = encode("{\"server_name\":\"m2\",\"fingerprint\":\"AB\","
	                                "\"addresses\":[\"10.0.0.1:8443\"],\"secret\":\"s\","
	                                "\"expires_at\":\"0001-01-01T00:00:00Z\",\"more\":1}");
	scoped(join_token_done) struct join_token read = { 0 };
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(join_token_parse(text, &read, &err), 0);
	assert_string_equal(read.fingerprint, "ab");
	assert_string_equal(read.expires_at, "");
	assert_false(join_token_is_expired(&read, date_now()));
}

static void what_is_no_token_is_refused(void **state)
{
	(void)state;
	static const char *const documents[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"server_name\":\"m2\"}",
		"{\"server_name\":\"m2\",\"fingerprint\":\"ab\",\"addresses\":[],\"secret\":\"s\"}",
		"{\"server_name\":\"m2\",\"fingerprint\":\"ab\",\"addresses\":[1],\"secret\":\"s\"}",
		"{\"server_name\":\"m2\",\"fingerprint\":\"ab\",\"addresses\":[\"a\"],\"secret\":\"\"}",
		("{\"server_name\":\"m2\",\"fingerprint\":\"ab\",\"addresses\":[\"a\"],\"secret\":\"s\","
		 "\"expires_at\":\"soon\"}"),
	};

	for (size_t i = 0; i < COUNT_OF(documents); i++) {
		scoped_free char *text = encode(documents[i]);
		scoped(join_token_done) struct join_token read = { 0 };
		scoped(error_freep) struct error *err = NULL;

		assert_true(join_token_parse(text, &read, &err) < 0);
		assert_int_equal(err->status, 400);
	}

	scoped(join_token_done) struct join_token read = { 0 };
	scoped(error_freep) struct error *err = NULL;
	assert_true(join_token_parse("not base64!", &read, &err) < 0);
	assert_int_equal(err->status, 400);
}

static void a_token_expires(void **state)
{
	(void)state;
	const struct join_token token = { .expires_at = (char *)"2026-11-24T16:00:00Z" };
	int64_t at = 0;

	assert_int_equal(date_parse(token.expires_at, &at), 0);
	assert_false(join_token_is_expired(&token, at - 1));
	assert_true(join_token_is_expired(&token, at));
}

static void the_operation_shows_what_clients_read(void **state)
{
	(void)state;
	char *addresses[] = { (char *)"10.0.0.1:8443", NULL };
	const struct join_token token = { .server_name = (char *)"m2",
		                          .fingerprint = (char *)"ab",
		                          .addresses = addresses,
		                          .secret = (char *)"s",
		                          .expires_at = (char *)"2026-11-24T16:00:00Z" };
	scoped(jv_unrefp) struct json_object *o = join_token_metadata(&token);

	assert_string_equal(jv_text(o, "serverName"), "m2");
	assert_string_equal(jv_text(o, "secret"), "s");
	assert_string_equal(jv_text(o, "fingerprint"), "ab");
	assert_string_equal(jv_text(o, "expiresAt"), "2026-11-24T16:00:00Z");
	assert_string_equal(jv_string(jv_item(jv_member(o, "addresses"), 0)), "10.0.0.1:8443");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_survives_both_ways),
		cmocka_unit_test(tokens_of_others_are_read),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(a_token_expires),
		cmocka_unit_test(the_operation_shows_what_clients_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
