#include "lib/base/smap.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

/* Yields where 'key' is or belongs; returns whether it is there. */
static bool find(const struct smap *m, const char *key, size_t *ret_at)
{
	size_t low = 0, high = m ? m->n_entries : 0;

	/* Maps are mostly filled in order. */
	if (high && strcmp(m->entries[high - 1].key, key) < 0)
		low = high;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(m->entries[middle].key, key);

		if (order == 0) {
			*ret_at = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_at = low;
	return false;
}

const char *smap_get(const struct smap *m, const char *key)
{
	size_t at;

	return find(m, key, &at) ? m->entries[at].value : NULL;
}

const char *smap_get_or(const struct smap *m, const char *key, const char *fallback)
{
	const char *value = smap_get(m, key);

	return str_is_empty(value) ? fallback : value;
}

bool smap_has(const struct smap *m, const char *key)
{
	size_t at;

	return find(m, key, &at);
}

bool smap_is_true(const struct smap *m, const char *key)
{
	return parse_is_true(smap_get(m, key));
}

void smap_set_take(struct smap *m, const char *key, char *value)
{
	size_t at;

	if (!value) {
		smap_unset(m, key);
		return;
	}
	if (find(m, key, &at)) {
		if (m->entries[at].value != value)
			free(m->entries[at].value);
		m->entries[at].value = value;
		return;
	}

	m->entries = array_grow(m->entries, m->n_entries, &m->capacity, sizeof(*m->entries));
	memmove(&m->entries[at + 1], &m->entries[at], (m->n_entries - at) * sizeof(*m->entries));
	m->entries[at] = (struct smap_entry){ xstrdup(key), value };
	m->n_entries++;
}

void smap_set(struct smap *m, const char *key, const char *value)
{
	smap_set_take(m, key, xstrdup_or_null(value));
}

void smap_setf(struct smap *m, const char *key, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	smap_set_take(m, key, xvasprintf(fmt, args));
	va_end(args);
}

bool smap_unset(struct smap *m, const char *key)
{
	size_t at;

	if (!find(m, key, &at))
		return false;

	free(m->entries[at].key);
	free(m->entries[at].value);
	m->n_entries--;
	memmove(&m->entries[at], &m->entries[at + 1], (m->n_entries - at) * sizeof(*m->entries));
	return true;
}

void smap_unset_prefix(struct smap *m, const char *prefix)
{
	size_t at;

	find(m, prefix, &at);
	while (at < m->n_entries && str_starts(m->entries[at].key, prefix))
		smap_unset(m, m->entries[at].key);
}

void smap_copy(struct smap *m, const struct smap *from)
{
	if (m == from)
		return;

	smap_clear(m);
	smap_merge(m, from);
}

void smap_merge(struct smap *m, const struct smap *from)
{
	SMAP_FOREACH (e, from)
		smap_set(m, e->key, e->value);
}

bool smap_equals(const struct smap *a, const struct smap *b)
{
	if (a->n_entries != b->n_entries)
		return false;

	for (size_t i = 0; i < a->n_entries; i++)
		if (strcmp(a->entries[i].key, b->entries[i].key) != 0 ||
		    strcmp(a->entries[i].value, b->entries[i].value) != 0)
			return false;

	return true;
}

struct smap smap_take(struct smap *m)
{
	struct smap taken = *m;

	*m = (struct smap){ 0 };
	return taken;
}

void smap_clear(struct smap *m)
{
	for (size_t i = 0; i < m->n_entries; i++) {
		free(m->entries[i].key);
		free(m->entries[i].value);
	}
	m->n_entries = 0;
}

void smap_done(struct smap *m)
{
	smap_clear(m);
	free(m->entries);
	*m = (struct smap){ 0 };
}
