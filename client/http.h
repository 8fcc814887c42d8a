/*
 * HTTP/1.1 over one stream, one request at a time.
 *
 * Knows what an LXD server sends: bodies with a length, in chunks or up to the end. Waits in
 * interrupt_poll(), so that ^C is noticed in the middle of a long transfer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/scoped.h"
#include "lib/net/stream.h"

/* Bytes that a body in memory may have. */
#define HTTP_BODY_MAX (256U << 20)

struct http_message {
	const char *method;
	const char *path;           /* Escaped, with its query. */
	const char *const *headers; /* "Name: value", ends with NULL; or NULL. */
	const void *body;           /* Or NULL. */
	size_t body_size;
	int body_fd; /* Sent from its position if body_fd_size is not 0. */
	uint64_t body_fd_size;
	int sink_fd; /* The body of a 2xx that is not JSON goes here if 'has_sink'. */
	bool has_sink;
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* Of either body; or NULL. */
	void *progress_arg;
};

struct http_answer {
	int status;
	char **headers; /* "Name: value", ends with NULL. */
	char *body;     /* With a NUL behind it; "" if it went to the sink. */
	size_t size;
	bool closing; /* The server will not answer another request on this stream. */
};

/* Fails only if there is no whole answer; -EINTR after ^C, with the stream in no state to go on. */
int http_send(struct stream *stream, const struct http_message *message,
              struct http_answer *ret_answer, struct error **err);

/* The value of a header, borrowed from the answer, or NULL. */
const char *http_header(const struct http_answer *answer, const char *name);

void http_answer_done(struct http_answer *answer);
