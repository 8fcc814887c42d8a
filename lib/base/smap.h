/*
 * Maps from strings to strings, kept sorted by key: config and device maps.
 *
 * All zero is an empty one: "scoped(smap_done) struct smap config = { 0 };". Look-ups take NULL
 * for an empty map.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/macro.h"

struct smap_entry {
	char *key;
	char *value; /* Never NULL. */
};

struct smap {
	struct smap_entry *entries;
	size_t n_entries;
	size_t capacity; /* Private. */
};

/* "SMAP_FOREACH(e, m)": 'e' is declared here; by rising key. The map must not change meanwhile. */
#define SMAP_FOREACH(e, m)                                                                     \
	for (const struct smap_entry *e = (m)->entries, *e##_end = e ? e + (m)->n_entries : e; \
	     e != e##_end; e++)

/* The value of 'key', borrowed until the map changes, or NULL. */
const char *smap_get(const struct smap *m, const char *key);

/* The same, or 'fallback' if the key is not there or its value is empty. */
const char *smap_get_or(const struct smap *m, const char *key, const char *fallback);
bool smap_has(const struct smap *m, const char *key);

/* Whether the value is one of LXD's words for true ("true", "1", "yes", "on"). */
bool smap_is_true(const struct smap *m, const char *key);

/* NULL as value removes the key. */
void smap_set(struct smap *m, const char *key, const char *value);
void smap_set_take(struct smap *m, const char *key, char *value);
void smap_setf(struct smap *m, const char *key, const char *fmt, ...) PRINTF(3, 4);

/* Returns whether the key was there. */
bool smap_unset(struct smap *m, const char *key);

/* Removes every key that begins with 'prefix'. */
void smap_unset_prefix(struct smap *m, const char *prefix);

/* Makes 'm' equal to 'from'. */
void smap_copy(struct smap *m, const struct smap *from);

/* Adds all of 'from'; where both have a key, the value of 'from' wins. */
void smap_merge(struct smap *m, const struct smap *from);
bool smap_equals(const struct smap *a, const struct smap *b);

/* Moves the content out; 'm' is empty afterwards. */
struct smap smap_take(struct smap *m);

void smap_clear(struct smap *m);
void smap_done(struct smap *m);
