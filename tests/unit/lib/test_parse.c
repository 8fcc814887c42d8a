#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/date.h"
#include "lib/base/parse.h"

static void integers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int code;
		int64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "-1", 0, -1 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "--1", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t v = 0;

		assert_int_equal(parse_int64(cases[i].text, &v), cases[i].code);
		assert_true(v == cases[i].value);
	}

	uint64_t u = 0;
	uint32_t u32 = 0;
	int n = 0;
	unsigned mode = 0;
	assert_int_equal(parse_uint64("18446744073709551615", &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(parse_uint64("-1", &u), -EINVAL);
	assert_int_equal(parse_uint32("4294967296", &u32), -ERANGE);
	assert_int_equal(parse_int("2147483648", &n), -ERANGE);
	assert_int_equal(parse_mode("0755", &mode), 0);
	assert_int_equal(mode, 0755);
	assert_int_equal(parse_mode("8", &mode), -EINVAL);
	assert_int_equal(parse_mode("17777", &mode), -ERANGE);
}

static void booleans(void **state)
{
	(void)state;
	bool b = false;

	assert_int_equal(parse_bool("True", &b), 0);
	assert_true(b);
	assert_int_equal(parse_bool("off", &b), 0);
	assert_false(b);
	assert_int_equal(parse_bool("", &b), -EINVAL);
	assert_int_equal(parse_bool("2", &b), -EINVAL);
	assert_false(parse_is_true(NULL));
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int code;
		int64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "4096B", 0, 4096 },
		{ "512kB", 0, 512000 },
		{ "10GB", 0, 10000000000 },
		{ "10GiB", 0, INT64_C(10) << 30 },
		{ "7EiB", 0, INT64_C(7) << 60 },
		{ "8EiB", -ERANGE, 0 },
		{ "10 GiB", -EINVAL, 0 },
		{ "1.5GiB", -EINVAL, 0 },
		{ "10gb", -EINVAL, 0 },
		{ "GiB", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "10Gi", -EINVAL, 0 },
		{ "-5MB", 0, -5000000 },
		{ "99999999999999999999B", -ERANGE, 0 },
		{ "99999999999999999999x", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t v = 0;

		assert_int_equal(parse_size(cases[i].text, &v), cases[i].code);
		assert_true(v == cases[i].value);
	}

	int64_t bits = 0;
	unsigned percent = 0;
	assert_int_equal(parse_bits("100Mbit", &bits), 0);
	assert_true(bits == 100000000);
	assert_int_equal(parse_bits("100MB", &bits), -EINVAL);
	assert_int_equal(parse_percent("50%", &percent), 0);
	assert_int_equal(percent, 50);
	assert_int_equal(parse_percent("101%", &percent), -ERANGE);
	assert_int_equal(parse_percent("50", &percent), -EINVAL);
}

static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int code;
		int64_t ms;
	} cases[] = {
		{ "10s", 0, 10000 }, { "1m30s", 0, 90000 }, { "1.5h", 0, 5400000 },
		{ "300ms", 0, 300 }, { "-1s", 0, -1000 },   { "0", 0, 0 },
		{ ".5s", 0, 500 },   { "1500us", 0, 1 },    { "10", -EINVAL, 0 },
		{ "s", -EINVAL, 0 }, { ".s", -EINVAL, 0 },  { "1d", -EINVAL, 0 },
		{ "", -EINVAL, 0 },  { "1s ", -EINVAL, 0 }, { "9999999999999h", -ERANGE, 0 },
		{ "-", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t v = 0;

		assert_int_equal(parse_duration(cases[i].text, &v), cases[i].code);
		assert_true(v == cases[i].ms);
	}
}

static void expiries(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int code;
		const char *at;
	} cases[] = {
		{ "30S", 0, "2024-01-31T00:00:30Z" },
		{ "5M", 0, "2024-01-31T00:05:00Z" },
		{ "3H", 0, "2024-01-31T03:00:00Z" },
		{ "1d", 0, "2024-02-01T00:00:00Z" },
		{ "2w", 0, "2024-02-14T00:00:00Z" },
		{ "1m", 0, "2024-03-02T00:00:00Z" },
		{ "1y", 0, "2025-01-31T00:00:00Z" },
		{ "1d 3H", 0, "2024-02-01T03:00:00Z" },
		{ "", -EINVAL, "" },
		{ "1", -EINVAL, "" },
		{ "1x", -EINVAL, "" },
		{ "1d 1d", -EINVAL, "" },
		{ "1d3H", -EINVAL, "" },
		{ "1d ", -EINVAL, "" },
		{ "-1d", -EINVAL, "" },
		{ "99999999999y", -ERANGE, "" },
		{ "1000y", -ERANGE, "" },
	};
	int64_t from = 0;

	assert_int_equal(date_parse("2024-01-31T00:00:00Z", &from), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char buf[DATE_SIZE];
		int64_t at = 0;

		assert_int_equal(parse_expiry(cases[i].text, from, &at), cases[i].code);
		if (cases[i].code == 0)
			assert_string_equal(date_format(at, buf), cases[i].at);
	}
}

static void cpu_sets(void **state)
{
	(void)state;
	bool set[8];

	assert_int_equal(parse_cpu_set("0-2,5", set, 8), 0);
	assert_true(set[0] && set[1] && set[2] && set[5]);
	assert_false(set[3] || set[4] || set[6] || set[7]);
	assert_int_equal(parse_cpu_set("8", set, 8), -ERANGE);
	assert_int_equal(parse_cpu_set("2-1", set, 8), -EINVAL);
	assert_int_equal(parse_cpu_set("1,", set, 8), -EINVAL);
	assert_int_equal(parse_cpu_set("", set, 8), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),  cmocka_unit_test(booleans), cmocka_unit_test(sizes),
		cmocka_unit_test(durations), cmocka_unit_test(expiries), cmocka_unit_test(cpu_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
