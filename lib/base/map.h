/*
 * Hash maps from strings to anything, in the order in which keys were added.
 *
 * Hashes are seeded per process, so that a client cannot choose keys that collide. Not locked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct map;

struct map_entry {
	char *key;   /* Owned by the map; NULL in an entry that was removed. */
	void *value; /* Owned by the map if it was made with 'free_value'. */
	uint64_t hash;
};

/* 'free_value' is called with each value that is replaced or removed; NULL: the map owns none. */
struct map *map_new(void (*free_value)(void *value)) MUST_CHECK;
void map_free(struct map *m);
DEFINE_SCOPED(struct map *, map_free);

/* The value of 'key', borrowed, or NULL. */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);

/* Sets 'key' to 'value'; the value before is freed. */
void map_set(struct map *m, const char *key, void *value);

/* Adds 'key' unless it is there; returns whether it was added. */
bool map_add(struct map *m, const char *key, void *value);

/* Removes 'key' and hands its value to the caller; NULL if it is not there. */
void *map_take(struct map *m, const char *key);

/* Removes 'key' and frees its value; returns whether it was there. */
bool map_remove(struct map *m, const char *key);

void map_clear(struct map *m);

/* How many keys there are; 0 for NULL. */
size_t map_count(const struct map *m);

/* The first entry after 'entry' (NULL: the first of all), or NULL. */
struct map_entry *map_next(const struct map *m, const struct map_entry *entry);

/* "MAP_FOREACH(entry, m)": 'entry' is declared here. Entries may be removed meanwhile, not added.
 */
#define MAP_FOREACH(entry, m) \
	for (struct map_entry *entry = map_next(m, NULL); entry; entry = map_next(m, entry))
