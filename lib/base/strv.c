#include "lib/base/strv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"

void strv_free(char **v)
{
	STRV_FOREACH (s, v)
		free(s);
	free(v);
}

size_t strv_len(char *const *v)
{
	size_t len = 0;

	while (v && v[len])
		len++;
	return len;
}

void strv_add_take(char ***v, char *s)
{
	size_t len = strv_len(*v);

	*v = xreallocarray(*v, len + 2, sizeof(**v));
	(*v)[len] = s;
	(*v)[len + 1] = NULL;
}

void strv_add(char ***v, const char *s)
{
	strv_add_take(v, xstrdup(s));
}

void strv_addf(char ***v, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	strv_add_take(v, xvasprintf(fmt, args));
	va_end(args);
}

void strv_add_all(char ***v, char *const *more)
{
	STRV_FOREACH (s, more)
		strv_add(v, s);
}

void strv_add_once(char ***v, const char *s)
{
	if (!strv_contains(*v, s))
		strv_add(v, s);
}

char **strv_new(const char *first, ...)
{
	char **v = NULL;
	va_list args;

	va_start(args, first);
	for (const char *s = first; s; s = va_arg(args, const char *))
		strv_add(&v, s);
	va_end(args);
	return v;
}

char **strv_copy(char *const *v)
{
	char **copy = NULL;

	strv_add_all(&copy, v);
	return copy;
}

bool strv_contains(char *const *v, const char *s)
{
	STRV_FOREACH (item, v)
		if (str_equals(item, s))
			return true;

	return false;
}

bool strv_equals(char *const *a, char *const *b)
{
	size_t len = strv_len(a);

	if (strv_len(b) != len)
		return false;

	for (size_t i = 0; i < len; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;

	return true;
}

bool strv_remove(char **v, const char *s)
{
	size_t kept = 0, len = strv_len(v);

	for (size_t i = 0; i < len; i++) {
		if (strcmp(v[i], s) == 0)
			free(v[i]);
		else
			v[kept++] = v[i];
	}
	if (kept == len)
		return false;

	v[kept] = NULL;
	return true;
}

void strv_sort(char **v)
{
	if (strv_len(v) > 1)
		qsort(v, strv_len(v), sizeof(*v), str_compare_items);
}

char **strv_split(const char *s, char separator)
{
	char **v = NULL;

	if (str_is_empty(s))
		return NULL;

	for (;;) {
		const char *end = strchrnul(s, separator);

		strv_add_take(&v, xstrndup(s, (size_t)(end - s)));
		if (!*end)
			return v;
		s = end + 1;
	}
}

char **strv_split_trimmed(const char *s, char separator)
{
	char **v = NULL;
	scoped(strv_freep) char **parts = strv_split(s, separator);

	STRV_FOREACH (part, parts) {
		scoped_free char *trimmed = str_trim(part);

		if (*trimmed)
			strv_add_take(&v, TAKE_PTR(trimmed));
	}
	return v;
}

char *strv_join(char *const *v, const char *separator)
{
	struct strbuf b = { 0 };

	STRV_FOREACH (s, v) {
		if (s != v[0])
			strbuf_add(&b, separator);
		strbuf_add(&b, s);
	}
	return strbuf_take(&b);
}
