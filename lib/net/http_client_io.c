/*
 * One request and its answer on a connection.
 *
 * The head of an answer is read as strictly as a request's: what could be read in two ways ends the
 * connection. A body ends by its length, its chunks or with the connection.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/net/http_body.h"
#include "lib/net/http_client_impl.h"
#include "lib/net/http_head.h"
#include "lib/net/socket.h"

enum {
	HEAD_MAX = 64 * 1024,
	HEADERS_MAX = 256,
	READ_SIZE = 16 * 1024,
	BLOCK_SIZE = 64 * 1024,
	RESPONSE_MAX = 64 * 1024 * 1024,
};

int http_client_io_wait(struct stream *s, short events, struct http_wait wait)
{
	if ((events & POLLIN) && stream_has_pending(s))
		return POLLIN;
	return socket_wait_cancel(stream_fd(s), events, wait.deadline, wait.cancel);
}

/* Reads what there is; waits for the first byte. 0 is the end. */
static ssize_t read_some(struct stream *s, void *data, size_t size, struct http_wait wait)
{
	for (;;) {
		ssize_t n = stream_read(s, data, size);
		if (n != -EAGAIN)
			return n;

		int r = http_client_io_wait(s, stream_read_events(s), wait);
		if (r < 0)
			return r;
	}
}

/* Whether the server says something, or has gone, while we still send. */
static bool has_answer(struct stream *s)
{
	char byte;
	ssize_t n = stream_read(s, &byte, 1);

	if (n > 0)
		stream_unread(s, &byte, 1);
	return n != -EAGAIN;
}

