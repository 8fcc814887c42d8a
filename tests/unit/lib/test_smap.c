#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/scoped.h"
#include "lib/base/smap.h"

static void keys_are_sorted(void **state)
{
	(void)state;
	scoped(smap_done) struct smap m = { 0 };
	const char *before = "";

	smap_set(&m, "b", "2");
	smap_set(&m, "a", "1");
	smap_set(&m, "d", "4");
	smap_setf(&m, "c", "%d", 3);
	smap_set(&m, "b", "two");
	assert_int_equal(m.n_entries, 4);
	SMAP_FOREACH (e, &m) {
		assert_true(strcmp(before, e->key) < 0);
		before = e->key;
	}
	assert_string_equal(smap_get(&m, "b"), "two");
	assert_null(smap_get(&m, "x"));
	assert_null(smap_get(NULL, "x"));
	assert_string_equal(smap_get_or(&m, "x", "none"), "none");
	smap_set(&m, "b", NULL);
	assert_false(smap_has(&m, "b"));
	assert_false(smap_unset(&m, "b"));
}

static void maps_are_merged_compared_and_moved(void **state)
{
	(void)state;
	scoped(smap_done) struct smap a = { 0 };
	scoped(smap_done) struct smap b = { 0 };

	SMAP_FOREACH (e, &a)
		fail();
	smap_set(&a, "x", "1");
	smap_set(&a, "y", "1");
	smap_copy(&b, &a);
	assert_true(smap_equals(&a, &b));
	smap_set(&b, "y", "2");
	assert_false(smap_equals(&a, &b));
	smap_merge(&a, &b);
	assert_true(smap_equals(&a, &b));

	scoped(smap_done) struct smap c = smap_take(&a);
	assert_int_equal(a.n_entries, 0);
	assert_true(smap_equals(&c, &b));
}

static void prefixes_are_unset(void **state)
{
	(void)state;
	scoped(smap_done) struct smap m = { 0 };

	smap_set(&m, "volatile.a", "1");
	smap_set(&m, "volatile.b", "1");
	smap_set(&m, "volatilex", "1");
	smap_set(&m, "user.x", "yes");
	smap_unset_prefix(&m, "volatile.");
	assert_int_equal(m.n_entries, 2);
	assert_true(smap_is_true(&m, "user.x"));
	assert_false(smap_is_true(&m, "absent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_sorted),
		cmocka_unit_test(maps_are_merged_compared_and_moved),
		cmocka_unit_test(prefixes_are_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
