#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

static struct json_object *parse(const char *text)
{
	scoped(error_freep) struct error *err = NULL;
	struct json_object *o = NULL;

	assert_int_equal(jv_parse(text, strlen(text), &o, &err), 0);
	return o;
}

static void assert_prints(struct json_object *o, const char *expected)
{
	scoped_free char *text = jv_print_text(o, NULL);

	assert_string_equal(text, expected);
}

static void good_text_is_read_and_written_the_same(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"null",
		"true",
		"0",
		"-1",
		"9223372036854775807",
		"-9223372036854775808",
		"18446744073709551615",
		"1.5",
		"0.1",
		"1e+300",
		"-2500.0",
		"\"\"",
		"\"a\\\"\\\\\\n\\u0001\xC3\xA4\xF0\x9F\x90\xA7\"",
		"[]",
		"{}",
		"[1,[2,{\"a\":null}],\"x\"]",
		"{\"b\":1,\"a\":{\"c\":[true,false]}}",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(jv_unrefp) struct json_object *o = parse(cases[i]);

		assert_prints(o, cases[i]);
	}
}

static void space_and_escapes_are_read(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *o =
		parse(" { \"a\\u0062\" : [ 1 , 2 ] , \"\\ud83d\\udc27\" : \"\\/\\t\" } \n");

	assert_prints(o, "{\"ab\":[1,2],\"\xF0\x9F\x90\xA7\":\"/\\t\"}");
}

static void bad_text_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		" ",
		"nul",
		"nulll",
		"NaN",
		"Infinity",
		"01",
		"+1",
		"1.",
		".5",
		"1e",
		"-",
		"1e999",
		"\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\t\"",
		"'a'",
		"[1,]",
		"[1 2]",
		"[",
		"{",
		"{\"a\"}",
		"{\"a\":}",
		"{a:1}",
		"{\"a\":1,}",
		"[]x",
		"{} {}",
		"/**/1",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\u0041\"",
		"\"\\u0000\"",
		"\"\xC3\"",
		"\"\xC0\x80\"",
		"\"\xED\xA0\x80\"",
		"\"\xF4\x90\x80\x80\"",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		struct json_object *o = NULL;

		assert_int_equal(jv_parse(cases[i], strlen(cases[i]), &o, &err), -EINVAL);
		assert_int_equal(err->status, 400);
		assert_null(o);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct json_object *o = NULL;

	assert_int_equal(jv_parse("\"a\0b\"", 5, &o, &err), -EINVAL);
}

static void nesting_has_a_limit(void **state)
{
	(void)state;
	char text[2 * (JV_PARSE_MAX_DEPTH + 1)];

	for (size_t depth = JV_PARSE_MAX_DEPTH; depth <= JV_PARSE_MAX_DEPTH + 1; depth++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(jv_unrefp) struct json_object *o = NULL;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(jv_parse(text, 2 * depth, &o, &err),
		                 depth == JV_PARSE_MAX_DEPTH ? 0 : -EINVAL);
	}
}

