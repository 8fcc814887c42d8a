#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/pattern.h"

static void texts_match(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "", "x", true },
		{ "a", "xax", true },
		{ "^a", "xa", false },
		{ "a$", "xa", true },
		{ "^$", "", true },
		{ "^$", "x", false },
		{ "^a.c$", "abc", true },
		{ "^a.c$",
		  "a\xC3\xA4"
		  "c",
		  true },
		{ "^a.c$", "ac", false },
		{ "^a*$", "", true },
		{ "^a*$", "aaaa", true },
		{ "^a*$", "aab", false },
		{ "^a+$", "", false },
		{ "^ab?c$", "ac", true },
		{ "^(a|bc)+$", "abcbca", true },
		{ "^(a|bc)+$", "abca", true },
		{ "^(a|bc)+$", "abac b", false },
		{ "^(?:a|b)$", "b", true },
		{ "^a|b$", "axxx", true },
		{ "^[a-c]+$", "abcb", true },
		{ "^[^a-c]+$", "xyz", true },
		{ "^[^a-c]+$", "xaz", false },
		{ "^[^a]$", "\xE2\x82\xAC", true },
		{ "^[]a]+$", "a]", true },
		{ "^[a-]+$", "-a", true },
		{ "^[\\d.]+$", "10.0.0.1", true },
		{ "^\\d{3}$", "123", true },
		{ "^\\d{3}$", "1234", false },
		{ "^a{2,3}$", "aaaa", false },
		{ "^a{2,3}$", "aaa", true },
		{ "^a{2,}$", "aaaaaa", true },
		{ "^a{2,}$", "a", false },
		{ "^a{0}$", "", true },
		{ "a{", "a{", true },
		{ "a{x}", "a{x}", true },
		{ "^\\w+\\s\\w+$", "two words", true },
		{ "\\bfoo\\b", "a foo b", true },
		{ "\\bfoo\\b", "afoob", false },
		{ "^\\.\\*$", ".*", true },
		{ "^(a*)*$", "aaa", true },
		{ "^(a*)*b$", "aaa", false },
		{ "^(|a)+$", "aa", true },
		{ "^[[:alpha:]_]+$", "ab_c", true },
		{ "HELLO", "say hello", true },
		{ "[A-C]", "b", true },
		{ "^a??$", "a", true },
		{ "^\\D$", "5", false },
		{ "()", "", true },
		{ "a||b", "", true },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(pattern_freep) struct pattern *p = NULL;

		if (pattern_compile(cases[i].pattern, true, &p) < 0)
			fail_msg("%s", cases[i].pattern);
		if (pattern_matches(p, cases[i].text) != cases[i].matches)
			fail_msg("%s on %s", cases[i].pattern, cases[i].text);
	}
}

static void case_counts_unless_told(void **state)
{
	(void)state;
	scoped(pattern_freep) struct pattern *p = NULL;

	assert_int_equal(pattern_compile("Hello", false, &p), 0);
	assert_true(pattern_matches(p, "Hello"));
	assert_false(pattern_matches(p, "hello"));
}

static void bad_patterns_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"(",      ")",       "a)",    "(a",    "[",       "[a",   "[]",
		"[b-a]",  "*",       "a**",   "+",     "a{2}{3}", "\\",   "\\q",
		"a{3,2}", "a{1001}", "(?=a)", "(?i)a", "|*",      "[a\\", "[\\q]",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct pattern *p = NULL;

		if (pattern_compile(cases[i], true, &p) != -EINVAL)
			fail_msg("%s", cases[i]);
	}
}

static void large_ones_are_refused(void **state)
{
	(void)state;
	scoped_free char *deep = xcalloc(1, 1001);
	struct pattern *p = NULL;

	assert_int_equal(pattern_compile("((a{100}){100}){100}", true, &p), -E2BIG);
	memset(deep, '(', 1000);
	assert_int_equal(pattern_compile(deep, true, &p), -E2BIG);
}

static void no_pattern_takes_long(void **state)
{
	(void)state;
	size_t len = 20000;
	scoped(pattern_freep) struct pattern *p = NULL;
	scoped_free char *text = xcalloc(1, len + 1);
	int64_t start = date_monotonic();

	memset(text, 'a', len);
	assert_int_equal(pattern_compile("^(a+)+(a|aa)*(.*.*)*$x", true, &p), 0);
	assert_false(pattern_matches(p, text));
	assert_true(date_monotonic() - start < 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_match),
		cmocka_unit_test(case_counts_unless_told),
		cmocka_unit_test(bad_patterns_are_refused),
		cmocka_unit_test(large_ones_are_refused),
		cmocka_unit_test(no_pattern_takes_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
