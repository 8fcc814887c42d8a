#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/map.h"

static void keys_are_kept_in_order(void **state)
{
	(void)state;
	scoped(map_freep) struct map *m = map_new(free);
	char key[16];
	int i = 0;

	for (int k = 0; k < 1000; k++) {
		snprintf(key, sizeof(key), "k%d", k);
		map_set(m, key, xstrdup(key));
	}
	assert_int_equal(map_count(m), 1000);
	for (int k = 0; k < 1000; k += 2) {
		snprintf(key, sizeof(key), "k%d", k);
		assert_true(map_remove(m, key));
		assert_false(map_remove(m, key));
		assert_null(map_get(m, key));
	}
	assert_int_equal(map_count(m), 500);
	MAP_FOREACH (e, m) {
		snprintf(key, sizeof(key), "k%d", 2 * i++ + 1);
		assert_string_equal(e->key, key);
		assert_string_equal(map_get(m, key), key);
	}
	assert_int_equal(i, 500);
}

static void values_are_replaced_and_taken(void **state)
{
	(void)state;
	scoped(map_freep) struct map *m = map_new(free);

	assert_true(map_add(m, "a", xstrdup("1")));
	scoped_free char *second = xstrdup("2");
	assert_false(map_add(m, "a", second));
	map_set(m, "a", xstrdup("3"));
	scoped_free char *value = map_take(m, "a");
	assert_string_equal(value, "3");
	assert_null(map_take(m, "a"));
	assert_false(map_has(m, "a"));
	map_set(m, "", NULL);
	assert_true(map_has(m, ""));
	map_clear(m);
	assert_int_equal(map_count(m), 0);
	map_set(m, "b", xstrdup("4"));
}

static void coming_and_going_does_not_grow(void **state)
{
	(void)state;
	scoped(map_freep) struct map *m = map_new(NULL);
	char key[16];

	for (int k = 0; k < 100000; k++) {
		snprintf(key, sizeof(key), "k%d", k);
		map_set(m, key, m);
		assert_true(map_remove(m, key));
	}
	assert_null(map_next(m, NULL));
}

static void null_is_an_empty_map(void **state)
{
	(void)state;
	assert_null(map_get(NULL, "a"));
	assert_int_equal(map_count(NULL), 0);
	MAP_FOREACH (e, NULL)
		fail();
	map_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_kept_in_order),
		cmocka_unit_test(values_are_replaced_and_taken),
		cmocka_unit_test(coming_and_going_does_not_grow),
		cmocka_unit_test(null_is_an_empty_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
