#include "lib/net/http_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/strbuf.h"
#include "lib/base/worker.h"

enum { PIECE = 256 * 1024 };

struct http_sink {
	struct loop *loop;
	struct worker *io;
	struct http_body_limit limit;
	void (*ready)(void *arg);
	void *arg;

	uint64_t size;
	struct strbuf collected; /* Not yet given to a job; all of it while in memory. */
	bool is_file;

	/* Touched by the job alone while one runs. */
	bool is_writing;
	int fd;
	struct strbuf piece;
	int result;

	bool is_waiting, is_abandoned;
};

struct http_sink *http_sink_new(struct loop *loop, struct worker *io,
                                const struct http_body_limit *limit, uint64_t expected,
                                void (*ready)(void *arg), void *arg)
{
	struct http_sink *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->io = io;
	s->limit = *limit;
	s->ready = ready;
	s->arg = arg;
	s->fd = -1;
	if (expected != UINT64_MAX && expected > limit->memory_max)
		s->is_file = true;
	else if (expected != UINT64_MAX)
		strbuf_reserve(&s->collected, (size_t)expected + 1);
	return s;
}

static void destroy(struct http_sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	strbuf_done(&s->collected);
	strbuf_done(&s->piece);
	free(s);
}

void http_sink_free(struct http_sink *s)
{
	if (s && s->is_writing)
		s->is_abandoned = true;
	else if (s)
		destroy(s);
}

static void write_done(void *arg)
{
	struct http_sink *s = arg;

	s->is_writing = false;
	if (s->is_abandoned) {
		destroy(s);
		return;
	}
	if (s->is_waiting) {
		s->is_waiting = false;
		s->ready(s->arg);
	}
}

static void write_piece(void *arg)
{
	struct http_sink *s = arg;

	if (s->fd < 0) {
		s->fd = openat(s->limit.spool_dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (s->fd < 0)
			s->result = -errno;
	}
	if (s->result == 0)
		s->result = fd_write_full(s->fd, s->piece.text, s->piece.size);
	strbuf_truncate(&s->piece, 0);
	loop_call(s->loop, write_done, s);
}

static int start_writing(struct http_sink *s)
{
	struct strbuf empty = s->piece;

	s->piece = s->collected;
	s->collected = empty;
	s->is_writing = true;
	int r = worker_submit(s->io, write_piece, s);
	if (r < 0) {
		s->is_writing = false;
		s->result = r;
	}
	return r;
}

int http_sink_write(struct http_sink *s, const void *data, size_t size)
{
	if (size > s->limit.size_max || s->size > s->limit.size_max - size)
		return -EFBIG;
	if (s->size + size > s->limit.memory_max)
		s->is_file = true;
	if (s->is_file && s->limit.spool_dir < 0)
		return -EFBIG;

	s->size += size;
	strbuf_add_n(&s->collected, data, size);
	if (!s->is_file || s->is_writing)
		return 0;
	if (s->result < 0)
		return s->result;
	return s->collected.size >= PIECE ? start_writing(s) : 0;
}

bool http_sink_is_full(struct http_sink *s)
{
	if (!s->is_writing || s->collected.size < PIECE)
		return false;

	s->is_waiting = true;
	return true;
}

int http_sink_finish(struct http_sink *s)
{
	if (!s->is_file)
		return 0;

	if (!s->is_writing) {
		if (s->result < 0)
			return s->result;
		if (s->collected.size == 0 && s->fd >= 0)
			return lseek(s->fd, 0, SEEK_SET) < 0 ? -errno : 0;
		int r = start_writing(s);
		if (r < 0)
			return r == -EAGAIN ? -ENOBUFS : r;
	}
	s->is_waiting = true;
	return -EAGAIN;
}

uint64_t http_sink_size(const struct http_sink *s)
{
	return s->size;
}

char *http_sink_take_memory(struct http_sink *s)
{
	return s->is_file ? NULL : strbuf_take(&s->collected);
}

int http_sink_take_fd(struct http_sink *s)
{
	return TAKE_FD(s->fd);
}
