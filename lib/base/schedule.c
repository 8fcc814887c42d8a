#include "lib/base/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#define MINUTE (60 * DATE_SECOND)
#define MINUTES_MAX (24 * 60) /* That are looked at. */

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun",
	                                   "jul", "aug", "sep", "oct", "nov", "dec" };
static const char *const weekday_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

struct field {
	int min, max;
	const char *const *names; /* Of max - min + 1 values, or NULL. */
};

enum { MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS, N_FIELDS };

static const struct field fields[N_FIELDS] = {
	[MINUTES] = { 0, 59, NULL },
	[HOURS] = { 0, 23, NULL },
	[DAYS] = { 1, 31, NULL },
	[MONTHS] = { 1, 12, month_names },
	[WEEKDAYS] = { 0, 6, weekday_names },
};

/* The minute is the spread's, and the hour where 'has_hour' says so. */
static const struct {
	const char *name;
	bool has_hour; /* Chosen by the spread, else 'hours'. */
	uint32_t hours, days;
	uint16_t months;
	uint8_t weekdays;
	bool has_days, has_weekdays;
} aliases[] = {
	{ "@hourly", false, 0xffffff, 0, 0x1ffe, 0, false, false },
	{ "@daily", true, 0, 0, 0x1ffe, 0, false, false },
	{ "@midnight", false, 1, 0, 0x1ffe, 0, false, false },
	{ "@weekly", true, 0, 0, 0x1ffe, 1, false, true },
	{ "@monthly", true, 0, 1U << 1, 0x1ffe, 0, true, false },
	{ "@annually", true, 0, 1U << 1, 1U << 1, 0, true, false },
	{ "@yearly", true, 0, 1U << 1, 1U << 1, 0, true, false },
};

/* At most two digits, or a name; advances '*at'. */
static int read_value(const struct field *f, const char **at, int *ret)
{
	int value = 0, n_digits = 0;

	for (int i = 0; f->names && i <= f->max - f->min; i++) {
		if (strncasecmp(*at, f->names[i], 3) == 0) {
			*at += 3;
			*ret = f->min + i;
			return 0;
		}
	}
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		value = value * 10 + (**at - '0');
		if (++n_digits > 2)
			return -EINVAL;
	}
	if (n_digits == 0 || value < f->min || value > f->max)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int read_step(const char **at, int *ret)
{
	static const struct field steps = { 1, 99, NULL };

	if (**at != '/')
		return 0;
	(*at)++;
	return read_value(&steps, at, ret);
}

/* "*", "5", "1-5", each with a step or without; a value with a step goes on to the end. */
static int read_range(const struct field *f, const char **at, uint64_t *set, bool *ret_is_any)
{
	int first = f->min, last = f->max, step = 1;
	bool is_any = **at == '*' || **at == '?';

	if (is_any) {
		(*at)++;
	} else {
		if (read_value(f, at, &first) < 0)
			return -EINVAL;
		last = **at == '/' ? f->max : first;
		if (**at == '-') {
			(*at)++;
			if (read_value(f, at, &last) < 0 || last < first)
				return -EINVAL;
		}
	}
	if (read_step(at, &step) < 0)
		return -EINVAL;

	*ret_is_any = is_any && step == 1;
	for (int i = first; i <= last; i += step)
		*set |= UINT64_C(1) << i;
	return 0;
}

