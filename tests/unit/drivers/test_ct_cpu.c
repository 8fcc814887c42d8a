#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/instance/ct/ct_cpu.h"
#include "lib/base/scoped.h"

static void sets_are_parsed_and_printed(void **state)
{
	(void)state;
	static const struct {
		const char *text, *printed;
	} cases[] = { { "0", "0" }, { "0-3,5", "0-3,5" }, { "5,0,1,2", "0-2,5" }, { "", "" } };

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ct_cpu_set set;
		assert_int_equal(ct_cpu_set_parse(cases[i].text, &set), 0);
		scoped_free char *printed = ct_cpu_set_format(&set);
		assert_string_equal(printed, cases[i].printed);
	}
}

static void wishes_are_counts_or_sets(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct ct_cpu_wish wish;

	assert_int_equal(ct_cpu_wish_parse("2", &wish, &err), 0);
	assert_int_equal(wish.count, 2);
	assert_int_equal(ct_cpu_wish_parse("2-2", &wish, &err), 0);
	assert_int_equal(wish.count, 0);
	assert_true(ct_cpu_set_has(&wish.pin, 2));
	assert_int_equal(ct_cpu_wish_parse(NULL, &wish, &err), 0);
	assert_int_equal(wish.count, 0);
	assert_int_equal(ct_cpu_set_count(&wish.pin), 0);
}

static void wrong_wishes_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = { "0",    "-1",       "x",    "1-", "3-1",
		                             "1,,2", "99999999", "1\n2", " 1" };

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		scoped(error_freep) struct error *err = NULL;
		struct ct_cpu_wish wish;
		assert_true(ct_cpu_wish_parse(wrong[i], &wish, &err) < 0);
		assert_int_equal(err->status, 400);
	}
}

static struct ct_cpu_set set_of(const char *text)
{
	struct ct_cpu_set set;

	assert_int_equal(ct_cpu_set_parse(text, &set), 0);
	return set;
}

static void counts_spread(void **state)
{
	(void)state;
	const struct ct_cpu_set usable = set_of("0-3");
	const struct ct_cpu_wish wishes[] = { { .count = 1 },
		                              { .count = 1 },
		                              { .count = 2 },
		                              { .pin = set_of("0") },
		                              { .count = 0 } };
	struct ct_cpu_set sets[5] = { 0 };
	unsigned load[4] = { 0 };

	ct_cpu_balance(&usable, wishes, 5, sets);
	for (size_t i = 0; i < 4; i++) {
		for (unsigned cpu = 0; cpu < 4; cpu++)
			load[cpu] += ct_cpu_set_has(&sets[i], cpu);
	}
	/* Five CPUs' worth on four. */
	for (unsigned cpu = 0; cpu < 4; cpu++)
		assert_in_range(load[cpu], 1, 2);
	assert_int_equal(ct_cpu_set_count(&sets[2]), 2);
	assert_int_equal(ct_cpu_set_count(&sets[4]), 4);

	/* Nobody moves without need. */
	struct ct_cpu_set again[5];
	for (size_t i = 0; i < 5; i++)
		again[i] = sets[i];
	ct_cpu_balance(&usable, wishes, 5, again);
	for (size_t i = 0; i < 5; i++)
		assert_memory_equal(&again[i], &sets[i], sizeof(sets[i]));
}

static void what_is_not_there_is_not_given(void **state)
{
	(void)state;
	const struct ct_cpu_set usable = set_of("1-2");
	const struct ct_cpu_wish wishes[] = { { .count = 8 },
		                              { .pin = set_of("0-1") },
		                              { .pin = set_of("7") } };
	struct ct_cpu_set sets[3] = { 0 };

	ct_cpu_balance(&usable, wishes, 3, sets);
	assert_int_equal(ct_cpu_set_count(&sets[0]), 2);
	assert_int_equal(ct_cpu_set_count(&sets[1]), 1);
	assert_int_equal(ct_cpu_set_count(&sets[2]), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_parsed_and_printed),
		cmocka_unit_test(wishes_are_counts_or_sets),
		cmocka_unit_test(wrong_wishes_are_refused),
		cmocka_unit_test(counts_spread),
		cmocka_unit_test(what_is_not_there_is_not_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
