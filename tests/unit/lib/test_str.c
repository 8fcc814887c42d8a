#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"

static void null_is_empty(void **state)
{
	(void)state;
	assert_true(str_is_empty(NULL));
	assert_true(str_equals(NULL, ""));
	assert_false(str_starts(NULL, "a"));
	assert_true(str_starts("abc", NULL));
	assert_string_equal(str_or_empty(NULL), "");
}

static void beginnings_and_ends(void **state)
{
	(void)state;
	assert_string_equal(str_after("user.name", "user."), "name");
	assert_null(str_after("user", "user."));
	assert_true(str_ends("a.tar.gz", ".gz"));
	assert_false(str_ends("gz", ".gz"));
}

static void copies_are_changed(void **state)
{
	(void)state;
	scoped_free char *trimmed = str_trim(" \ta b\n");
	scoped_free char *replaced = str_replace("a--b--", "--", "+");
	scoped_free char *lower = str_lower("ABC1");
	scoped_free char *chomped = str_chomp("a \r\n\n");

	assert_string_equal(trimmed, "a b");
	assert_string_equal(replaced, "a+b+");
	assert_string_equal(lower, "abc1");
	assert_string_equal(chomped, "a ");

	char buf[4];
	assert_true(str_copy(buf, sizeof(buf), "abc"));
	assert_false(str_copy(buf, sizeof(buf), "abcd"));
	assert_string_equal(buf, "abc");
}

static void numbers_in_names_are_compared(void **state)
{
	(void)state;
	assert_true(str_compare_natural("c2", "c10") < 0);
	assert_true(str_compare_natural("c10", "c10") == 0);
	assert_true(str_compare_natural("c10a", "c10") > 0);
	assert_true(str_compare_natural("a", "b") < 0);
	assert_true(str_compare_natural("c1", "c1-x2") < 0);
}

static void text_is_checked(void **state)
{
	(void)state;
	assert_true(str_is_utf8("a\xC3\xA4\xF0\x9F\x90\xA7", 7));
	assert_false(str_is_utf8("\xC3", 1));
	assert_false(str_is_utf8("\xC0\x80", 2));
	assert_false(str_is_utf8("\xED\xA0\x80", 3));
	assert_false(str_is_utf8("\xF4\x90\x80\x80", 4));
	assert_false(str_is_utf8("a\0b", 3));
	assert_true(str_is_hostname("web-1"));
	assert_false(str_is_hostname("-web"));
	assert_false(str_is_hostname("web-"));
	assert_false(str_is_hostname("a.b"));
	assert_false(str_is_hostname(""));
}

static void buffers_grow_and_shrink(void **state)
{
	(void)state;
	scoped(strbuf_done) struct strbuf b = { 0 };

	assert_string_equal(strbuf_text(&b), "");
	strbuf_consume(&b, 1);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%d,", i);
	assert_int_equal(b.size, 3890);
	strbuf_consume(&b, 2);
	strbuf_truncate(&b, 4);
	assert_string_equal(strbuf_text(&b), "1,2,");
	strbuf_add(&b, NULL);
	strbuf_add_n(&b, "x\0y", 3);
	assert_int_equal(b.size, 7);
	memcpy(strbuf_reserve(&b, 100), "z", 1);
	strbuf_advance(&b, 1);
	assert_int_equal(b.text[7], 'z');
	assert_int_equal(b.text[8], '\0');

	scoped_free char *long_text = NULL;
	strbuf_truncate(&b, 0);
	strbuf_addf(&b, "%500s", "x");
	long_text = strbuf_take(&b);
	assert_int_equal(strlen(long_text), 500);
	assert_null(b.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_is_empty),
		cmocka_unit_test(beginnings_and_ends),
		cmocka_unit_test(copies_are_changed),
		cmocka_unit_test(numbers_in_names_are_compared),
		cmocka_unit_test(text_is_checked),
		cmocka_unit_test(buffers_grow_and_shrink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
