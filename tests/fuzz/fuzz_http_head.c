/* A connection's first bytes: the head has one reading whatever the pieces, and so has the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"
#include "lib/net/http_body.h"
#include "lib/net/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* Takes a body apart in pieces of 'step' bytes. Returns how far it went, or a negative errno. */
static ssize_t take_all(struct http_body *b, const char *data, size_t size, size_t step,
                        struct strbuf *out)
{
	size_t at = 0;

	while (at < size && !b->is_complete) {
		const char *payload;
		size_t payload_size, left = size - at < step ? size - at : step;
		ssize_t n = http_body_take(b, data + at, left, &payload, &payload_size);
		if (n < 0)
			return n;
		check(n > 0);
		check(payload >= data + at && payload + payload_size <= data + at + n);
		strbuf_add_n(out, payload, payload_size);
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static void check_body(const struct http_head *head, const char *data, size_t size)
{
	struct http_body whole, pieces;
	scoped(strbuf_done) struct strbuf a = { 0 }, b = { 0 };

	http_body_init(&whole, head->is_chunked, head->length);
	http_body_init(&pieces, head->is_chunked, head->length);
	ssize_t n = take_all(&whole, data, size, size + 1, &a);
	ssize_t m = take_all(&pieces, data, size, 1, &b);
	check(n == m);
	check(whole.is_complete == pieces.is_complete);
	if (n >= 0)
		check(a.size == b.size && (a.size == 0 || memcmp(a.text, b.text, a.size) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *data = (const char *)bytes, *reason = NULL;
	scoped(http_head_freep) struct http_head *head = NULL;
	size_t scanned = 0, slowly = 0;

	ssize_t n = http_head_find_end(data, size, &scanned);
	ssize_t m = 0;
	for (size_t i = 1; i <= size && m == 0; i++)
		m = http_head_find_end(data, i, &slowly);
	check(n == m);
	if (n <= 0)
		return 0;

	int status = http_head_parse(data, (size_t)n, true, &head, &reason);
	if (status) {
		check(status >= 400 && reason);
		return 0;
	}
	for (size_t i = 0; i < head->n_fields; i++)
		check(http_head_is_field(head->fields[i].name, head->fields[i].value));
	check(head->path[0] == '/');
	check_body(head, data + n, size - (size_t)n);
	return 0;
}
