/*
 * The one strict reading of a request's head.
 *
 * What HTTP lets be read in two ways is refused here, before any other code sees it: lengths that
 * disagree or come together with chunks, folded lines, bare line feeds, control bytes, blanks
 * before a colon, a Host that is missing or there twice. Pure: bytes in, a record or a status out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/net/url.h"

struct http_field {
	const char *name;
	const char *value; /* Without outer blanks. */
};

struct http_head {
	const char *method;
	const char *path;  /* Raw; escapes are sound. */
	const char *query; /* Raw, without "?", or NULL. */
	struct url_query pairs;
	bool is_http10;
	bool is_head_method;

	struct http_field *fields;
	size_t n_fields;

	bool is_chunked;
	uint64_t length; /* Of the body; 0 if chunked or none. */
	bool keeps_alive;
	bool expects_continue;
	const char *upgrade; /* The Upgrade header if Connection has it too, else NULL. */

	char *text; /* Private: what all of these point into. */
};

/*
 * The size of the head that 'data' begins with, blank line included; 0 if it is not complete;
 * -EINVAL if it can never become one. '*scanned' is where to go on: 0 at first.
 */
ssize_t http_head_find_end(const char *data, size_t size, size_t *scanned);

/*
 * Parses a whole head. Returns 0, or the HTTP status to refuse it with and '*ret_reason', a static
 * sentence.
 */
int http_head_parse(const char *data, size_t size, bool needs_host, struct http_head **ret_head,
                    const char **ret_reason);
void http_head_free(struct http_head *head);
DEFINE_SCOPED(struct http_head *, http_head_free);

/* The first value of a header, borrowed, or NULL. */
const char *http_head_field(const struct http_head *head, const char *name);

/* Whether a list header ("a, b") has 'token', in any case. NULL has none. */
bool http_head_has_token(const char *value, const char *token);

/* Whether 'name' is a token and 'value' free of control bytes: fit to be sent as a header. */
bool http_head_is_field(const char *name, const char *value);
