#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/array.h"

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void items_are_added_sorted_and_removed(void **state)
{
	(void)state;
	ARRAY_OF(int) a = { 0 };

	for (int i = 0; i < 100; i++)
		assert_int_equal(*ARRAY_ADD(&a, 99 - i), 99 - i);
	ARRAY_SORT(&a, by_value);
	ARRAY_REMOVE(&a, 50);
	ARRAY_REMOVE(&a, 98);
	assert_int_equal(a.n_items, 98);
	assert_int_equal(a.items[49], 49);
	assert_int_equal(a.items[50], 51);
	assert_int_equal(a.items[97], 98);
	ARRAY_DONE(&a);
	assert_int_equal(a.n_items, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_are_added_sorted_and_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
