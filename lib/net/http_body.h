/*
 * Where a request's body ends: counts a length down or takes chunks apart.
 *
 * Strict as the head's parser: chunk extensions, trailers, sizes with signs or blanks, and line
 * ends other than CRLF are refused. Pure; works on whatever piece has arrived.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_body {
	int state;
	bool is_chunked;
	bool is_complete;
	uint64_t left; /* Of the body, or of the chunk. */
	unsigned n_digits;
};

void http_body_init(struct http_body *b, bool is_chunked, uint64_t length);

/*
 * Takes bytes from the front of 'data' and returns how many; '*ret_payload' of '*ret_size' bytes
 * among them is body. Call again with the rest until nothing is left or is_complete. -EINVAL:
 * malformed chunks.
 */
ssize_t http_body_take(struct http_body *b, const char *data, size_t size, const char **ret_payload,
                       size_t *ret_size);
