#include "lib/base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/date.h"
#include "lib/base/str.h"

/* Takes decimal digits from '*s'. */
static int take_number(const char **s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;

	bool is_over = false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		is_over |= __builtin_mul_overflow(v, 10, &v);
		is_over |= __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v);
	}
	if (is_over)
		return -ERANGE;

	*ret = v;
	return 0;
}

int parse_uint64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;
	int r = take_number(&s, &v);

	if (r < 0 && r != -ERANGE)
		return r;
	if (*s)
		return -EINVAL;
	if (r == 0)
		*ret = v;
	return r;
}

int parse_int64(const char *s, int64_t *ret)
{
	uint64_t v = 0, limit = INT64_MAX;
	bool is_negative = *s == '-';

	int r = parse_uint64(s + is_negative, &v);
	if (r < 0)
		return r;
	if (v > limit + is_negative)
		return -ERANGE;

	*ret = is_negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int parse_int(const char *s, int *ret)
{
	int64_t v = 0;
	int r = parse_int64(s, &v);

	if (r < 0)
		return r;
	if (v < INT_MIN || v > INT_MAX)
		return -ERANGE;

	*ret = (int)v;
	return 0;
}

int parse_uint32(const char *s, uint32_t *ret)
{
	uint64_t v = 0;
	int r = parse_uint64(s, &v);

	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;

	*ret = (uint32_t)v;
	return 0;
}

int parse_mode(const char *s, unsigned *ret)
{
	unsigned v = 0;

	if (!str_is_made_of(s, "01234567"))
		return -EINVAL;

	for (; *s; s++) {
		v = v * 8 + (unsigned)(*s - '0');
		if (v > 07777)
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

static bool is_one_of(const char *s, const char *const words[4])
{
	for (size_t i = 0; i < 4; i++)
		if (str_equals_nocase(s, words[i]))
			return true;

	return false;
}

bool parse_is_true(const char *s)
{
	static const char *const words[] = { "true", "1", "yes", "on" };

	return is_one_of(s, words);
}

bool parse_is_false(const char *s)
{
	static const char *const words[] = { "false", "0", "no", "off" };

	return is_one_of(s, words);
}

int parse_bool(const char *s, bool *ret)
{
	if (!parse_is_true(s) && !parse_is_false(s))
		return -EINVAL;

	*ret = parse_is_true(s);
	return 0;
}

struct unit {
	const char *suffix;
	int64_t factor;
};

/* A whole number and one of the suffixes of a table that ends with a NULL. */
static int parse_unit(const char *s, const struct unit *units, int64_t *ret)
{
	uint64_t v = 0;
	int64_t product;
	bool is_negative = *s == '-';

	s += is_negative;
	int r = take_number(&s, &v);
	if (r < 0 && r != -ERANGE)
		return r;

	for (const struct unit *u = units; u->suffix; u++) {
		if (strcmp(u->suffix, s) != 0)
			continue;
		if (r < 0 || __builtin_mul_overflow(v, u->factor, &product))
			return -ERANGE;

		*ret = is_negative ? -product : product;
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *s, int64_t *ret)
{
	/* clang-format off */
	static const struct unit units[] = {
		{ "", 1 }, { "B", 1 }, { " bytes", 1 },
		{ "kB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
		{ "TB", 1000000000000 }, { "PB", 1000000000000000 }, { "EB", 1000000000000000000 },
		{ "KiB", INT64_C(1) << 10 }, { "MiB", INT64_C(1) << 20 }, { "GiB", INT64_C(1) << 30 },
		{ "TiB", INT64_C(1) << 40 }, { "PiB", INT64_C(1) << 50 }, { "EiB", INT64_C(1) << 60 },
		{ NULL, 0 },
	};
	/* clang-format on */

	return parse_unit(s, units, ret);
}

int parse_bits(const char *s, int64_t *ret)
{
	/* clang-format off */
	static const struct unit units[] = {
		{ "", 1 }, { "bit", 1 },
		{ "kbit", 1000 }, { "Mbit", 1000000 }, { "Gbit", 1000000000 },
		{ "Tbit", 1000000000000 }, { "Pbit", 1000000000000000 }, { "Ebit", 1000000000000000000 },
		{ "Kibit", INT64_C(1) << 10 }, { "Mibit", INT64_C(1) << 20 }, { "Gibit", INT64_C(1) << 30 },
		{ "Tibit", INT64_C(1) << 40 }, { "Pibit", INT64_C(1) << 50 }, { "Eibit", INT64_C(1) << 60 },
		{ NULL, 0 },
	};
	/* clang-format on */

	return parse_unit(s, units, ret);
}

int parse_percent(const char *s, unsigned *ret)
{
	uint64_t v = 0;

	int r = take_number(&s, &v);
	if (r < 0 && r != -ERANGE)
		return r;
	if (strcmp(s, "%") != 0)
		return -EINVAL;
	if (r < 0 || v > 100)
		return -ERANGE;

	*ret = (unsigned)v;
	return 0;
}

/* Takes a number with an optional fraction and a unit from '*s', in nanoseconds. */
static int take_duration(const char **s, int64_t *ret_ns)
{
	/* clang-format off */
	static const struct unit units[] = { /* Longer ones before those that they begin with. */
		{ "ns", 1 }, { "us", 1000 }, { "\xC2\xB5s", 1000 }, { "ms", 1000000 },
		{ "s", DATE_SECOND }, { "m", 60 * DATE_SECOND }, { "h", 3600 * DATE_SECOND },
		{ NULL, 0 },
	};
	/* clang-format on */
	uint64_t whole = 0, fraction = 0, scale = 1;
	int64_t ns;

	bool has_whole = isdigit((unsigned char)**s);
	int r = has_whole ? take_number(s, &whole) : 0;
	if (r < 0)
		return r;

	bool has_fraction = **s == '.' && isdigit((unsigned char)(*s)[1]);
	if (!has_whole && !has_fraction)
		return -EINVAL;
	for (*s += has_fraction; has_fraction && isdigit((unsigned char)**s); (*s)++) {
		if (scale >= 1000000000)
			continue;
		fraction = fraction * 10 + (uint64_t)(**s - '0');
		scale *= 10;
	}

	for (const struct unit *u = units; u->suffix; u++) {
		if (!str_starts(*s, u->suffix))
			continue;
		if (__builtin_mul_overflow(whole, u->factor, &ns))
			return -ERANGE;

		unsigned __int128 part = (unsigned __int128)fraction * (uint64_t)u->factor / scale;
		if (__builtin_add_overflow(ns, (int64_t)part, ret_ns))
			return -ERANGE;

		*s += strlen(u->suffix);
		return 0;
	}
	return -EINVAL;
}

int parse_duration(const char *s, int64_t *ret_ms)
{
	int64_t total = 0;
	bool is_negative = *s == '-';

	s += is_negative || *s == '+';
	if (strcmp(s, "0") == 0) {
		*ret_ms = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;

	while (*s) {
		int64_t ns;
		int r = take_duration(&s, &ns);

		if (r < 0)
			return r;
		if (__builtin_add_overflow(total, ns, &total))
			return -ERANGE;
	}
	*ret_ms = (is_negative ? -total : total) / 1000000;
	return 0;
}

/* Adds 'count' of 'unit' to '*at'. */
static int add_span(int64_t *at, uint64_t count, char unit)
{
	static const struct {
		char unit;
		int64_t seconds;
		int months;
	} spans[] = {
		{ 'S', 1, 0 },      { 'M', 60, 0 }, { 'H', 3600, 0 }, { 'd', 86400, 0 },
		{ 'w', 604800, 0 }, { 'm', 0, 1 },  { 'y', 0, 12 },
	};

	for (size_t i = 0; i < COUNT_OF(spans); i++) {
		int64_t ns;

		if (spans[i].unit != unit)
			continue;
		if (spans[i].months) {
			if (count > 12000)
				return -ERANGE;

			*at = date_add_months(*at, (int)count * spans[i].months);
			return *at == INT64_MAX ? -ERANGE : 0;
		}
		if (__builtin_mul_overflow(count, spans[i].seconds * DATE_SECOND, &ns) ||
		    __builtin_add_overflow(*at, ns, at))
			return -ERANGE;

		return 0;
	}
	return -EINVAL;
}

int parse_expiry(const char *s, int64_t from, int64_t *ret_at)
{
	int64_t at = from;
	bool is_seen[128] = { false };

	if (!*s)
		return -EINVAL;

	for (;;) {
		uint64_t count = 0;
		int r = take_number(&s, &count);

		if (r < 0)
			return r;
		if (!isalpha((unsigned char)*s) || is_seen[(unsigned char)*s])
			return -EINVAL;

		is_seen[(unsigned char)*s] = true;
		r = add_span(&at, count, *s++);
		if (r < 0)
			return r;
		if (!*s)
			break;
		if (*s++ != ' ')
			return -EINVAL;
	}
	*ret_at = at;
	return 0;
}

int parse_cpu_set(const char *s, bool *ret, unsigned size)
{
	if (!*s)
		return -EINVAL;

	memset(ret, 0, size * sizeof(*ret));
	for (;;) {
		uint64_t first = 0, last;
		int r = take_number(&s, &first);

		if (r < 0)
			return r;
		last = first;
		if (*s == '-') {
			s++;
			r = take_number(&s, &last);
			if (r < 0)
				return r;
		}
		if (last < first)
			return -EINVAL;
		if (last >= size)
			return -ERANGE;
		for (uint64_t i = first; i <= last; i++)
			ret[i] = true;
		if (!*s)
			return 0;
		if (*s++ != ',')
			return -EINVAL;
	}
}
