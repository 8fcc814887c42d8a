/* Small questions about strings. Every function takes NULL for an empty string. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"

bool str_is_empty(const char *s);
bool str_equals(const char *a, const char *b);
bool str_equals_nocase(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* What follows 'prefix' in 's' (borrowed from it), or NULL if 's' begins otherwise. */
const char *str_after(const char *s, const char *prefix);

/* "" for NULL. */
const char *str_or_empty(const char *s);

/* A copy without white space at both ends. */
char *str_trim(const char *s) MUST_CHECK;

/* Whether there is an ASCII control character in it: a line break, say. */
bool str_has_control(const char *s);

/* A copy in lower case (ASCII). */
char *str_lower(const char *s) MUST_CHECK;

/* A copy with every 'from' replaced by 'to'. */
char *str_replace(const char *s, const char *from, const char *to) MUST_CHECK;

/* A copy without line breaks at the end. */
char *str_chomp(const char *s) MUST_CHECK;

/* Order in which "c2" comes before "c10". */
int str_compare_natural(const char *a, const char *b);

/* For qsort() and bsearch() over arrays of strings. */
int str_compare_items(const void *a, const void *b);

/* Copies as much as fits and ends it; returns false if it was cut. */
bool str_copy(char *buf, size_t size, const char *s) NONNULL;

/* Bytes of the well-formed UTF-8 character at 's' (RFC 3629; no NUL), or 0 if there is none. */
size_t str_utf8_len(const char *s, size_t size);

/* Whether 'size' bytes are well-formed UTF-8 without a NUL. */
bool str_is_utf8(const char *s, size_t size);

/* Whether 's' is not empty and made of 'chars' only. */
bool str_is_made_of(const char *s, const char *chars);

/* Whether 's' is a host name of one label: 1 to 63 letters, digits and dashes, no dash at the ends.
 */
bool str_is_hostname(const char *s);

/* FNV-1a, for tables in memory; not for anything that an attacker chooses (map.h is seeded). */
uint64_t str_hash(const char *s);
