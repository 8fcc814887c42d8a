/*
 * Which CPUs each container gets.
 *
 * "limits.cpu" is a set that pins ("0-1,3") or a count. Pinned ones get what they ask for; counts
 * are spread so that CPUs carry about the same number of containers. Pure: whoever starts, stops
 * or changes a container balances all of them anew and writes what differs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

#define CT_CPU_MAX 1024

struct ct_cpu_set {
	uint64_t bits[CT_CPU_MAX / 64];
};

bool ct_cpu_set_has(const struct ct_cpu_set *set, unsigned cpu);
void ct_cpu_set_add(struct ct_cpu_set *set, unsigned cpu);
unsigned ct_cpu_set_count(const struct ct_cpu_set *set);

/* "0-3,5". -EINVAL, -ERANGE. An empty text is an empty set. */
int ct_cpu_set_parse(const char *text, struct ct_cpu_set *ret_set);

/* Owned by the caller. */
char *ct_cpu_set_format(const struct ct_cpu_set *set);

/* What one container asks for. */
struct ct_cpu_wish {
	unsigned count;        /* How many; 0: not a count. */
	struct ct_cpu_set pin; /* If count is 0: these; empty: all. */
};

/* Parses "limits.cpu"; NULL and "" are no limit. Fails with a 400. */
int ct_cpu_wish_parse(const char *value, struct ct_cpu_wish *ret_wish, struct error **err);

/*
 * A set per wish, from the CPUs that are 'usable'. A count above their number gets all; pinned CPUs
 * that are not there are left out, and a set that would be empty becomes all. Stable: keeps 'sets'
 * where that is as good.
 */
void ct_cpu_balance(const struct ct_cpu_set *usable, const struct ct_cpu_wish *wishes, size_t n,
                    struct ct_cpu_set *sets);