static int read_field(const struct field *f, const char *text, uint64_t *ret_set, bool *ret_is_any)
{
	uint64_t set = 0;
	bool is_any = false;

	*ret_is_any = false;
	for (;;) {
		if (read_range(f, &text, &set, &is_any) < 0)
			return -EINVAL;
		*ret_is_any |= is_any;
		if (*text == '\0')
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	*ret_set = set;
	return 0;
}

static int read_cron(const char *text, struct schedule_part *ret)
{
	scoped(strv_freep) char **words = strv_split(text, ' ');
	uint64_t sets[N_FIELDS] = { 0 };
	bool is_any[N_FIELDS] = { false };
	size_t n = 0;

	STRV_FOREACH (word, words) {
		if (*word == '\0')
			continue; /* Several spaces. */
		if (n == N_FIELDS || read_field(&fields[n], word, &sets[n], &is_any[n]) < 0)
			return -EINVAL;
		n++;
	}
	if (n != N_FIELDS)
		return -EINVAL;
	*ret = (struct schedule_part){
		.minutes = sets[MINUTES],
		.hours = (uint32_t)sets[HOURS],
		.days = (uint32_t)sets[DAYS],
		.months = (uint16_t)sets[MONTHS],
		.weekdays = (uint8_t)sets[WEEKDAYS],
		.has_days = !is_any[DAYS],
		.has_weekdays = !is_any[WEEKDAYS],
	};
	return 0;
}

/* Neighbours in the database are not neighbours in time. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ (x >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ (x >> 33);
}

static int read_alias(const char *word, uint64_t spread, struct schedule *s)
{
	uint64_t chosen = mix(spread + 1);

	if (strcmp(word, "@never") == 0)
		return 0;
	if (strcmp(word, "@startup") == 0) {
		s->is_startup = true;
		return 0;
	}
	for (size_t i = 0; i < COUNT_OF(aliases); i++) {
		if (strcmp(word, aliases[i].name) != 0)
			continue;
		if (s->n_parts == SCHEDULE_MAX)
			return -EINVAL;
		s->parts[s->n_parts++] = (struct schedule_part){
			.minutes = UINT64_C(1) << chosen % 60,
			.hours = aliases[i].has_hour ? 1U << chosen / 60 % 24 : aliases[i].hours,
			.days = aliases[i].days,
			.months = aliases[i].months,
			.weekdays = aliases[i].weekdays,
			.has_days = aliases[i].has_days,
			.has_weekdays = aliases[i].has_weekdays,
		};
		return 0;
	}
	return -EINVAL;
}

/* Aliases may have plain commas between; fields of cron have commas of their own. */
static int read_aliases(const char *text, uint64_t spread, struct schedule *s)
{
	scoped(strv_freep) char **words = strv_split(text, ',');

	STRV_FOREACH (word, words) {
		if (read_alias(word, spread, s) < 0)
			return -EINVAL;
	}
	return 0;
}

static int read_part(const char *text, uint64_t spread, struct schedule *s)
{
	if (*text == '@')
		return read_aliases(text, spread, s);
	if (s->n_parts == SCHEDULE_MAX || read_cron(text, &s->parts[s->n_parts]) < 0)
		return -EINVAL;
	s->n_parts++;
	return 0;
}

int schedule_parse(const char *text, uint64_t spread, struct schedule *ret)
{
	struct schedule s = { .n_parts = 0 };
	const char *at = text;

	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < ' ' || *c > '~')
			return -EINVAL;
	while (*text) {
		const char *end = strstr(at, ", ");
		scoped_free char *part = end ? xstrndup(at, (size_t)(end - at)) : xstrdup(at);

		if (read_part(part, spread, &s) < 0)
			return -EINVAL;
		if (!end)
			break;
		at = end + 2;
	}
	*ret = s;
	return 0;
}

static bool has_bit(uint64_t set, int bit)
{
	return (set >> bit) & 1;
}

static bool is_day(const struct schedule_part *p, const struct tm *tm)
{
	bool day = has_bit(p->days, tm->tm_mday), weekday = has_bit(p->weekdays, tm->tm_wday);

	if (p->has_days && p->has_weekdays)
		return day || weekday;
	return (!p->has_days || day) && (!p->has_weekdays || weekday);
}

static bool is_due(const struct schedule *s, int64_t minute)
{
	time_t seconds = (time_t)(minute / DATE_SECOND);
	struct tm tm;

	if (!localtime_r(&seconds, &tm))
		return false;
	for (size_t i = 0; i < s->n_parts; i++) {
		const struct schedule_part *p = &s->parts[i];

		if (has_bit(p->minutes, tm.tm_min) && has_bit(p->hours, tm.tm_hour) &&
		    has_bit(p->months, tm.tm_mon + 1) && is_day(p, &tm))
			return true;
	}
	return false;
}

int64_t schedule_last_due(const struct schedule *s, int64_t after, int64_t until)
{
	int64_t minute = until - until % MINUTE;

	if (until < MINUTE * MINUTES_MAX) /* Before 1970: no clock says so. */
		return DATE_NONE;
	for (int i = 0; i < MINUTES_MAX && minute > after; i++, minute -= MINUTE)
		if (is_due(s, minute))
			return minute;
	return DATE_NONE;
}