static void fields_are_typed(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *o =
		parse("{\"s\":\"x\",\"b\":true,\"i\":-5,\"u\":18446744073709551615,\"n\":null,"
	              "\"d\":\"2024-02-29T12:00:00Z\",\"v\":[\"a\",\"b\"],\"m\":{\"k\":\"v\"},"
	              "\"bad\":{\"k\":1}}");
	const char *s = "fallback";
	bool b = false;
	int64_t i = 0, d = 0;
	uint64_t u = 0;
	scoped(strv_freep) char **v = NULL;
	scoped(smap_done) struct smap m = { 0 };
	struct error *err = NULL;

	assert_int_equal(jv_get_string(o, "s", &s, &err), 1);
	assert_string_equal(s, "x");
	assert_int_equal(jv_get_string(o, "n", &s, &err), 0);
	assert_int_equal(jv_get_string(o, "absent", &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(jv_get_bool(o, "b", &b, &err), 1);
	assert_true(b);
	assert_int_equal(jv_get_int(o, "i", &i, &err), 1);
	assert_int_equal(i, -5);
	assert_int_equal(jv_get_uint(o, "u", &u, &err), 1);
	assert_true(u == UINT64_MAX);
	assert_int_equal(jv_get_date(o, "d", &d, &err), 1);
	assert_int_equal(jv_get_strv(o, "v", &v, &err), 1);
	assert_int_equal(strv_len(v), 2);
	assert_int_equal(jv_get_smap(o, "m", &m, &err), 1);
	assert_string_equal(smap_get(&m, "k"), "v");

	assert_int_equal(jv_get_int(o, "u", &i, &err), -EINVAL);
	assert_string_equal(err->msg, "Invalid value for field \"u\": must be an integer");
	error_clear(&err);
	assert_int_equal(jv_get_smap(o, "bad", &m, &err), -EINVAL);
	assert_string_equal(err->msg, "Invalid value for \"k\" in field \"bad\": must be a string");
	error_clear(&err);
	assert_int_equal(jv_need_string(o, "absent", &s, &err), -EINVAL);
	assert_string_equal(err->msg, "Field \"absent\" is required");
	error_clear(&err);
}

static void members_are_walked_until_a_break(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *o = parse("{\"a\":1,\"b\":2,\"c\":3}");
	int sum = 0, n = 0;

	JV_FOREACH (o, key, value) {
		n++;
		if (strcmp(key, "a") == 0)
			continue;
		sum += json_object_get_int(value);
		if (strcmp(key, "b") == 0)
			break;
	}
	assert_int_equal(n, 2);
	assert_int_equal(sum, 2);

	JV_FOREACH (NULL, key, value)
		fail();
	JV_FOREACH (o, key, value)
		jv_unset(o, key);
	assert_prints(o, "{}");
}

static void objects_are_merged(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *o = parse("{\"a\":{\"x\":1,\"y\":2},\"b\":[1]}");
	scoped(jv_unrefp) struct json_object *patch = parse("{\"a\":{\"y\":3,\"z\":{}},\"b\":[2]}");
	scoped(jv_unrefp) struct json_object *other = jv_copy(o);

	jv_merge(o, patch);
	assert_prints(o, "{\"a\":{\"x\":1,\"y\":3,\"z\":{}},\"b\":[2]}");
	assert_false(jv_equals(o, other));
	jv_merge(other, patch);
	assert_true(jv_equals(o, other));
}

static void fragments_print_as_their_text(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *row = parse("{\"name\":\"c1\"}");
	scoped(jv_print_unrefp) struct jv_text *text = jv_print_shared(row);
	scoped(jv_unrefp) struct json_object *list = jv_array();

	jv_add_take(list, jv_print_fragment(text));
	jv_add_int(list, 0);
	scoped(jv_unrefp) struct json_object *copy = jv_copy(list);
	assert_prints(copy, "[{\"name\":\"c1\"},0]");
	assert_string_equal(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN),
	                    "[{\"name\":\"c1\"},0]");
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *o = jv_of_string("a\xFFz");

	assert_prints(o, "\"a\xEF\xBF\xBDz\"");
}

static void numbers_become_strings_where_they_must(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *o = parse(
		"{\"config\":{\"limits.cpu\":2,\"boot.autostart\":true,\"x\":\"y\",\"n\":null}}");

	jv_coerce_strings(o, "config");
	assert_prints(o,
	              "{\"config\":{\"limits.cpu\":\"2\",\"boot.autostart\":\"true\",\"x\":\"y\","
	              "\"n\":\"\"}}");
}

static void filters_look_along_dots(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *o =
		parse("{\"name\":\"c1\",\"config\":{\"user.a.b\":\"yes\"},\"stateful\":false,"
	              "\"devices\":{\"eth0\":{\"type\":\"nic\"}},\"profiles\":[\"default\"]}");
	static const struct {
		const char *filter;
		bool matches;
	} cases[] = {
		{ "name eq c1", true },
		{ "config.user.a.b eq yes", true },
		{ "devices.eth0.type eq nic", true },
		{ "stateful eq false", true },
		{ "profiles eq default", true },
		{ "config.absent eq x", false },
		{ "config.absent ne x", true },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(filter_freep) struct filter *f = NULL;

		assert_int_equal(filter_parse(cases[i].filter, &f, &err), 0);
		assert_int_equal(jv_matches(o, f), cases[i].matches);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_text_is_read_and_written_the_same),
		cmocka_unit_test(space_and_escapes_are_read),
		cmocka_unit_test(bad_text_is_refused),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(fields_are_typed),
		cmocka_unit_test(members_are_walked_until_a_break),
		cmocka_unit_test(objects_are_merged),
		cmocka_unit_test(fragments_print_as_their_text),
		cmocka_unit_test(bytes_that_are_no_text_are_replaced),
		cmocka_unit_test(numbers_become_strings_where_they_must),
		cmocka_unit_test(filters_look_along_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
