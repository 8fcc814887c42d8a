#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/net/url.h"

static void decoding_is_strict(void **state)
{
	/* clang-format off */
	static const struct { const char *text; bool plus; const char *want; } cases[] = {
		{ "", false, "" },
		{ "abc", false, "abc" },
		{ "a%2Fb", false, "a/b" },
		{ "a%2fb%20c", false, "a/b c" },
		{ "%C3%A4", false, "\xc3\xa4" },
		{ "a+b", false, "a+b" },
		{ "a+b%2B", true, "a b+" },
		{ "%00", false, NULL },
		{ "a%", false, NULL },
		{ "a%4", false, NULL },
		{ "a%zz", false, NULL },
		{ "a%4g", false, NULL },
		{ "a\nb", false, NULL },
		{ "a\x7f", false, NULL },
		{ "%0a", false, "\n" },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *out = NULL;
		int r = url_decode(cases[i].text, strlen(cases[i].text), cases[i].plus, &out);
		assert_int_equal(r, cases[i].want ? 0 : -EINVAL);
		if (cases[i].want)
			assert_string_equal(out, cases[i].want);
	}
}

static void escaping_is_undone_by_decoding(void **state)
{
	char all[256];

	for (unsigned i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';

	scoped_free char *escaped = url_escape(all);
	scoped_free char *back = NULL;
	assert_int_equal(url_decode(escaped, strlen(escaped), true, &back), 0);
	assert_string_equal(back, all);
}

static void paths_keep_their_segments(void **state)
{
	scoped_free char *path = url_path("1.0", "instances", "a/b c", NULL);

	assert_string_equal(path, "/1.0/instances/a%2Fb%20c");
}

static void queries_are_read_and_built(void **state)
{
	scoped(url_query_done) struct url_query query = { 0 };

	assert_int_equal(url_query_parse("project=a%26b&recursion=1&&x&project=2", &query), 0);
	assert_int_equal(query.n_pairs, 4);
	assert_string_equal(url_query_value(&query, "project"), "a&b");
	assert_string_equal(url_query_value(&query, "x"), "");
	assert_null(url_query_value(&query, "y"));

	scoped_free char *text = url_query_build(&query);
	assert_string_equal(text, "project=a%26b&recursion=1&x=&project=2");

	struct url_query other = { 0 };
	assert_int_equal(url_query_parse("a=%", &other), -EINVAL);
	assert_int_equal(url_query_parse(NULL, &other), 0);
	assert_int_equal(other.n_pairs, 0);

	char many[3 * 300];
	for (size_t i = 0; i < 299; i++)
		memcpy(many + 3 * i, "a=&", 3);
	many[3 * 299] = '\0';
	assert_int_equal(url_query_parse(many, &other), -E2BIG);
}

static void urls_have_parts(void **state)
{
	scoped(url_done) struct url url = { 0 };

	assert_int_equal(url_parse("HTTPS://[fd42::1]:8443/1.0/a%2Fb?project=p#x", &url), 0);
	assert_string_equal(url.scheme, "https");
	assert_string_equal(url.host, "fd42::1");
	assert_int_equal(url.port, 8443);
	assert_string_equal(url.path, "/1.0/a%2Fb");
	assert_string_equal(url.query, "project=p");

	static const char *const bad[] = { "",
		                           "host",
		                           "://host",
		                           "http://u@host/",
		                           "http://h:99999/",
		                           "http://h:1x/",
		                           "http://[::1/",
		                           "http://h/a b",
		                           "ht tp://h",
		                           "x#://h" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct url other;
		assert_int_equal(url_parse(bad[i], &other), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decoding_is_strict),
		cmocka_unit_test(escaping_is_undone_by_decoding),
		cmocka_unit_test(paths_keep_their_segments),
		cmocka_unit_test(queries_are_read_and_built),
		cmocka_unit_test(urls_have_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
