/*
 * Entries stand in one array in the order of their coming; a table of slots, twice as large or
 * more, holds indices into it and is probed linearly. Removing leaves a hole in the array and a
 * mark in the table; both go away when the table is made anew.
 */
#include "lib/base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/random.h"

#define SLOT_FREE UINT32_MAX
#define SLOT_HOLE (UINT32_MAX - 1)

struct map {
	void (*free_value)(void *value);
	struct map_entry *entries;
	uint32_t *slots;
	size_t n_entries; /* Holes included. */
	size_t n_keys;
	size_t n_slots; /* A power of two, or 0. */
};

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	random_bytes(seed, sizeof(seed));
}

static uint64_t rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), as Rust and Ruby use it. */
static uint64_t hash_key(const char *key)
{
	size_t len = strlen(key);
	uint64_t v[4] = {
		seed[0] ^ UINT64_C(0x736F6D6570736575),
		seed[1] ^ UINT64_C(0x646F72616E646F6D),
		seed[0] ^ UINT64_C(0x6C7967656E657261),
		seed[1] ^ UINT64_C(0x7465646279746573),
	};

	for (size_t left = len;; left -= 8, key += 8) {
		uint64_t word = left < 8 ? (uint64_t)len << 56 : 0;

		memcpy(&word, key, left < 8 ? left : 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
		if (left < 8)
			break;
	}

	v[2] ^= 0xFF;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void (*free_value)(void *value))
{
	struct map *m = xcalloc(1, sizeof(*m));

	pthread_once(&seed_once, make_seed);
	m->free_value = free_value;
	return m;
}

/* The slot that holds 'key', or NULL. */
static uint32_t *find_slot(const struct map *m, const char *key, uint64_t hash)
{
	if (!m || !m->n_slots)
		return NULL;

	for (size_t i = hash & (m->n_slots - 1);; i = (i + 1) & (m->n_slots - 1)) {
		if (m->slots[i] == SLOT_FREE)
			return NULL;
		if (m->slots[i] == SLOT_HOLE)
			continue;

		const struct map_entry *e = &m->entries[m->slots[i]];
		if (e->hash == hash && strcmp(e->key, key) == 0)
			return &m->slots[i];
	}
}

static void insert_slot(struct map *m, uint32_t index)
{
	size_t i = m->entries[index].hash & (m->n_slots - 1);

	while (m->slots[i] != SLOT_FREE)
		i = (i + 1) & (m->n_slots - 1);
	m->slots[i] = index;
}

/* Makes room for one more key, without holes. */
static void rebuild(struct map *m)
{
	size_t n_slots = 8, n = 0;

	while (n_slots < (m->n_keys + 1) * 3)
		n_slots *= 2;
	for (size_t i = 0; i < m->n_entries; i++)
		if (m->entries[i].key)
			m->entries[n++] = m->entries[i];

	m->n_entries = n;
	m->n_slots = n_slots;
	m->entries = xreallocarray(m->entries, n_slots / 2, sizeof(*m->entries));
	m->slots = xreallocarray(m->slots, n_slots, sizeof(*m->slots));
	memset(m->slots, 0xFF, n_slots * sizeof(*m->slots));
	for (size_t i = 0; i < n; i++)
		insert_slot(m, (uint32_t)i);
}

static void free_value(const struct map *m, void *value)
{
	if (m->free_value && value)
		m->free_value(value);
}

void *map_get(const struct map *m, const char *key)
{
	const uint32_t *slot = map_count(m) ? find_slot(m, key, hash_key(key)) : NULL;

	return slot ? m->entries[*slot].value : NULL;
}

bool map_has(const struct map *m, const char *key)
{
	return map_count(m) && find_slot(m, key, hash_key(key));
}

static void append(struct map *m, const char *key, uint64_t hash, void *value)
{
	/* Entries, holes included, take at most half of the slots: probing stays short and ends. */
	if (m->n_entries == m->n_slots / 2)
		rebuild(m);

	m->entries[m->n_entries] = (struct map_entry){ xstrdup(key), value, hash };
	insert_slot(m, (uint32_t)m->n_entries++);
	m->n_keys++;
}

void map_set(struct map *m, const char *key, void *value)
{
	uint64_t hash = hash_key(key);
	const uint32_t *slot = find_slot(m, key, hash);

	if (!slot) {
		append(m, key, hash, value);
		return;
	}

	void *old = m->entries[*slot].value;
	m->entries[*slot].value = value;
	if (old != value)
		free_value(m, old);
}

bool map_add(struct map *m, const char *key, void *value)
{
	uint64_t hash = hash_key(key);

	if (find_slot(m, key, hash))
		return false;

	append(m, key, hash, value);
	return true;
}

/* Removes 'key'; returns whether it was there. */
static bool extract(struct map *m, const char *key, void **ret_value)
{
	uint32_t *slot = map_count(m) ? find_slot(m, key, hash_key(key)) : NULL;
	if (!slot)
		return false;

	struct map_entry *e = &m->entries[*slot];
	*ret_value = e->value;
	free(e->key);
	*e = (struct map_entry){ 0 };
	*slot = SLOT_HOLE;
	m->n_keys--;
	return true;
}

void *map_take(struct map *m, const char *key)
{
	void *value = NULL;

	extract(m, key, &value);
	return value;
}

bool map_remove(struct map *m, const char *key)
{
	void *value = NULL;

	if (!extract(m, key, &value))
		return false;

	free_value(m, value);
	return true;
}

size_t map_count(const struct map *m)
{
	return m ? m->n_keys : 0;
}

struct map_entry *map_next(const struct map *m, const struct map_entry *entry)
{
	if (!m)
		return NULL;

	for (size_t i = entry ? (size_t)(entry - m->entries) + 1 : 0; i < m->n_entries; i++)
		if (m->entries[i].key)
			return &m->entries[i];

	return NULL;
}

void map_clear(struct map *m)
{
	if (!m)
		return;

	for (size_t i = 0; i < m->n_entries; i++) {
		if (!m->entries[i].key)
			continue;
		free(m->entries[i].key);
		free_value(m, m->entries[i].value);
	}
	free(m->entries);
	free(m->slots);
	*m = (struct map){ .free_value = m->free_value };
}

void map_free(struct map *m)
{
	map_clear(m);
	free(m);
}
