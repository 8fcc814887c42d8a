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

/* For who holds no reference but knows that the struct is still there: false if nobody has one. */
static inline bool refs_get_if_used(struct refs *r)
{
	unsigned count = atomic_load_explicit(&r->count, memory_order_relaxed);

	do {
		if (count == 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&r->count, &count, count + 1, memory_order_acq_rel, memory_order_relaxed));
	return true;
}

static inline bool refs_put(struct refs *r)
{
	unsigned before = atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel);

	assert(before > 0);
	return before == 1;
}
