#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/strv.h"

static void vectors_grow_and_shrink(void **state)
{
	(void)state;
	scoped(strv_freep) char **v = NULL;

	assert_int_equal(strv_len(v), 0);
	STRV_FOREACH (s, v)
		fail();
	for (int i = 0; i < 100; i++)
		strv_addf(&v, "%d", 99 - i);
	strv_add_once(&v, "50");
	assert_int_equal(strv_len(v), 100);
	assert_true(strv_remove(v, "50"));
	assert_false(strv_remove(v, "50"));
	strv_sort(v);
	assert_string_equal(v[2], "10");
	assert_true(strv_contains(v, "98"));

	scoped(strv_freep) char **copy = strv_copy(v);
	assert_true(strv_equals(v, copy));
	strv_add(&copy, "x");
	assert_false(strv_equals(v, copy));
}

static void text_is_split_and_joined(void **state)
{
	(void)state;
	scoped(strv_freep) char **plain = strv_split("a,,b,", ',');
	scoped(strv_freep) char **trimmed = strv_split_trimmed(" a, ,b ,", ',');
	scoped(strv_freep) char **made = strv_new("a", "b", NULL);
	scoped_free char *joined = strv_join(plain, "+");

	assert_int_equal(strv_len(plain), 4);
	assert_true(strv_equals(trimmed, made));
	assert_string_equal(joined, "a++b+");
	assert_null(strv_split("", ','));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_grow_and_shrink),
		cmocka_unit_test(text_is_split_and_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
