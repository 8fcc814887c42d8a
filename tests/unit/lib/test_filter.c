#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/filter.h"

static bool look_up(const char *field, struct strbuf *ret, void *arg)
{
	static const struct {
		const char *field, *value;
	} fields[] = {
		{ "name", "c1" },
		{ "status", "Running" },
		{ "config.user.note", "two words" },
		{ "stateful", "false" },
		{ "description", "a.b+c" },
	};

	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		if (strcmp(fields[i].field, field) == 0) {
			strbuf_add(ret, fields[i].value);
			return true;
		}
	}
	return false;
}

static void filters_match_as_in_lxd(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool matches;
	} cases[] = {
		{ "", true },
		{ "  ", true },
		{ "name eq c1", true },
		{ "name eq C1", true },
		{ "name eq c", false },
		{ "name eq c.*", true },
		{ "name eq ^c", true },
		{ "name eq 1$", true },
		{ "name ne c1", false },
		{ "not name eq c1", false },
		{ "not name ne c1", true },
		{ "name eq c1|c2", true },
		{ "description eq a.b+c", false },
		{ "description eq 'a.b\\+c'", true },
		{ "description eq a.b(c", false },
		{ "absent eq x", false },
		{ "absent ne x", true },
		{ "config.user.note eq \"two words\"", true },
		{ "config.user.note eq 'two words' and name eq c1", true },
		{ "name eq x and status eq Running", false },
		{ "name eq x or status eq Running", true },
		{ "name eq c1 or name eq x and name eq x", false }, /* From left to right. */
		{ "name eq x AND name eq x OR name eq c1", true },
		{ "status eq running and not stateful eq true", true },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(filter_freep) struct filter *f = NULL;

		assert_int_equal(filter_parse(cases[i].text, &f, &err), 0);
		if (filter_matches(f, look_up, NULL) != cases[i].matches)
			fail_msg("%s", cases[i].text);
	}
}

static void bad_filters_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"name",
		"name eq",
		"not",
		"not name",
		"name eq c1 and",
		"name eq c1 status eq x",
		"name gt 5",
		"name eq 'c1",
		"name eq 'c1'x",
		"name eq c1 xor name eq c2",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		struct filter *f = NULL;

		assert_int_equal(filter_parse(cases[i], &f, &err), -EINVAL);
		assert_int_equal(err->status, 400);
	}
}

static void fields_are_known(void **state)
{
	(void)state;
	static const char *const cheap[] = { "name", "status", NULL };
	scoped(error_freep) struct error *err = NULL;
	scoped(filter_freep) struct filter *f = NULL;

	assert_int_equal(filter_parse("name eq a and status eq b", &f, &err), 0);
	assert_true(filter_uses_only(f, cheap));
	assert_false(filter_uses_only(f, cheap + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_match_as_in_lxd),
		cmocka_unit_test(bad_filters_are_refused),
		cmocka_unit_test(fields_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
