#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"
#include "lib/data/yaml.h"

static void documents_become_values(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{ "", "null" },
		{ "# nothing\n", "null" },
		{ "---\n", "null" },
		{ "a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}" },
		{ "a: {}\nb: []\nc:\nd: ~\n", "{\"a\":{},\"b\":[],\"c\":null,\"d\":null}" },
		{ "- true\n- False\n- yes\n- 'true'\n", "[true,false,\"yes\",\"true\"]" },
		{ "- 0\n- -5\n- 007\n- 0x10\n- 1_0\n- +1\n- 1:30\n",
		  "[0,-5,\"007\",\"0x10\",\"1_0\",\"+1\",\"1:30\"]" },
		{ "- 1.50\n- 1e3\n- .5\n- .inf\n- 01.5\n- 1.\n",
		  "[1.50,1e3,\".5\",\".inf\",\"01.5\",\"1.\"]" },
		{ "- 18446744073709551615\n- 18446744073709551616\n",
		  "[18446744073709551615,\"18446744073709551616\"]" },
		{ "a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}" },
		{ "a: &x {b: 1}\nc: *x\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}" },
		{ "2024-01-31: 5\n", "{\"2024-01-31\":5}" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(jv_unrefp) struct json_object *o = NULL;

		if (yaml_decode(cases[i].yaml, strlen(cases[i].yaml), &o, &err) < 0)
			fail_msg("%s: %s", cases[i].yaml, err->msg);
		scoped_free char *json = jv_print_text(o, NULL);
		assert_string_equal(json, cases[i].json);
	}
}

static void bad_documents_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *problem;
	} cases[] = {
		{ "a: 1\na: 2\n", "Invalid YAML: duplicate key in line 2" },
		{ "a: [1\n", "in line" },
		{ "a: 1\n---\nb: 1\n", "more than one document" },
		{ "a: \"\\0\"\n", "NUL character" },
		{ "? [a]\n: b\n", "key that is no text" },
		{ "&a [*a]\n", "too deep nesting" },
		{ "a: *x\n", "alias" },
		{ "\xFF\xFE\xFF", "in line" },
		{ "a: \xC3\x28\n", "in line" },
		{ "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
		  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		  "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
		  "too many values" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		struct json_object *o = NULL;

		if (yaml_decode(cases[i].yaml, strlen(cases[i].yaml), &o, &err) != -EINVAL)
			fail_msg("%s", cases[i].yaml);
		assert_int_equal(err->status, 400);
		if (!strstr(err->msg, cases[i].problem))
			fail_msg("%s", err->msg);
	}
}

static void values_become_documents(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(strbuf_done) struct strbuf b = { 0 };
	static const char json[] =
		"{\"name\":\"c1\",\"config\":{\"limits.cpu\":\"2\",\"empty\":\"\",\"yes\":\"no\","
		"\"ip\":\"10.0.0.1\",\"mac\":\"00:16:3e:aa:bb:cc\",\"user.user-data\":\"#cloud-config\\na: 1\\n\"},"
		"\"profiles\":[\"default\"],\"devices\":{},\"n\":5,\"t\":true,\"z\":null}";

	assert_int_equal(jv_parse(json, strlen(json), &o, &err), 0);
	yaml_encode(o, &b);
	assert_string_equal(b.text, "name: c1\n"
	                            "config:\n"
	                            "  limits.cpu: \"2\"\n"
	                            "  empty: \"\"\n"
	                            "  \"yes\": \"no\"\n"
	                            "  ip: 10.0.0.1\n"
	                            "  mac: 00:16:3e:aa:bb:cc\n"
	                            "  user.user-data: |\n"
	                            "    #cloud-config\n"
	                            "    a: 1\n"
	                            "profiles:\n"
	                            "- default\n"
	                            "devices: {}\n"
	                            "\"n\": 5\n"
	                            "t: true\n"
	                            "z: null\n");
}

/* Every one of these has caught a YAML writer once. */
static void strings_survive(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		" ",
		"a",
		"~",
		"null",
		"Null",
		"true",
		"YES",
		"off",
		"y",
		"n",
		"0",
		"-1",
		"007",
		"0x1F",
		"0o17",
		"0b1",
		"1_000",
		"1.5",
		".5",
		"5.",
		"1e3",
		"+1",
		"-.inf",
		".NaN",
		".Inf",
		"1:30",
		"12:30:45.5",
		"2024-01-31",
		"2024-01-31T10:00:00Z",
		"<<",
		"=",
		"-",
		"- a",
		"a: b",
		"a:",
		":a",
		"#a",
		"a #b",
		"[a]",
		"{a}",
		"a, b",
		"&a",
		"*a",
		"!a",
		"|",
		">",
		"%a",
		"@a",
		"`a",
		"'",
		"\"",
		"'a'",
		"a'b",
		"?",
		"? a",
		"---",
		"...",
		"a\nb",
		"a\nb\n",
		"a\n\nb\n\n",
		"\n",
		"\n\n",
		"\na",
		" a\n b\n",
		"a \nb",
		"\ta",
		"a\tb",
		"a\n\tb\n",
		"a\r\nb",
		"\x01",
		"\x7F",
		"\xC2\x85",
		"\xE2\x80\xA8",
		"a\xE2\x80\xA8"
		"b\nc",
		"\xEF\xBB\xBF"
		"a",
		"\xC3\xA4",
		"\xF0\x9F\x90\xA7",
		"a\\b",
		"a  b",
		"a\n",
		"a\n  b\n",
		"#a\nb",
		"- a\n- b\n",
		"a\n---\nb\n",
		"%YAML 1.1\n",
		"a\n...\n",
		"a\n#\n",
		"\xEF\xBF\xBE",
		"a\n\xC2\x85z\n",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(jv_unrefp) struct json_object *o = jv_object();
		scoped(jv_unrefp) struct json_object *again = NULL;
		scoped(strbuf_done) struct strbuf b = { 0 };

		jv_set_string(o, cases[i], cases[i]);
		jv_set_take(o, "list", jv_array());
		jv_add_string(jv_member(o, "list"), cases[i]);
		yaml_encode(o, &b);
		if (yaml_decode(b.text, b.size, &again, &err) < 0)
			fail_msg("%s: %s", b.text, err->msg);
		if (!jv_equals(o, again))
			fail_msg("%s", b.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_become_values),
		cmocka_unit_test(bad_documents_are_refused),
		cmocka_unit_test(values_become_documents),
		cmocka_unit_test(strings_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
