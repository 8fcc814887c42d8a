/* An answer as a record, between whoever gives it and the connection that sends it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/strbuf.h"
#include "lib/net/http_source.h"

struct http_reply_field {
	char *name, *value;
};

enum http_reply_kind { HTTP_REPLY_MEMORY, HTTP_REPLY_SOURCE, HTTP_REPLY_UPGRADE };

struct http_reply {
	enum http_reply_kind kind;
	int status;

	struct http_reply_field *fields;
	size_t n_fields;

	void *body; /* malloc()ed, or NULL. */
	size_t size;

	struct http_source *source;
	uint64_t source_size; /* UINT64_MAX: unknown. */

	http_upgraded_fn *upgraded;
	void *upgraded_arg;
};

/* What the request says of its answer. */
struct http_reply_wish {
	bool is_head;     /* HEAD: no body, but its length. */
	bool is_http10;   /* No chunks. */
	bool keeps_alive; /* What the answer says about the connection. */
};

/* Appends status line and headers of an answer that is in memory. */
void http_reply_print_head(const struct http_reply *reply, const struct http_reply_wish *wish,
                           struct strbuf *head);

/* Whether its body goes out after that head. */
bool http_reply_shows_body(const struct http_reply *reply, const struct http_reply_wish *wish);

/* Copies both, which must be fit for a header. */
void http_reply_add_field(struct http_reply *reply, const char *name, const char *value);
void http_reply_done(struct http_reply *reply);
