/* Randomness from the kernel; all of it fit for secrets. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"

void random_bytes(void *ret, size_t size) NONNULL;
uint64_t random_u64(void);

/* Even over 0 to n - 1; 'n' is not 0. */
uint64_t random_below(uint64_t n);

/* 2 * n_bytes lower-case hexadecimal digits, owned by the caller: secrets, ids. */
char *random_hex(size_t n_bytes) MUST_CHECK;

/* Two words with a dash between, as for an instance without a name; owned by the caller. */
char *random_name(void) MUST_CHECK;

/* A MAC address after 'prefix' (as "00:16:3e"), owned by the caller. */
char *random_mac(const char *prefix) MUST_CHECK;
