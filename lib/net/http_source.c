#include "lib/net/http_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/base/worker.h"

enum { CHUNK = 64 * 1024 };

struct http_source {
	struct http_pull pull; /* Unset for pipes. */
	int pipe_fd;           /* -1 unless a pipe. */

	struct loop *loop;
	struct worker *io;
	struct loop_watch *watch; /* Of the pipe. */
	void (*ready)(void *arg);
	void *arg;

	char *front; /* Being read. */
	size_t front_from, front_size;
	char *back; /* Being filled by a job; touched by it alone while 'is_filling'. */
	ssize_t back_result;

	bool is_filling, has_back; /* A job runs; it has ended and its result was not looked at. */
	bool is_waiting;           /* The reader got -EAGAIN. */
	bool is_abandoned;         /* Freed while a job runs. */
	int end;                   /* 1: the end was reached; negative: failed. */
};

struct file_range {
	int fd;
	uint64_t offset, left;
};

static ssize_t pull_file(void *data, size_t size, void *arg)
{
	struct file_range *range = arg;
	ssize_t n;

	if (size > range->left)
		size = (size_t)range->left;
	if (size == 0)
		return 0;

	do
		n = pread(range->fd, data, size, (off_t)range->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0) /* It was cut meanwhile: what was promised cannot be sent. */
		return -ENODATA;

	range->offset += (uint64_t)n;
	range->left -= (uint64_t)n;
	return n;
}

static void close_file(void *arg)
{
	struct file_range *range = arg;

	close(range->fd);
	free(range);
}

struct http_source *http_source_new_pull(const struct http_pull *pull)
{
	struct http_source *s = xcalloc(1, sizeof(*s));

	s->pull = *pull;
	s->pipe_fd = -1;
	return s;
}

struct http_source *http_source_new_fd_take(int fd, uint64_t offset, uint64_t size)
{
	struct file_range *range = xmalloc(sizeof(*range));

	*range = (struct file_range){ .fd = fd, .offset = offset, .left = size };
	(void)posix_fadvise(fd, (off_t)offset, 0, POSIX_FADV_SEQUENTIAL);
	return http_source_new_pull(
		&(struct http_pull){ .pull = pull_file, .done = close_file, .arg = range });
}

struct http_source *http_source_new_pipe_take(int fd)
{
	struct http_source *s = xcalloc(1, sizeof(*s));

	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	s->pipe_fd = fd;
	return s;
}

static void destroy(struct http_source *s)
{
	if (s->watch)
		loop_watch_free(s->watch);
	if (s->pipe_fd >= 0)
		close(s->pipe_fd);
	if (s->pull.done)
		s->pull.done(s->pull.arg);
	free(s->front);
	free(s->back);
	free(s);
}

void http_source_free(struct http_source *s)
{
	if (s && s->is_filling)
		s->is_abandoned = true;
	else if (s)
		destroy(s);
}

static void fill_done(void *arg)
{
	struct http_source *s = arg;

	s->is_filling = false;
	s->has_back = true;
	if (s->is_abandoned) {
		destroy(s);
		return;
	}
	if (s->is_waiting) {
		s->is_waiting = false;
		s->ready(s->arg);
	}
}

static void fill(void *arg)
{
	struct http_source *s = arg;

	s->back_result = s->pull.pull(s->back, CHUNK, s->pull.arg);
	loop_call(s->loop, fill_done, s);
}

static void start_filling(struct http_source *s)
{
	if (!s->back)
		s->back = xmalloc(CHUNK);
	s->is_filling = true;
	if (worker_submit(s->io, fill, s) < 0) {
		s->is_filling = false;
		s->end = -EAGAIN;
	}
}

static void pipe_ready(unsigned events, void *arg)
{
	struct http_source *s = arg;

	loop_watch_set(s->watch, 0);
	if (s->is_waiting) {
		s->is_waiting = false;
		s->ready(s->arg);
	}
}

void http_source_start(struct http_source *s, struct loop *loop, struct worker *io,
                       void (*ready)(void *arg), void *arg)
{
	s->loop = loop;
	s->io = io;
	s->ready = ready;
	s->arg = arg;
	if (s->pipe_fd >= 0)
		s->watch = loop_watch_new(loop, s->pipe_fd, 0, pipe_ready, s);
	else
		start_filling(s);
}

static ssize_t read_pipe(struct http_source *s, void *data, size_t size)
{
	ssize_t n;

	do
		n = read(s->pipe_fd, data, size);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno != EAGAIN)
		return errno == EIO ? 0 : -errno; /* EIO: the last user of a pty is gone. */

	s->is_waiting = true;
	loop_watch_set(s->watch, LOOP_READABLE);
	return -EAGAIN;
}

/* Makes the filled buffer the one to read and has the other one filled. */
static void swap_buffers(struct http_source *s)
{
	char *old = s->front;

	s->has_back = false;
	if (s->back_result <= 0) {
		s->end = s->back_result < 0 ? (int)s->back_result : 1;
		return;
	}
	s->front = s->back;
	s->front_from = 0;
	s->front_size = (size_t)s->back_result;
	s->back = old;
	start_filling(s);
}

ssize_t http_source_read(struct http_source *s, void *data, size_t size)
{
	if (s->pipe_fd >= 0)
		return read_pipe(s, data, size);

	if (s->front_from == s->front_size && s->has_back)
		swap_buffers(s);

	size_t n = s->front_size - s->front_from;
	if (n > 0) {
		if (n > size)
			n = size;
		memcpy(data, s->front + s->front_from, n);
		s->front_from += n;
		return (ssize_t)n;
	}
	if (s->end)
		return s->end < 0 ? s->end : 0;

	s->is_waiting = true;
	return -EAGAIN;
}
