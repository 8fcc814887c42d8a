#include "lib/base/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"

#define PIECE ((size_t)64 * 1024)

enum kind { SOCKET, PIPE, OTHER };

struct pump {
	const struct pump_options *options;
	int from, to;
	enum kind from_kind, to_kind;
	char *buffer; /* Of PIECE; made when the kernel cannot copy by itself. */
	uint64_t done;
	int64_t started;
};

static enum kind kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return OTHER;

	return S_ISSOCK(st.st_mode) ? SOCKET : S_ISFIFO(st.st_mode) ? PIPE : OTHER;
}

/* Waits until the fd is ready. */
static int wait_for(const struct pump *p, int fd, short events)
{
	const struct pump_options *o = p->options;
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = cancel_fd(o->cancel), .events = POLLIN },
	};
	int64_t idle = date_deadline(o->idle_ms ? o->idle_ms : -1);

	for (;;) {
		int r = cancel_code(o->cancel);
		if (r < 0)
			return r;

		r = poll(fds, COUNT_OF(fds), date_left(MIN_OF(idle, cancel_deadline(o->cancel))));
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && fds[0].revents)
			return 0;
		if (date_left(idle) == 0)
			return -ETIMEDOUT;
	}
}

static int write_piece(struct pump *p, size_t size)
{
	const char *at = p->buffer;

	while (size) {
		int r = wait_for(p, p->to, POLLOUT);
		if (r < 0)
			return r;

		/* A pipe that is ready takes at least this much without blocking. */
		size_t piece = p->to_kind == PIPE ? MIN_OF(size, (size_t)4096) : size;
		ssize_t n = p->to_kind == SOCKET
		                    ? send(p->to, at, piece, MSG_DONTWAIT | MSG_NOSIGNAL)
		                    : write(p->to, at, piece);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static ssize_t copy_by_hand(struct pump *p, size_t size)
{
	if (!p->buffer)
		p->buffer = xmalloc(PIECE);

	ssize_t n = p->from_kind == SOCKET ? recv(p->from, p->buffer, size, MSG_DONTWAIT)
	                                   : read(p->from, p->buffer, size);
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;

	int r = write_piece(p, (size_t)n);
	return r < 0 ? r : n;
}

/* Copies a piece of what is there. -EAGAIN: nothing was. */
static ssize_t copy_piece(struct pump *p, size_t size)
{
	if (p->buffer || (p->from_kind != PIPE && p->to_kind != PIPE))
		return copy_by_hand(p, size);

	int r = wait_for(p, p->to, POLLOUT);
	if (r < 0)
		return r;

	ssize_t n = splice(p->from, NULL, p->to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n >= 0)
		return n;

	/* Terminals and files opened to append cannot be spliced. */
	return errno == EINVAL ? copy_by_hand(p, size) : -errno;
}

/* Waits until the rate allows more. */
static int hold_back(const struct pump *p)
{
	if (!p->options->max_rate)
		return 0;

	double due_ms = (double)p->done * 1000 / (double)p->options->max_rate;
	return cancel_wait(p->options->cancel, p->started + (int64_t)due_ms);
}

static int run(struct pump *p)
{
	const struct pump_options *o = p->options;

	for (;;) {
		int r = wait_for(p, p->from, POLLIN);
		if (r < 0)
			return r;

		ssize_t n = copy_piece(p, PIECE);
		if (n == -EAGAIN || n == -EINTR)
			continue;
		if (n <= 0)
			return (int)n;

		p->done += (uint64_t)n;
		if (o->max_bytes && p->done > o->max_bytes)
			return -EFBIG;
		if (o->progress)
			o->progress(p->done, o->arg);

		r = hold_back(p);
		if (r < 0)
			return r;
	}
}

int64_t pump_run(int from, int to, const struct pump_options *options)
{
	static const struct pump_options none;
	struct pump p = {
		.options = options ? options : &none,
		.from = from,
		.to = to,
		.from_kind = kind_of(from),
		.to_kind = kind_of(to),
		.started = date_monotonic(),
	};

	int r = run(&p);
	free(p.buffer);

	/* A terminal whose other side is gone says so instead of coming to its end. */
	if (r == -EIO && p.from_kind == OTHER && isatty(from))
		r = 0;
	return r < 0 ? r : (int64_t)p.done;
}
