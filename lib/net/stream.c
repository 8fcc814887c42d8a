#include "lib/net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"

struct stream {
	int fd;
	struct tls_session *tls; /* NULL: plain. */
	bool is_socket;          /* send() rather than write(), so that no SIGPIPE comes. */
	bool has_shut;

	char *surplus; /* Read already, comes first. */
	size_t surplus_from, surplus_size;

	short read_events, write_events;
};

struct stream *stream_new_fd_take(int fd)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	int type;
	socklen_t size = sizeof(type);

	s->fd = fd;
	s->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
	s->read_events = POLLIN;
	s->write_events = POLLOUT;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return s;
}

struct stream *stream_new_tls_take(struct tls_session *tls, int fd)
{
	struct stream *s = stream_new_fd_take(fd);

	s->tls = tls;
	return s;
}

void stream_unread(struct stream *s, const void *data, size_t size)
{
	size_t left = s->surplus_size - s->surplus_from;

	if (size == 0)
		return;

	char *all = xmalloc(size + left);
	memcpy(all, data, size);
	if (left > 0)
		memcpy(all + size, s->surplus + s->surplus_from, left);
	free(s->surplus);
	s->surplus = all;
	s->surplus_from = 0;
	s->surplus_size = size + left;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;

	if (s->tls && !s->has_shut)
		(void)tls_session_shutdown(s->tls);
	tls_session_free(s->tls);
	close(s->fd);
	free(s->surplus);
	free(s);
}

int stream_take_plain_fd(struct stream *s)
{
	if (s->tls || s->surplus)
		return -EBUSY;

	int fd = s->fd;
	free(s);
	return fd;
}

static ssize_t read_surplus(struct stream *s, void *data, size_t size)
{
	size_t left = s->surplus_size - s->surplus_from;
	size_t n = left < size ? left : size;

	memcpy(data, s->surplus + s->surplus_from, n);
	s->surplus_from += n;
	if (s->surplus_from == s->surplus_size) {
		free(s->surplus);
		s->surplus = NULL;
		s->surplus_from = s->surplus_size = 0;
	}
	return (ssize_t)n;
}

ssize_t stream_read(struct stream *s, void *data, size_t size)
{
	ssize_t n;

	if (s->surplus)
		return read_surplus(s, data, size);

	if (s->tls) {
		n = tls_session_read(s->tls, data, size);
		s->read_events = n == -EAGAIN ? tls_session_wants(s->tls) : POLLIN;
		return n;
	}

	do
		n = read(s->fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t stream_write(struct stream *s, const void *data, size_t size)
{
	ssize_t n;

	if (s->has_shut)
		return -EPIPE;

	if (s->tls) {
		n = tls_session_write(s->tls, data, size);
		s->write_events = n == -EAGAIN ? tls_session_wants(s->tls) : POLLOUT;
		return n;
	}

	do
		n = s->is_socket ? send(s->fd, data, size, MSG_NOSIGNAL) : write(s->fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int stream_shutdown(struct stream *s)
{
	if (s->has_shut)
		return 0;

	if (s->tls) {
		int r = tls_session_shutdown(s->tls);
		if (r < 0) {
			s->write_events = r == -EAGAIN ? tls_session_wants(s->tls) : POLLOUT;
			return r;
		}
	}
	s->has_shut = true;

	/*
	 * Over TLS too: a peer that leaves close_notify unread (Go does while it writes) sees the
	 * end of the connection's direction, and we still read.
	 */
	if (s->is_socket && shutdown(s->fd, SHUT_WR) < 0)
		return -errno;
	return 0;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

bool stream_has_pending(const struct stream *s)
{
	return s->surplus || (s->tls && tls_session_pending(s->tls) > 0);
}

short stream_read_events(const struct stream *s)
{
	return s->read_events;
}

short stream_write_events(const struct stream *s)
{
	return s->write_events;
}

int stream_wait(struct stream *s, short events, int timeout_ms)
{
	if ((events & POLLIN) && stream_has_pending(s))
		return 0;
	return socket_wait(s->fd, events, timeout_ms);
}

int stream_read_full(struct stream *s, void *data, size_t size, int timeout_ms)
{
	int64_t deadline = date_deadline(timeout_ms);

	for (size_t done = 0; done < size;) {
		ssize_t n = stream_read(s, (char *)data + done, size - done);
		if (n == 0)
			return -ENODATA;
		if (n == -EAGAIN)
			n = stream_wait(s, s->read_events, date_left(deadline));
		else if (n > 0)
			done += (size_t)n;
		if (n < 0)
			return (int)n;
	}
	return 0;
}

int stream_write_full(struct stream *s, const void *data, size_t size, int timeout_ms)
{
	int64_t deadline = date_deadline(timeout_ms);

	for (size_t done = 0; done < size;) {
		ssize_t n = stream_write(s, (const char *)data + done, size - done);
		if (n == -EAGAIN)
			n = socket_wait(s->fd, s->write_events, date_left(deadline));
		else if (n > 0)
			done += (size_t)n;
		if (n < 0)
			return (int)n;
	}
	return 0;
}

const void *stream_peer_der(const struct stream *s, size_t *ret_size)
{
	*ret_size = 0;
	return s->tls ? tls_session_peer_der(s->tls, ret_size) : NULL;
}
