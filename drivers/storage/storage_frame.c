#include "drivers/storage/storage_frame.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"

#define HEADER_SIZE 5
#define CHUNK_SIZE 65536
#define IDLE_MS 1800000
#define REPORT_MS 200

static void put_header(uint8_t *header, enum storage_frame_type type, size_t size)
{
	uint32_t be = htobe32((uint32_t)size);

	header[0] = (uint8_t)type;
	memcpy(header + 1, &be, sizeof(be));
}

static size_t header_size(const uint8_t *header)
{
	uint32_t be;

	memcpy(&be, header + 1, sizeof(be));
	return be32toh(be);
}

static uint8_t *make_frame(enum storage_frame_type type, const char *text, size_t *ret_size)
{
	size_t size = strlen(text);
	uint8_t *frame = xmalloc(HEADER_SIZE + size);

	put_header(frame, type, size);
	/* A frame has a length and no NUL. */
	for (size_t i = 0; i < size; i++)
		frame[HEADER_SIZE + i] = (uint8_t)text[i];
	*ret_size = HEADER_SIZE + size;
	return frame;
}

int storage_frame_send(int fd, const char *text, struct error **err)
{
	size_t size;
	scoped_free uint8_t *frame = make_frame(STORAGE_FRAME_MESSAGE, text, &size);

	int r = fd_write_full(fd, frame, size);
	return r < 0 ? error_set_errno(err, r, "Failed sending to the other side") : 0;
}

void storage_frame_send_error(int fd, const char *message)
{
	size_t size;
	scoped_free uint8_t *frame = make_frame(STORAGE_FRAME_ERROR, message, &size);

	/* A side that does not read must not hold up the one that gives up. */
	(void)!send(fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Waits until 'fd' is ready, the operation is cancelled or nothing happens for too long. */
static int wait_for(int fd, short events, struct op *op, struct error **err)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
		                { .fd = cancel_fd(op_cancel(op)), .events = POLLIN } };

	for (;;) {
		int r = poll(fds, COUNT_OF(fds), IDLE_MS);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return error_set_errno(err, -errno, "Failed waiting for the other side");
		if (op_check(op, err) < 0)
			return (*err)->code;
		if (r == 0)
			return error_set_errno(err, -ETIMEDOUT, "The other side is silent");
		return 0;
	}
}

static int read_exactly(int fd, void *buf, size_t size, struct op *op, struct error **err)
{
	size_t done = 0;

	while (done < size) {
		if (wait_for(fd, POLLIN, op, err) < 0)
			return (*err)->code;

		ssize_t n = read(fd, (char *)buf + done, size - done);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return error_set_errno(err, -errno, "Failed reading from the other side");
		if (n == 0)
			return error_set(err, 503, "The other side closed the connection");
		done += (size_t)n;
	}
	return 0;
}

/* Turns the reason that the other side gave into an error of this side. */
static int take_error(int fd, size_t size, struct op *op, struct error **err)
{
	scoped_free char *text = xcalloc(size + 1, 1);

	if (read_exactly(fd, text, size, op, err) < 0)
		return (*err)->code;
	return error_set(err, 500, "The other side failed: %s", text);
}

int storage_frame_receive(int fd, struct op *op, char **ret_text, struct error **err)
{
	uint8_t header[HEADER_SIZE] = { 0 };

	if (read_exactly(fd, header, sizeof(header), op, err) < 0)
		return (*err)->code;
	size_t size = header_size(header);
	if (size > STORAGE_FRAME_MAX)
		return error_set(err, 400, "Invalid frame of %zu bytes", size);
	if (header[0] == STORAGE_FRAME_ERROR)
		return take_error(fd, size, op, err);
	if (header[0] != STORAGE_FRAME_MESSAGE)
		return error_set(err, 400, "Invalid frame of type %u", header[0]);

	scoped_free char *text = xcalloc(size + 1, 1);
	if (read_exactly(fd, text, size, op, err) < 0)
		return (*err)->code;
	if (strlen(text) != size)
		return error_set(err, 400, "Invalid message");
	*ret_text = TAKE_PTR(text);
	return 0;
}

