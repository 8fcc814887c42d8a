/*
 * A reference count in a struct.
 *
 *	struct thing { struct refs refs; ... };
 *	refs_init(&t->refs);                       one reference: the maker's
 *	if (refs_put(&t->refs)) thing_destroy(t);  true for the last one
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

struct refs {
	atomic_uint count;
};

static inline void refs_init(struct refs *r)
{
	atomic_init(&r->count, 1);
}

static inline void refs_get(struct refs *r)
{
	unsigned before = atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
}

static inline bool refs_put(struct refs *r)
{
	unsigned before = atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel);

	assert(before > 0);
	return before == 1;
}
