#include "client/http.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/interrupt.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"

#define HEAD_MAX 65536

/* What has been read of the answer and where its body goes. */
struct reader {
	struct stream *stream;
	char *data;
	size_t start, end, capacity;
	const struct http_message *message;
	struct strbuf body;
	bool to_sink;
	uint64_t done, total;
};

static int wait_for(struct stream *stream, short events)
{
	struct pollfd p = { .fd = stream_fd(stream), .events = events };

	if ((events & POLLIN) && stream_has_pending(stream))
		return 0;
	int r = interrupt_poll(&p, 1, -1);
	return r < 0 ? r : 0;
}

static int write_all(struct stream *stream, const char *data, size_t size)
{
	while (size) {
		ssize_t n = stream_write(stream, data, size);

		if (n == -EAGAIN) {
			int r = wait_for(stream, stream_write_events(stream));

			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return (int)n;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_file(struct stream *stream, const struct http_message *m)
{
	scoped_free char *buf = xmalloc(1 << 18);
	uint64_t done = 0;

	while (done < m->body_fd_size) {
		size_t want = m->body_fd_size - done < (1 << 18) ? (size_t)(m->body_fd_size - done)
		                                                 : 1 << 18;
		ssize_t n = fd_read_full(m->body_fd, buf, want);

		if (n == 0)
			return -ENODATA;
		if (n < 0)
			return (int)n;
		int r = write_all(stream, buf, (size_t)n);
		if (r < 0)
			return r;
		done += (uint64_t)n;
		if (m->progress)
			m->progress(m->progress_arg, done, m->body_fd_size);
	}
	return 0;
}

static int send_request(struct stream *stream, const struct http_message *m)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	uint64_t size = m->body_fd_size ? m->body_fd_size : m->body_size;

	strbuf_addf(&b, "%s %s HTTP/1.1\r\nHost: muster\r\nUser-Agent: muster\r\n", m->method,
	            m->path);
	for (size_t i = 0; m->headers && m->headers[i]; i++)
		strbuf_addf(&b, "%s\r\n", m->headers[i]);
	if (size || strcmp(m->method, "GET") != 0)
		strbuf_addf(&b, "Content-Length: %llu\r\n", (unsigned long long)size);
	strbuf_add(&b, "\r\n");
	if (m->body)
		strbuf_add_n(&b, m->body, m->body_size);
	int r = write_all(stream, strbuf_text(&b), b.size);
	if (r == 0 && m->body_fd_size)
		r = write_file(stream, m);
	return r;
}

/* Reads more behind what is there; -ENODATA at the end of the stream. */
static int fill(struct reader *rd)
{
	if (rd->start == rd->end)
		rd->start = rd->end = 0;
	if (rd->end == rd->capacity) {
		memmove(rd->data, rd->data + rd->start, rd->end - rd->start);
		rd->end -= rd->start;
		rd->start = 0;
	}
	if (rd->end == rd->capacity)
		return -EMSGSIZE;
	for (;;) {
		ssize_t n = stream_read(rd->stream, rd->data + rd->end, rd->capacity - rd->end);

		if (n > 0) {
			rd->end += (size_t)n;
			return 0;
		}
		if (n == 0)
			return -ENODATA;
		if (n != -EAGAIN)
			return (int)n;
		int r = wait_for(rd->stream, stream_read_events(rd->stream));
		if (r < 0)
			return r;
	}
}

/* One line without its end, borrowed until the next read. */
static int read_line(struct reader *rd, char **ret_line)
{
	for (;;) {
		size_t have = rd->end - rd->start;
		char *nl = memchr(rd->data + rd->start, '\n', have);

		if (nl) {
			*ret_line = rd->data + rd->start;
			rd->start += (size_t)(nl - *ret_line) + 1;
			*nl = '\0';
			if (nl > *ret_line && nl[-1] == '\r')
				nl[-1] = '\0';
			return 0;
		}
		int r = fill(rd);
		if (r < 0)
			return r;
	}
}

static int deliver(struct reader *rd, const char *data, size_t size)
{
	rd->done += size;
	if (rd->to_sink) {
		int r = fd_write_full(rd->message->sink_fd, data, size);

		if (r < 0)
			return r;
		if (rd->message->progress)
			rd->message->progress(rd->message->progress_arg, rd->done, rd->total);
		return 0;
	}
	if (rd->body.size + size > HTTP_BODY_MAX)
		return -EFBIG;
	strbuf_add_n(&rd->body, data, size);
	return 0;
}

static int read_sized(struct reader *rd, uint64_t size)
{
	while (size) {
		size_t have = rd->end - rd->start;
		int r;

		if (!have) {
			r = fill(rd);
			if (r < 0)
				return r;
			continue;
		}
		size_t take = have < size ? have : (size_t)size;
		r = deliver(rd, rd->data + rd->start, take);
		if (r < 0)
			return r;
		rd->start += take;
		size -= take;
	}
	return 0;
}

static int read_chunks(struct reader *rd)
{
	char *line, *end;

	for (;;) {
		int r = read_line(rd, &line);

		if (r < 0)
			return r;
		errno = 0;
		unsigned long long size = strtoull(line, &end, 16);
		if (errno || end == line || (*end && *end != ';' && *end != ' '))
			return -EBADMSG;
		if (size == 0)
			break;
		r = read_sized(rd, size);
		if (r == 0)
			r = read_line(rd, &line);
		if (r < 0)
			return r;
	}
	for (;;) { /* Trailers. */
		int r = read_line(rd, &line);

		if (r < 0 || !*line)
			return r;
	}
}

static int read_to_end(struct reader *rd)
{
	for (;;) {
		int r = deliver(rd, rd->data + rd->start, rd->end - rd->start);

		if (r < 0)
			return r;
		rd->start = rd->end;
		r = fill(rd);
		if (r < 0)
			return r == -ENODATA ? 0 : r;
	}
}

static int read_head(struct reader *rd, struct http_answer *answer)
{
	char *line;

	do { /* 1xx answers come in front of the real one. */
		int r = read_line(rd, &line);

		if (r < 0)
			return r;
		if (!str_starts(line, "HTTP/1.") || strlen(line) < 12)
			return -EBADMSG;
		answer->status = (int)strtol(line + 9, NULL, 10);
		strv_free(answer->headers);
		answer->headers = NULL;
		for (;;) {
			r = read_line(rd, &line);
			if (r < 0)
				return r;
			if (!*line)
				break;
			strv_add(&answer->headers, line);
		}
	} while (answer->status >= 100 && answer->status < 200 && answer->status != 101);
	return 0;
}

static int read_body(struct reader *rd, struct http_answer *answer)
{
	const char *length = http_header(answer, "Content-Length");
	const char *coding = http_header(answer, "Transfer-Encoding");
	const char *type = http_header(answer, "Content-Type");
	const char *connection = http_header(answer, "Connection");
	bool json = type && str_starts(type, "application/json");

	answer->closing = connection && strcasecmp(connection, "close") == 0;
	rd->to_sink = rd->message->has_sink && answer->status / 100 == 2 && !json;
	if (answer->status == 204 || answer->status == 304 || answer->status == 101 ||
	    strcmp(rd->message->method, "HEAD") == 0)
		return 0;
	if (coding && strcasecmp(coding, "chunked") == 0)
		return read_chunks(rd);
	if (length) {
		rd->total = strtoull(length, NULL, 10);
		return read_sized(rd, rd->total);
	}
	answer->closing = true;
	return read_to_end(rd);
}

int http_send(struct stream *stream, const struct http_message *message,
              struct http_answer *ret_answer, struct error **err)
{
	struct http_answer answer = { 0 };
	struct reader rd = { .stream = stream, .message = message, .capacity = HEAD_MAX };
	int sent = send_request(stream, message);
	int r = sent;

	rd.data = xmalloc(rd.capacity);
	if (r == 0 || r == -EPIPE || r == -ECONNRESET) { /* It may have answered early. */
		r = read_head(&rd, &answer);
		if (r == 0)
			r = read_body(&rd, &answer);
		if (r < 0 && sent < 0)
			r = sent;
	}
	if (r == 0 && rd.end > rd.start)
		stream_unread(stream, rd.data + rd.start, rd.end - rd.start);
	free(rd.data);
	answer.size = rd.body.size;
	answer.body = strbuf_take(&rd.body);
	if (sent < 0)
		answer.closing = true;
	if (r < 0) {
		http_answer_done(&answer);
		return error_set_errno(err, r == -ENODATA ? -ECONNRESET : r,
		                       "Failed talking to the server");
	}
	*ret_answer = answer;
	return 0;
}

const char *http_header(const struct http_answer *answer, const char *name)
{
	size_t len = strlen(name);

	STRV_FOREACH (h, answer->headers) {
		if (strncasecmp(h, name, len) == 0 && h[len] == ':')
			return h + len + 1 + strspn(h + len + 1, " \t");
	}
	return NULL;
}

void http_answer_done(struct http_answer *answer)
{
	strv_free(answer->headers);
	free(answer->body);
	*answer = (struct http_answer){ 0 };
}
