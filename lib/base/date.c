#include "lib/base/date.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* Set once, before there are other threads. */
static int64_t (*fake_now)(void);
static int64_t (*fake_monotonic)(void);

static _Atomic int64_t shift;

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * DATE_SECOND + ts.tv_nsec;
}

int64_t date_now(void)
{
	return fake_now ? fake_now() : read_clock(CLOCK_REALTIME) + shift;
}

int64_t date_now_seconds(void)
{
	return date_now() / DATE_SECOND;
}

int64_t date_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t date_monotonic(void)
{
	return fake_monotonic ? fake_monotonic() : read_clock(CLOCK_MONOTONIC) / 1000000;
}

int64_t date_deadline(int64_t ms)
{
	int64_t deadline;

	if (ms < 0 || __builtin_add_overflow(date_monotonic(), ms, &deadline))
		return DEADLINE_NEVER;

	return deadline;
}

int date_left(int64_t deadline)
{
	if (deadline == DEADLINE_NEVER)
		return -1;

	int64_t left = deadline - date_monotonic();
	if (left <= 0)
		return 0;

	return left > INT_MAX ? INT_MAX : (int)left;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970 of a day of the Gregorian calendar; months and days may be out of range. */
static int64_t days_of_civil(int64_t year, int64_t month, int64_t day)
{
	/* Years begin in March, so that the leap day is their last. */
	year += floor_div(month - 3, 12);
	month = month - 3 - floor_div(month - 3, 12) * 12;

	int64_t era = floor_div(year, 400), year_of_era = year - era * 400;
	int64_t day_of_year = (153 * month + 2) / 5;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year + day - 1 - 719468;
}

static void civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	days += 719468;

	int64_t era = floor_div(days, 146097), day_of_era = days - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;

	*ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

char *date_format(int64_t date, char buf[DATE_SIZE])
{
	if (date == DATE_NONE) {
		snprintf(buf, DATE_SIZE, "0001-01-01T00:00:00Z");
		return buf;
	}

	int64_t seconds = floor_div(date, DATE_SECOND), days = floor_div(seconds, 86400), year;
	int month, day, second = (int)(seconds - days * 86400);
	int64_t fraction = date - seconds * DATE_SECOND;

	civil_of_days(days, &year, &month, &day);
	int len = snprintf(buf, DATE_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day,
	                   second / 3600, second / 60 % 60, second % 60);
	if (fraction) {
		len += snprintf(buf + len, DATE_SIZE - (size_t)len, ".%09d", (int)fraction);
		while (buf[len - 1] == '0')
			len--;
	}
	snprintf(buf + len, DATE_SIZE - (size_t)len, "Z");
	return buf;
}

/* Takes exactly 'len' digits and then 'end' (if not NUL) from '*s'. */
static bool take_digits(const char **s, int len, char end, int *ret)
{
	int v = 0;

	for (int i = 0; i < len; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return false;
		v = v * 10 + (**s - '0');
	}
	if (end && *(*s)++ != end)
		return false;

	*ret = v;
	return true;
}

static int days_in_month(int year, int month)
{
	return (int)(days_of_civil(year, month + 1, 1) - days_of_civil(year, month, 1));
}

/* Digits after the second; those beyond nanoseconds are dropped. */
static bool take_fraction(const char **s, int64_t *ret_ns)
{
	int64_t unit = DATE_SECOND / 10;

	*ret_ns = 0;
	if (**s != '.')
		return true;
	if (!isdigit((unsigned char)*++*s))
		return false;

	for (; isdigit((unsigned char)**s); (*s)++, unit /= 10)
		*ret_ns += (**s - '0') * unit;
	return true;
}

static bool take_zone(const char **s, int *ret_seconds)
{
	char sign = *(*s)++;
	int hour, minute;

	*ret_seconds = 0;
	if (sign == 'Z' || sign == 'z')
		return true;
	if (sign != '+' && sign != '-')
		return false;
	if (!take_digits(s, 2, ':', &hour) || !take_digits(s, 2, '\0', &minute) || hour > 23 ||
	    minute > 59)
		return false;

	*ret_seconds = (hour * 3600 + minute * 60) * (sign == '+' ? 1 : -1);
	return true;
}

int date_parse(const char *s, int64_t *ret_date)
{
	int year, month, day, hour, minute, second, zone;
	int64_t ns, date;

	if (!take_digits(&s, 4, '-', &year) || !take_digits(&s, 2, '-', &month) ||
	    !take_digits(&s, 2, '\0', &day) || (*s != 'T' && *s != 't' && *s != ' '))
		return -EINVAL;

	s++;
	if (!take_digits(&s, 2, ':', &hour) || !take_digits(&s, 2, ':', &minute) ||
	    !take_digits(&s, 2, '\0', &second) || !take_fraction(&s, &ns) || !*s ||
	    !take_zone(&s, &zone) || *s)
		return -EINVAL;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
	    minute > 59 || second > 59)
		return -EINVAL;

	int64_t seconds = days_of_civil(year, month, day) * 86400 +
	                  (hour * 60 + minute) * INT64_C(60) + second - zone;
	if (seconds == days_of_civil(1, 1, 1) * 86400 && ns == 0) {
		*ret_date = DATE_NONE;
		return 0;
	}
	if (__builtin_mul_overflow(seconds, DATE_SECOND, &date) ||
	    __builtin_add_overflow(date, ns, &date) || date == DATE_NONE)
		return -ERANGE;

	*ret_date = date;
	return 0;
}

int64_t date_add_months(int64_t date, int months)
{
	int64_t seconds = floor_div(date, DATE_SECOND), days = floor_div(seconds, 86400), year;
	int month, day;

	civil_of_days(days, &year, &month, &day);

	int64_t moved, new_days = days_of_civil(year, (int64_t)month + months, day);
	if (__builtin_mul_overflow(new_days - days, 86400 * DATE_SECOND, &moved) ||
	    __builtin_add_overflow(date, moved, &moved))
		return months < 0 ? INT64_MIN + 1 : INT64_MAX;

	return moved;
}

void date_shift_clock(int64_t ns)
{
	shift = ns;
}

bool date_is_shifted(void)
{
	return shift != 0;
}

void date_set_clock(int64_t (*now_ns)(void), int64_t (*monotonic_ms)(void))
{
	fake_now = now_ns;
	fake_monotonic = monotonic_ms;
}
