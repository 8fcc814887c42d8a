/*
 * Numbers and quantities as LXD writes them.
 *
 * Strict: the whole text must be the value, without white space. -EINVAL for what is no value,
 * -ERANGE for one that does not fit. Results are written on success only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macro.h"

/* Decimal, with an optional '-' (signed ones only). */
int parse_int64(const char *s, int64_t *ret) NONNULL;
int parse_uint64(const char *s, uint64_t *ret) NONNULL;
int parse_int(const char *s, int *ret) NONNULL;
int parse_uint32(const char *s, uint32_t *ret) NONNULL;

/* Octal as in file modes: "0755" or "755", up to 07777. */
int parse_mode(const char *s, unsigned *ret) NONNULL;

/* "true", "1", "yes", "on" and "false", "0", "no", "off", in any case. */
int parse_bool(const char *s, bool *ret) NONNULL;

/* Whether 's' (or NULL) is one of the words for true. */
bool parse_is_true(const char *s);
bool parse_is_false(const char *s);

/* Bytes: "10GiB", "10GB", "512kB", "4096", "4096B". Decimal kB to EB, binary KiB to EiB. */
int parse_size(const char *s, int64_t *ret) NONNULL;

/* Bits: "100Mbit", "1Gbit", "10kbit", "1000bit", "1000"; binary Kibit to Eibit. */
int parse_bits(const char *s, int64_t *ret) NONNULL;

/* "50%"; 0 to 100. */
int parse_percent(const char *s, unsigned *ret) NONNULL;

/* Go's durations: "10s", "1m30s", "1.5h", "300ms"; the result is in milliseconds. */
int parse_duration(const char *s, int64_t *ret_ms) NONNULL;

/*
 * Expiry: "30S", "5M", "3H", "1d", "2w", "1m", "1y" and several of them with spaces between, each
 * unit once. Yields 'from' plus that, both in nanoseconds as date_now().
 */
int parse_expiry(const char *s, int64_t from, int64_t *ret_at) NONNULL;

/* "0-3,5" as a set of bits: ret[i] is set for each i; numbers must be below 'size'. */
int parse_cpu_set(const char *s, bool *ret, unsigned size) NONNULL;
