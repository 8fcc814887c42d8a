#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/date.h"
#include "lib/base/schedule.h"

static int64_t at(const char *text)
{
	int64_t date = 0;

	assert_int_equal(date_parse(text, &date), 0);
	return date;
}

/* Whether it is due within the minute. */
static bool is_due(const char *schedule, const char *minute)
{
	struct schedule s;
	int64_t date = at(minute);

	assert_int_equal(schedule_parse(schedule, 0, &s), 0);
	int64_t due = schedule_last_due(&s, date - 1, date + 59 * DATE_SECOND);
	assert_true(due == DATE_NONE || due == date);
	return due != DATE_NONE;
}

static void what_is_a_schedule(void **state)
{
	(void)state;
	static const char *const good[] = {
		"",
		"* * * * *",
		"*/15 * * * *",
		"0,30 1-5 1,15 jan-mar,12 MON-fri",
		"5/10 0-23/2 ? * ?",
		"0  6  *  *  0",
		"@hourly",
		"@daily",
		"@midnight",
		"@weekly",
		"@monthly",
		"@annually",
		"@yearly",
		"@startup",
		"@never",
		"@hourly, @daily",
		"@startup,@daily",
		"0 6 * * *, 30 7 * * 1",
	};
	static const char *const bad[] = {
		" ",
		"*",
		"* * * *",
		"* * * * * *",
		"60 * * * *",
		"* 24 * * *",
		"* * 0 * *",
		"* * 32 * *",
		"* * * 0 *",
		"* * * 13 *",
		"* * * * 7",
		"-1 * * * *",
		"+1 * * * *",
		"5-1 * * * *",
		"*/0 * * * *",
		"*/x * * * *",
		"1, * * * *",
		",1 * * * *",
		"1,,2 * * * *",
		"1- * * * *",
		"1-2-3 * * * *",
		"001 * * * *",
		"* * * mon *",
		"* * * * jan",
		"* * * * mond",
		"1.5 * * * *",
		"@",
		"@reboot",
		"@Daily",
		"@every 5m",
		"@daily ",
		"@daily,",
		"@daily, ",
		", @daily",
		"@daily @hourly",
		"* * * * *, ",
		"*\t* * * *",
		"* * * * *\n",
		"TZ=UTC * * * * *",
	};
	struct schedule s;

	for (size_t i = 0; i < COUNT_OF(good); i++)
		if (schedule_parse(good[i], 0, &s) != 0)
			fail_msg("refused: \"%s\"", good[i]);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (schedule_parse(bad[i], 0, &s) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
}

static void when_it_is_due(void **state)
{
	(void)state;
	static const struct {
		const char *schedule, *minute;
		bool is_due;
	} cases[] = {
		/* 2026-11-24 is a Tuesday. */
		{ "* * * * *", "2026-11-24T10:17:00Z", true },
		{ "*/15 * * * *", "2026-11-24T10:30:00Z", true },
		{ "*/15 * * * *", "2026-11-24T10:31:00Z", false },
		{ "5/10 * * * *", "2026-11-24T10:55:00Z", true },
		{ "5/10 * * * *", "2026-11-24T10:50:00Z", false },
		{ "0 6 * * *", "2026-11-24T06:00:00Z", true },
		{ "0 6 * * *", "2026-11-24T07:00:00Z", false },
		{ "0 6 * * tue", "2026-11-24T06:00:00Z", true },
		{ "0 6 * * 3-5", "2026-11-24T06:00:00Z", false },
		{ "0 6 24 * *", "2026-11-24T06:00:00Z", true },
		{ "0 6 25 * *", "2026-11-24T06:00:00Z", false },
		{ "0 6 25 * 2", "2026-11-24T06:00:00Z", true },
		{ "0 6 25 * 3", "2026-11-24T06:00:00Z", false },
		{ "0 6 24 * 3", "2026-11-24T06:00:00Z", true },
		{ "0 6 * nov *", "2026-11-24T06:00:00Z", true },
		{ "0 6 * 1-10 *", "2026-11-24T06:00:00Z", false },
		{ "0 0 29 2 *", "2028-02-29T00:00:00Z", true },
		{ "0 6 * * *, 30 7 * * *", "2026-11-24T07:30:00Z", true },
		{ "@never", "2026-11-24T00:00:00Z", false },
		{ "@startup", "2026-11-24T00:00:00Z", false },
		{ "", "2026-11-24T00:00:00Z", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (is_due(cases[i].schedule, cases[i].minute) != cases[i].is_due)
			fail_msg("\"%s\" at %s", cases[i].schedule, cases[i].minute);
}

static size_t count_due(const char *schedule, uint64_t spread, const char *from, int days)
{
	struct schedule s;
	int64_t end = at(from);
	size_t n = 0;

	assert_int_equal(schedule_parse(schedule, spread, &s), 0);
	for (int i = 0; i < days * 24 * 60; i++, end += 60 * DATE_SECOND)
		n += schedule_last_due(&s, end - 1, end) != DATE_NONE;
	return n;
}

/* Each alias as often as its name says, whatever the object. */
static void aliases_are_spread(void **state)
{
	(void)state;
	bool differ = false;
	struct schedule first, other;

	for (uint64_t spread = 0; spread < 20; spread++) {
		assert_int_equal(count_due("@hourly", spread, "2026-11-24T00:00:00Z", 1), 24);
		assert_int_equal(count_due("@daily", spread, "2026-11-24T00:00:00Z", 3), 3);
		assert_int_equal(count_due("@midnight", spread, "2026-11-24T00:00:00Z", 3), 3);
		assert_int_equal(count_due("@weekly", spread, "2026-11-24T00:00:00Z", 14), 2);
		assert_int_equal(count_due("@monthly", spread, "2026-11-24T00:00:00Z", 30), 1);
	}
	assert_int_equal(count_due("@yearly", 5, "2026-12-25T00:00:00Z", 14), 1);
	assert_int_equal(count_due("@annually", 5, "2026-11-25T00:00:00Z", 14), 0);
	assert_int_equal(schedule_parse("@daily", 1, &first), 0);
	for (uint64_t spread = 2; spread < 20; spread++) {
		assert_int_equal(schedule_parse("@daily", spread, &other), 0);
		differ |= first.parts[0].minutes != other.parts[0].minutes;
	}
	assert_true(differ);
	assert_int_equal(schedule_parse("@startup, @daily", 1, &other), 0);
	assert_true(other.is_startup && other.n_parts == 1);
}

static void the_last_minute_of_several(void **state)
{
	(void)state;
	struct schedule s;
	int64_t from = at("2026-11-24T10:00:00Z"), to = at("2026-11-24T10:59:30Z");

	assert_int_equal(schedule_parse("*/15 * * * *", 0, &s), 0);
	assert_true(schedule_last_due(&s, from, to) == at("2026-11-24T10:45:00Z"));
	assert_true(schedule_last_due(&s, at("2026-11-24T10:45:00Z"), to) == DATE_NONE);
	assert_true(schedule_last_due(&s, to, from) == DATE_NONE);
	assert_true(schedule_last_due(&s, from - 1, from) == from);
	assert_true(schedule_last_due(&s, DATE_NONE, DATE_NONE) == DATE_NONE);
	assert_true(schedule_last_due(&s, DATE_NONE, 0) == DATE_NONE);
	/* A clock that was years behind costs a day's minutes. */
	assert_int_equal(schedule_parse("0 0 1 1 *", 0, &s), 0);
	assert_true(schedule_last_due(&s, 0, to) == DATE_NONE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_schedule),
		cmocka_unit_test(when_it_is_due),
		cmocka_unit_test(aliases_are_spread),
		cmocka_unit_test(the_last_minute_of_several),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
