/*
 * Typed arrays that grow.
 *
 *	ARRAY_OF(struct thing) things = { 0 };
 *	ARRAY_ADD(&things, (struct thing){ .name = name });
 *	for (size_t i = 0; i < things.n_items; i++)
 *		use(&things.items[i]);
 *	ARRAY_DONE(&things);
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/macro.h"

#define ARRAY_OF(type)           \
	struct {                 \
		type *items;     \
		size_t n_items;  \
		size_t capacity; \
	}

/* Makes room for one more item; the macros below use it. */
void *array_grow(void *items, size_t n_items, size_t *capacity, size_t item_size) MUST_CHECK;

/* Appends a value and yields a pointer to it, valid until the next one is added. */
#define ARRAY_ADD(array, ...)                                                                     \
	__extension__({                                                                           \
		(array)->items = array_grow((array)->items, (array)->n_items, &(array)->capacity, \
		                            sizeof(*(array)->items));                             \
		(array)->items[(array)->n_items] = (__VA_ARGS__);                                 \
		&(array)->items[(array)->n_items++];                                              \
	})

/* Removes item 'i' and keeps the order. */
#define ARRAY_REMOVE(array, i)                                                       \
	do {                                                                         \
		size_t array_i = (i);                                                \
		memmove(&(array)->items[array_i], &(array)->items[array_i + 1],      \
		        ((array)->n_items - array_i - 1) * sizeof(*(array)->items)); \
		(array)->n_items--;                                                  \
	} while (0)

#define ARRAY_SORT(array, compare)                                                                 \
	do {                                                                                       \
		if ((array)->n_items > 1)                                                          \
			qsort((array)->items, (array)->n_items, sizeof(*(array)->items), compare); \
	} while (0)

/* Frees the memory of the array, not what its items own. */
#define ARRAY_DONE(array)              \
	do {                           \
		free((array)->items);  \
		(array)->items = NULL; \
		(array)->n_items = 0;  \
		(array)->capacity = 0; \
	} while (0)
