#include "lib/base/array.h"

#include "lib/base/alloc.h"

void *array_grow(void *items, size_t n_items, size_t *capacity, size_t item_size)
{
	if (n_items < *capacity)
		return items;

	*capacity = *capacity < 8 ? 8 : *capacity * 2;
	return xreallocarray(items, *capacity, item_size);
}