/* Both directions of a stream, each with the piece that is on its way. */
struct streams {
	struct storage_frame_pump *p;
	struct op *op;

	/* From the program to the socket. */
	uint8_t out[HEADER_SIZE + CHUNK_SIZE];
	size_t out_size, out_done;
	bool out_ended;

	/* From the socket to the program: a header, or a piece of the frame's payload. */
	uint8_t head[HEADER_SIZE];
	size_t head_done;
	uint8_t in[CHUNK_SIZE];
	size_t in_size, in_done;
	size_t frame_left;
	bool in_ended;

	int64_t started, reported, resume_at;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void report(struct streams *s, bool at_end)
{
	int64_t now = date_monotonic();
	uint64_t bytes = s->p->sent + s->p->received;

	if (!at_end && now - s->reported < REPORT_MS)
		return;
	s->reported = now;
	op_report(s->op,
	          &(struct op_progress){
			  .stage = s->p->stage ? s->p->stage : "fs",
			  .what = s->p->what,
			  .bytes = bytes,
			  .bytes_per_second = bytes * 1000 / (uint64_t)MAX_OF(now - s->started, 1),
		  });
}

/* Takes the next piece from the program, or ends that direction. */
static int fill_out(struct streams *s, struct error **err)
{
	ssize_t n = read(s->p->output, s->out + HEADER_SIZE, CHUNK_SIZE);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0)
		return error_set_errno(err, -errno, "Failed reading from the program");
	if (n == 0)
		close_fd(&s->p->output);

	put_header(s->out, n > 0 ? STORAGE_FRAME_DATA : STORAGE_FRAME_END, (size_t)n);
	s->out_size = HEADER_SIZE + (size_t)n;
	s->out_done = 0;
	s->p->sent += (uint64_t)n;
	if (s->p->bytes_per_second > 0)
		s->resume_at = s->started + (int64_t)(s->p->sent * 1000 / s->p->bytes_per_second);
	return 0;
}

static int flush_out(struct streams *s, struct error **err)
{
	ssize_t n = send(s->p->fd, s->out + s->out_done, s->out_size - s->out_done,
	                 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno == ENOTSOCK)
		n = write(s->p->fd, s->out + s->out_done, s->out_size - s->out_done);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0)
		return error_set_errno(err, -errno, "Failed sending to the other side");

	s->out_done += (size_t)n;
	if (s->out_done < s->out_size)
		return 0;
	s->out_ended = s->out[0] == STORAGE_FRAME_END;
	s->out_size = s->out_done = 0;
	return 0;
}

static int begin_frame(struct streams *s, struct error **err)
{
	size_t size = header_size(s->head);

	s->head_done = 0;
	if (size > STORAGE_FRAME_MAX)
		return error_set(err, 400, "Invalid frame of %zu bytes", size);

	switch ((enum storage_frame_type)s->head[0]) {
	case STORAGE_FRAME_DATA:
		s->frame_left = size;
		return 0;
	case STORAGE_FRAME_END:
		if (size > 0)
			break;
		s->in_ended = true;
		close_fd(&s->p->input);
		if (s->p->release > 0)
			shutdown(s->p->release, SHUT_RDWR);
		return 0;
	case STORAGE_FRAME_ERROR:
		return take_error(s->p->fd, size, s->op, err);
	case STORAGE_FRAME_MESSAGE:
		break;
	}
	return error_set(err, 400, "Invalid frame of type %u", s->head[0]);
}

static int fill_in(struct streams *s, struct error **err)
{
	bool is_head = s->frame_left == 0;
	void *at = is_head ? s->head + s->head_done : s->in;
	size_t want = is_head ? HEADER_SIZE - s->head_done : MIN_OF(s->frame_left, sizeof(s->in));

	ssize_t n = recv(s->p->fd, at, want, MSG_DONTWAIT);
	if (n < 0 && errno == ENOTSOCK)
		n = read(s->p->fd, at, want);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0)
		return error_set_errno(err, -errno, "Failed reading from the other side");
	if (n == 0)
		return error_set(err, 503, "The other side closed the connection");

	if (is_head) {
		s->head_done += (size_t)n;
		return s->head_done == HEADER_SIZE ? begin_frame(s, err) : 0;
	}
	s->frame_left -= (size_t)n;
	s->in_size = (size_t)n;
	s->in_done = 0;
	s->p->received += (uint64_t)n;
	return 0;
}

