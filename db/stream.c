#include "db/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"

enum {
	MIN_CAPACITY = 4096,
	MAX_IDLE_CAPACITY = 1 << 18, /* A buffer that grew beyond is freed. */
	MAX_WAIT_MS = 1 << 14,
	MS = 1000,
};

void db_stream_done(struct db_stream *stream)
{
	free(stream->data);
	*stream = (struct db_stream){ .fd = -EBADF };
}

int db_stream_send(struct db_stream *stream, const void *data, size_t size, int64_t deadline)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = send(stream->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			at += n;
			size -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;

		int r = fd_wait(stream->fd, POLLOUT, deadline);
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
	}

	return 0;
}

/* The longest power of two of milliseconds within 'left'. */
static int wait_within(int left)
{
	int ms = MAX_WAIT_MS;

	while (left >= 0 && ms > MAX_OF(left, 1))
		ms /= 2;
	return ms;
}

/*
 * Makes a wait end by the deadline at the latest. That it may end before costs nothing but another
 * one, so the timeout stays as it is unless it is far too short.
 */
static int limit_wait(struct db_stream *stream, int64_t deadline)
{
	int ms = wait_within(date_left(deadline));

	if (stream->timeout_ms > 0 && stream->timeout_ms <= ms && stream->timeout_ms >= ms / 16)
		return 0;

	struct timeval time = { .tv_sec = ms / MS, .tv_usec = ms % MS * MS };
	if (setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) < 0)
		return -errno;
	stream->timeout_ms = ms;
	return 0;
}

/* Makes room for a message of 'size' bytes that begins where the data begins. */
static void reserve(struct db_stream *stream, size_t size)
{
	size_t n = stream->end - stream->begin;

	if (stream->begin + size <= stream->capacity)
		return;
	if (size <= stream->capacity) {
		memmove(stream->data, stream->data + stream->begin, n);
	} else {
		size_t capacity = MAX_OF(size, (size_t)MIN_CAPACITY);
		uint8_t *data = xmalloc(capacity);

		if (n > 0)
			memcpy(data, stream->data + stream->begin, n);
		free(stream->data);
		stream->data = data;
		stream->capacity = capacity;
	}
	stream->begin = 0;
	stream->end = n;
}

/* Receives until there are 'size' bytes. */
static int fill(struct db_stream *stream, size_t size, int64_t deadline)
{
	reserve(stream, size);
	while (stream->end - stream->begin < size) {
		int r = limit_wait(stream, deadline);
		if (r < 0)
			return r;

		ssize_t n = recv(stream->fd, stream->data + stream->end,
		                 stream->capacity - stream->end, 0);
		if (n > 0)
			stream->end += (size_t)n;
		else if (n == 0)
			return -ECONNRESET;
		else if (errno == EAGAIN && date_left(deadline) == 0)
			return -ETIMEDOUT;
		else if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}

	return 0;
}

int db_stream_receive(struct db_stream *stream, int64_t deadline, struct wire_header *ret_header,
                      struct bytes *ret_body)
{
	if (stream->begin == stream->end)
		stream->begin = stream->end = 0;

	int r = fill(stream, WIRE_WORD, deadline);
	if (r < 0)
		return r;
	r = wire_get_header(stream->data + stream->begin, ret_header);
	if (r < 0)
		return r;
	r = fill(stream, WIRE_WORD + ret_header->size, deadline);
	if (r < 0)
		return r;

	*ret_body = (struct bytes){ .data = stream->data + stream->begin + WIRE_WORD,
		                    .size = ret_header->size };
	stream->begin += WIRE_WORD + ret_header->size;
	return 0;
}

void db_stream_shrink(struct db_stream *stream)
{
	if (stream->capacity <= MAX_IDLE_CAPACITY || stream->begin < stream->end)
		return;

	free(stream->data);
	stream->data = NULL;
	stream->capacity = stream->begin = stream->end = 0;
}