/* 1 if 'hears' and the server answers meanwhile. */
static int write_all(struct stream *s, const char *at, size_t size, bool hears,
                     struct http_wait wait)
{
	while (size > 0) {
		ssize_t n = stream_write(s, at, size);
		if (n == -EAGAIN) {
			short events = stream_write_events(s);
			int r = http_client_io_wait(s, hears ? (short)(events | POLLIN) : events,
			                            wait);
			if (r < 0)
				return r;
			if (hears && (r & POLLIN) && has_answer(s))
				return 1;
			continue;
		}
		if (n < 0)
			return (int)n;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int http_client_io_write(struct stream *s, const void *data, size_t size, struct http_wait wait)
{
	return write_all(s, data, size, false, wait);
}

/* --- The head of an answer --- */

/* "HTTP/1.1 200 ...": a digit, a blank and three digits follow the version. */
static int parse_status(const char *line, struct http_response *res)
{
	static const char version[] = "HTTP/1.";
	size_t n = sizeof(version) - 1;

	if (strncmp(line, version, n) != 0 || !isdigit((unsigned char)line[n]) ||
	    line[n + 1] != ' ' || strspn(line + n + 2, "0123456789") != 3 ||
	    (line[n + 5] && line[n + 5] != ' '))
		return -EPROTO;

	res->status = (int)strtol(line + n + 2, NULL, 10);
	return res->status < 100 ? -EPROTO : 0;
}

/* Cuts a header's outer blanks off its end and says whether the rest has one reading. */
static bool tidy_field(char *line)
{
	char *colon = strchr(line, ':'), *end = line + strlen(line);

	if (!colon)
		return false;
	while (end > colon + 1 && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';

	*colon = '\0';
	bool is_field = http_head_is_field(line, colon + 1);
	*colon = ':';
	return is_field;
}

static unsigned count_headers(const struct http_response *res, const char *name)
{
	size_t size = strlen(name);
	unsigned n = 0;

	for (char **h = res->headers; h && *h; h++)
		n += strncasecmp(*h, name, size) == 0 && (*h)[size] == ':';
	return n;
}

/* 'head' ends with the blank line; its lines are cut apart. */
static int parse_head(char *head, size_t size, struct http_response *res)
{
	size_t n = 0;

	if (memchr(head, '\0', size))
		return -EPROTO;

	for (char *line = head, *end; (end = strstr(line, "\r\n")) != line; line = end + 2, n++) {
		*end = '\0';
		if (n > HEADERS_MAX)
			return -EPROTO;
		if (n == 0 && parse_status(line, res) < 0)
			return -EPROTO;
		if (n > 0 && !tidy_field(line))
			return -EPROTO;
		if (n > 0)
			strv_add(&res->headers, line);
	}

	/* Two lengths, or one beside the chunks, are two bodies. */
	unsigned n_framings =
		count_headers(res, "Content-Length") + count_headers(res, "Transfer-Encoding");
	return n == 0 || n_framings > 1 ? -EPROTO : 0;
}

/* Reads up to the blank line; what follows it is put back. */
static int read_one_head(struct stream *s, struct http_wait wait, struct strbuf *head)
{
	size_t scanned = 0;

	for (;;) {
		ssize_t size =
			head->size > 0 ? http_head_find_end(head->text, head->size, &scanned) : 0;
		if (size < 0 || size > HEAD_MAX || (size == 0 && head->size > HEAD_MAX))
			return -EPROTO;
		if (size > 0) {
			stream_unread(s, head->text + size, head->size - (size_t)size);
			strbuf_truncate(head, (size_t)size);
			return 0;
		}

		char *room = strbuf_reserve(head, READ_SIZE);
		ssize_t n = read_some(s, room, READ_SIZE, wait);
		if (n <= 0)
			return n == 0 ? -ECONNRESET : (int)n;
		strbuf_advance(head, (size_t)n);
	}
}

int http_client_io_read_head(struct stream *s, struct http_wait wait, struct http_response *res,
                             bool *ret_is_empty)
{
	int r;

	*ret_is_empty = true;
	do {
		scoped(strbuf_done) struct strbuf head = { 0 };

		strv_free(res->headers);
		res->headers = NULL;
		r = read_one_head(s, wait, &head);
		*ret_is_empty = *ret_is_empty && head.size == 0;
		if (r == 0)
			r = parse_head(head.text, head.size, res);
	} while (r == 0 && res->status < 200 && res->status != 101);
	return r;
}

/* --- The body of a request --- */

/* 1 if the server answers meanwhile. */
static int write_or_hear(struct stream *s, const char *at, size_t size, struct http_wait wait)
{
	return write_all(s, at, size, true, wait);
}

/* A block of the body, framed if it goes in chunks; an empty one is the last. */
static int write_block(struct stream *s, const char *data, size_t size, bool is_chunked,
                       struct http_wait wait)
{
	char line[24];

	if (!is_chunked)
		return write_or_hear(s, data, size, wait);

	int n = snprintf(line, sizeof(line), "%zx\r\n", size);
	int r = write_or_hear(s, line, (size_t)n, wait);
	if (r == 0)
		r = write_or_hear(s, data, size, wait);
	return r == 0 ? write_or_hear(s, "\r\n", 2, wait) : r;
}

static int write_file(struct stream *s, const struct http_request *req, bool is_chunked,
                      struct http_wait wait)
{
	scoped_free char *block = xmalloc(BLOCK_SIZE);
	uint64_t left = req->body_size, sent = 0;

	for (;;) {
		size_t size = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
		ssize_t n;

		do
			n = size ? read(req->body_fd, block, size) : 0;
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		if (n == 0 && !is_chunked)
			return left > 0 ? -ENODATA : 0;

		int r = write_block(s, block, (size_t)n, is_chunked, wait);
		if (r != 0 || n == 0)
			return r;
		left -= (uint64_t)n;
		sent += (uint64_t)n;
		if (req->progress)
			req->progress(sent, 0, is_chunked ? 0 : req->body_size, req->progress_arg);
	}
}

int http_client_io_write_body(struct stream *s, const struct http_request *req, bool is_chunked,
                              struct http_wait wait)
{
	if (req->has_body_fd)
		return write_file(s, req, is_chunked, wait);

	return write_or_hear(s, req->body, req->body ? (size_t)req->body_size : 0, wait);
}

/* --- The body of an answer --- */

struct sink {
	const struct http_request *req;
	struct http_response *res;
	struct strbuf body;
	bool to_fd;
	uint64_t received, total;
	int copy_failure;
};

static int deliver(struct sink *sink, const char *data, size_t size)
{
	const struct http_request *req = sink->req;
	size_t max = req->response_max ? req->response_max : RESPONSE_MAX;

	if (sink->to_fd) {
		sink->copy_failure = fd_write_full(req->response_fd, data, size);
		if (sink->copy_failure < 0)
			return sink->copy_failure;
		sink->res->fd_size += size;
	} else {
		if (size > max - sink->body.size)
			return -EFBIG;
		strbuf_add_n(&sink->body, data, size);
	}

	sink->received += size;
	if (req->progress)
		req->progress(0, sink->received, sink->total, req->progress_arg);
	return 0;
}

/* Takes what belongs to the body from 'data'; what follows it is put back. */
static int take(struct stream *s, struct sink *sink, struct http_body *body, const char *data,
                size_t size)
{
	while (size > 0 && !body->is_complete) {
		const char *payload;
		size_t payload_size;
		ssize_t n = http_body_take(body, data, size, &payload, &payload_size);
		if (n < 0)
			return -EPROTO;

		int r = payload_size > 0 ? deliver(sink, payload, payload_size) : 0;
		if (r < 0)
			return r;
		data += n;
		size -= (size_t)n;
	}
	stream_unread(s, data, size);
	return 0;
}

static int read_framed(struct stream *s, struct sink *sink, struct http_body *body,
                       struct http_wait wait)
{
	scoped_free char *block = body->is_complete ? NULL : xmalloc(BLOCK_SIZE);
	int r = 0;

	while (r == 0 && !body->is_complete) {
		ssize_t n = read_some(s, block, BLOCK_SIZE, wait);
		if (n <= 0)
			return n == 0 ? -ECONNRESET : (int)n;
		r = take(s, sink, body, block, (size_t)n);
	}
	return r;
}

static int read_to_end(struct stream *s, struct sink *sink, struct http_wait wait)
{
	scoped_free char *block = xmalloc(BLOCK_SIZE);

	for (;;) {
		ssize_t n = read_some(s, block, BLOCK_SIZE, wait);
		if (n <= 0)
			return (int)n;

		int r = deliver(sink, block, (size_t)n);
		if (r < 0)
			return r;
	}
}

static bool has_body(const struct http_request *req, const struct http_response *res)
{
	return !str_equals(req->method, "HEAD") && res->status != 204 && res->status != 304 &&
	       res->status != 101;
}

static int read_body(struct stream *s, struct sink *sink, struct http_wait wait, bool *ret_is_open)
{
	const char *coding = http_response_header(sink->res, "Transfer-Encoding");
	const char *length = http_response_header(sink->res, "Content-Length");
	struct http_body body;

	if (coding && !str_equals_nocase(coding, "chunked"))
		return -EPROTO;
	if (!coding && !length) {
		*ret_is_open = false;
		return read_to_end(s, sink, wait);
	}
	if (!coding && parse_uint64(length, &sink->total) < 0)
		return -EPROTO;

	http_body_init(&body, coding != NULL, sink->total);
	return read_framed(s, sink, &body, wait);
}

int http_client_io_read_body(struct stream *s, const struct http_request *req,
                             struct http_wait wait, struct http_response *res, bool *ret_is_open,
                             int *ret_copy_failure)
{
	struct sink sink = {
		.req = req,
		.res = res,
		.to_fd = req->has_response_fd && res->status >= 200 && res->status < 300,
	};

	*ret_is_open = !http_head_has_token(http_response_header(res, "Connection"), "close");
	int r = has_body(req, res) ? read_body(s, &sink, wait, ret_is_open) : 0;
	res->size = sink.body.size;
	res->body = strbuf_take(&sink.body);
	*ret_copy_failure = sink.copy_failure;
	return r;
}
