#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/date.h"

static void dates_go_both_ways(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t date;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "0001-01-01T00:00:00Z", DATE_NONE },
		{ "2000-02-29T23:59:59Z", 951868799 * DATE_SECOND },
		{ "2024-12-31T23:59:59.5Z", 1735689599 * DATE_SECOND + 500000000 },
		{ "1969-12-31T23:59:59.999999999Z", -1 },
		{ "1678-01-01T00:00:00Z", INT64_C(-9214560000) * DATE_SECOND },
		{ "2261-01-01T00:00:00.000000001Z", INT64_C(9183110400) * DATE_SECOND + 1 },
	};
	char buf[DATE_SIZE];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t date = 1;

		assert_string_equal(date_format(cases[i].date, buf), cases[i].text);
		assert_int_equal(date_parse(cases[i].text, &date), 0);
		assert_true(date == cases[i].date);
	}
}

static void zones_are_understood(void **state)
{
	(void)state;
	int64_t date;

	assert_int_equal(date_parse("1970-01-01T02:30:00+02:30", &date), 0);
	assert_true(date == 0);
	assert_int_equal(date_parse("1969-12-31T23:00:00.000-01:00", &date), 0);
	assert_true(date == 0);
}

static void bad_dates_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"now",
		"2024-01-01",
		"2024-01-01T00:00:00",
		"2024-13-01T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"2024-01-01T24:00:00Z",
		"2024-01-01T00:60:00Z",
		"2024-01-01T00:00:00Zx",
		"2024-01-01T00:00:00.Z",
		"2024-1-01T00:00:00Z",
		"2024-01-01T00:00:00+2:00",
		"2024-01-00T00:00:00Z",
	};
	int64_t date;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(date_parse(cases[i], &date), -EINVAL);
	assert_int_equal(date_parse("9999-01-01T00:00:00Z", &date), -ERANGE);
}

static void months_carry_days_over(void **state)
{
	(void)state;
	static const struct {
		const char *from;
		int months;
		const char *to;
	} cases[] = {
		{ "2024-01-31T10:00:00Z", 1, "2024-03-02T10:00:00Z" },
		{ "2024-12-15T00:00:00Z", 1, "2025-01-15T00:00:00Z" },
		{ "2024-02-29T00:00:00Z", 12, "2025-03-01T00:00:00Z" },
		{ "2024-03-15T00:00:00Z", -3, "2023-12-15T00:00:00Z" },
	};
	char buf[DATE_SIZE];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t date = 0;

		assert_int_equal(date_parse(cases[i].from, &date), 0);
		assert_string_equal(date_format(date_add_months(date, cases[i].months), buf),
		                    cases[i].to);
	}
}

static int64_t fake(void)
{
	return 5000;
}

static void the_clock_can_be_replaced(void **state)
{
	(void)state;
	date_set_clock(fake, fake);
	assert_int_equal(date_now(), 5000);
	assert_int_equal(date_deadline(10), 5010);
	assert_int_equal(date_left(5010), 10);
	assert_int_equal(date_left(4000), 0);
	assert_int_equal(date_left(DEADLINE_NEVER), -1);
	assert_true(date_deadline(-1) == DEADLINE_NEVER);
	date_set_clock(NULL, NULL);
	assert_true(date_now() > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_go_both_ways),
		cmocka_unit_test(zones_are_understood),
		cmocka_unit_test(bad_dates_are_refused),
		cmocka_unit_test(months_carry_days_over),
		cmocka_unit_test(the_clock_can_be_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
