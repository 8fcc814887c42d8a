#include "lib/base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"

bool str_is_empty(const char *s)
{
	return !s || !*s;
}

const char *str_or_empty(const char *s)
{
	return s ? s : "";
}

bool str_equals(const char *a, const char *b)
{
	return strcmp(str_or_empty(a), str_or_empty(b)) == 0;
}

bool str_equals_nocase(const char *a, const char *b)
{
	return strcasecmp(str_or_empty(a), str_or_empty(b)) == 0;
}

const char *str_after(const char *s, const char *prefix)
{
	size_t len = strlen(str_or_empty(prefix));

	s = str_or_empty(s);
	return strncmp(s, str_or_empty(prefix), len) == 0 ? s + len : NULL;
}

bool str_starts(const char *s, const char *prefix)
{
	return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(str_or_empty(s)), suffix_len = strlen(str_or_empty(suffix));

	return len >= suffix_len && str_equals(str_or_empty(s) + len - suffix_len, suffix);
}

char *str_trim(const char *s)
{
	s = str_or_empty(s);
	while (isspace((unsigned char)*s))
		s++;

	size_t len = strlen(s);
	while (len && isspace((unsigned char)s[len - 1]))
		len--;

	return xstrndup(s, len);
}

char *str_chomp(const char *s)
{
	s = str_or_empty(s);

	size_t len = strlen(s);
	while (len && (s[len - 1] == '\n' || s[len - 1] == '\r'))
		len--;

	return xstrndup(s, len);
}

bool str_has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;

	return false;
}

char *str_lower(const char *s)
{
	char *copy = xstrdup(str_or_empty(s));

	for (char *at = copy; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at += 'a' - 'A';

	return copy;
}

char *str_replace(const char *s, const char *from, const char *to)
{
	struct strbuf b = { 0 };
	size_t from_len = strlen(from);

	s = str_or_empty(s);
	for (const char *hit; from_len && (hit = strstr(s, from)); s = hit + from_len) {
		strbuf_add_n(&b, s, (size_t)(hit - s));
		strbuf_add(&b, to);
	}
	strbuf_add(&b, s);
	return strbuf_take(&b);
}

int str_compare_natural(const char *a, const char *b)
{
	a = str_or_empty(a);
	b = str_or_empty(b);
	while (*a && *b) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			a += strspn(a, "0");
			b += strspn(b, "0");

			size_t a_len = strspn(a, "0123456789"), b_len = strspn(b, "0123456789");
			if (a_len != b_len)
				return a_len < b_len ? -1 : 1;

			int order = strncmp(a, b, a_len);
			if (order)
				return order;

			a += a_len;
			b += b_len;
			continue;
		}
		if (*a != *b)
			break;
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int str_compare_items(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool str_copy(char *buf, size_t size, const char *s)
{
	size_t len = strnlen(s, size - 1);

	memcpy(buf, s, len);
	buf[len] = '\0';
	return s[len] == '\0';
}

size_t str_utf8_len(const char *s, size_t size)
{
	const unsigned char *at = (const unsigned char *)s;
	static const struct {
		unsigned char first_min, first_max, second_min, second_max, len;
	} forms[] = {
		{ 0x01, 0x7F, 0x00, 0x00, 1 }, { 0xC2, 0xDF, 0x80, 0xBF, 2 },
		{ 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 },
		{ 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
		{ 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 },
		{ 0xF4, 0xF4, 0x80, 0x8F, 4 },
	};

	for (size_t i = 0; size && i < COUNT_OF(forms); i++) {
		if (at[0] < forms[i].first_min || at[0] > forms[i].first_max)
			continue;
		if (size < forms[i].len)
			return 0;
		if (forms[i].len > 1 &&
		    (at[1] < forms[i].second_min || at[1] > forms[i].second_max))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((at[k] & 0xC0) != 0x80)
				return 0;

		return forms[i].len;
	}
	return 0;
}

bool str_is_utf8(const char *s, size_t size)
{
	while (size) {
		unsigned char c = (unsigned char)*s;
		size_t len = c && c < 0x80 ? 1 : str_utf8_len(s, size);

		if (!len)
			return false;

		s += len;
		size -= len;
	}
	return true;
}

bool str_is_made_of(const char *s, const char *chars)
{
	return !str_is_empty(s) && s[strspn(s, chars)] == '\0';
}

bool str_is_hostname(const char *s)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	if (!str_is_made_of(s, chars))
		return false;

	size_t len = strlen(s);
	return len <= 63 && s[0] != '-' && s[len - 1] != '-';
}

uint64_t str_hash(const char *s)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325);

	for (s = str_or_empty(s); *s; s++)
		hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001B3);

	return hash;
}