static int flush_in(struct streams *s, struct error **err)
{
	/* A program that ended early does not stop the stream: its status says what was wrong. */
	ssize_t n = s->p->input < 0
	                    ? (ssize_t)(s->in_size - s->in_done)
	                    : write(s->p->input, s->in + s->in_done, s->in_size - s->in_done);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0 && errno == EPIPE) {
		close_fd(&s->p->input);
		return 0;
	}
	if (n < 0)
		return error_set_errno(err, -errno, "Failed writing to the program");

	s->in_done += (size_t)n;
	if (s->in_done == s->in_size)
		s->in_size = s->in_done = 0;
	return 0;
}

enum { POLL_SOCKET, POLL_OUTPUT, POLL_INPUT, POLL_CANCEL, N_POLLS };

static int step(struct streams *s, struct error **err)
{
	int64_t now = date_monotonic();
	bool is_held = s->resume_at > now;
	struct pollfd fds[N_POLLS] = {
		[POLL_SOCKET] = { .fd = s->p->fd },
		[POLL_OUTPUT] = { .fd = -1, .events = POLLIN },
		[POLL_INPUT] = { .fd = -1, .events = POLLOUT },
		[POLL_CANCEL] = { .fd = cancel_fd(op_cancel(s->op)), .events = POLLIN },
	};

	if (s->out_size > 0)
		fds[POLL_SOCKET].events |= POLLOUT;
	else if (!s->out_ended && !is_held)
		fds[POLL_OUTPUT].fd = s->p->output;
	if (s->in_size > 0)
		fds[POLL_INPUT].fd = s->p->input;
	else if (!s->in_ended)
		fds[POLL_SOCKET].events |= POLLIN;

	/* Nothing to wait for: the piece is dropped at once. */
	bool is_drop = s->in_size > 0 && s->p->input < 0;
	int64_t wait_ms = is_drop ? 0 : is_held ? s->resume_at - now : IDLE_MS;
	int r = poll(fds, N_POLLS, (int)wait_ms);
	if (r < 0 && errno != EINTR)
		return error_set_errno(err, -errno, "Failed waiting for data");
	if (op_check(s->op, err) < 0)
		return (*err)->code;
	if (r == 0 && !is_held && !is_drop)
		return error_set_errno(err, -ETIMEDOUT, "The other side is silent");

	r = 0;
	if (fds[POLL_OUTPUT].revents)
		r = fill_out(s, err);
	if (r == 0 && s->out_size > 0)
		r = flush_out(s, err);
	if (r == 0 && (fds[POLL_INPUT].revents || is_drop))
		r = flush_in(s, err);
	if (r == 0 && s->in_size == 0 && !s->in_ended &&
	    (fds[POLL_SOCKET].revents & (POLLIN | POLLHUP | POLLERR)))
		r = fill_in(s, err);
	return r;
}

int storage_frame_pump(struct storage_frame_pump *pump, struct op *op, struct error **err)
{
	struct streams *s = xcalloc(1, sizeof(*s));
	int r = 0;

	s->p = pump;
	s->op = op;
	s->started = date_monotonic();
	if (pump->input >= 0)
		fd_set_nonblock(pump->input, true);
	if (pump->output < 0) {
		put_header(s->out, STORAGE_FRAME_END, 0);
		s->out_size = HEADER_SIZE;
	}

	while (r == 0 && !(s->out_ended && s->in_ended && s->in_size == 0)) {
		r = step(s, err);
		report(s, false);
	}

	report(s, true);
	close_fd(&pump->input);
	close_fd(&pump->output);
	if (r < 0)
		storage_frame_send_error(pump->fd, (*err)->msg);
	free(s);
	return r;
}
