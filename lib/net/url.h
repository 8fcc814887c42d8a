/*
 * URLs and their parts, read strictly and built with escaping.
 *
 * Decoding refuses what two readers could read differently: a "%" without two hex digits, and
 * "%00". Paths are split at "/" before they are decoded, so an encoded slash stays inside its
 * segment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

/*
 * Decodes 'size' bytes of percent-encoded text. 'plus_is_space' is for query strings. Returns 0 and
 * a string the caller frees, or -EINVAL (malformed escape, NUL, control byte below 0x20 or 0x7f
 * kept raw). Bytes above 0x7f pass; whether they are UTF-8 is checked by who reads the value.
 */
int url_decode(const char *text, size_t size, bool plus_is_space, char **ret_text);

/* Escapes all but unreserved characters (RFC 3986, 2.3), "/" too: for one path segment or value. */
char *url_escape(const char *text) MUST_CHECK;

/* A path of escaped segments: url_path("1.0", "instances", name, NULL) gives
 * "/1.0/instances/c%2F1". */
char *url_path(const char *first, ...) __attribute__((__sentinel__)) MUST_CHECK;

/* A query string as pairs in the order they came; keys may repeat. */
struct url_query {
	struct url_pair {
		char *key, *value;
	} * pairs;
	size_t n_pairs;
};

/* Parses what follows "?"; NULL and "" give no pairs. -EINVAL: malformed; -E2BIG: over 256 pairs.
 */
int url_query_parse(const char *text, struct url_query *ret_query);
void url_query_done(struct url_query *query);

/* The first value of 'key', or NULL. Borrowed from the query. */
const char *url_query_value(const struct url_query *query, const char *key);

/* Appends a pair to be written; a NULL value adds nothing. */
void url_query_add(struct url_query *query, const char *key, const char *value);

/* "key=value&key2=value2", escaped; "" without pairs. Owned by the caller. */
char *url_query_build(const struct url_query *query) MUST_CHECK;

/* An absolute URL in parts: "https://[fd42::1]:8443/1.0?project=p". Owned; url_done() frees them.
 */
struct url {
	char *scheme;  /* Lower case. */
	char *host;    /* Without brackets; "" if none. */
	unsigned port; /* 0 if the URL names none. */
	char *path;    /* Raw (escaped), begins with "/" or is "". */
	char *query;   /* Raw, without "?", or NULL. */
};

/* User information and control characters are refused with -EINVAL; a fragment is cut off. */
int url_parse(const char *text, struct url *ret_url);
void url_done(struct url *url);
