#include "lib/net/ws_bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/base/refs.h"
#include "lib/base/strbuf.h"

enum {
	READ_SIZE = 32 * 1024,
	READS_AT_ONCE = 8,
	LAST_READS =
		64, /* A pipe holds less than so many; a child that goes on writing has no end. */
	QUEUE_HIGH = 256 * 1024, /* Of the websocket; then the process has to wait. */
};

struct ws_bridge {
	struct refs refs;
	struct loop *loop;
	struct ws_bridge_config config;
	struct stream *stream; /* Until start(). */
	struct websocket *ws;  /* Referenced; since start(). */

	struct loop_watch *read_watch, *write_watch;
	struct strbuf pending; /* From the peer, not taken by fd_write yet. */
	bool has_input_end;    /* The peer's; after 'pending'. */
	bool has_output_end, is_end_due;
};

static void bridge_ref(struct ws_bridge *b)
{
	refs_get(&b->refs);
}

void ws_bridge_unref(struct ws_bridge *b)
{
	if (!b || !refs_put(&b->refs))
		return;

	websocket_unref(b->ws);
	strbuf_done(&b->pending);
	free(b);
}

/* --- From the peer to the descriptor --- */

static void stop_writing(struct ws_bridge *b)
{
	strbuf_done(&b->pending);
	if (b->write_watch)
		loop_watch_free(b->write_watch);
	b->write_watch = NULL;
	if (b->config.fd_write >= 0)
		close(b->config.fd_write);
	b->config.fd_write = -1;
}

static void end_input(struct ws_bridge *b)
{
	b->has_input_end = true;
	if (b->pending.size == 0 && !b->config.is_pty)
		stop_writing(b);
}

/* Writes what it can; returns false if the descriptor takes no more, now or ever. */
static bool write_some(struct ws_bridge *b)
{
	size_t done = 0;

	while (done < b->pending.size) {
		ssize_t n =
			write(b->config.fd_write, b->pending.text + done, b->pending.size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) { /* The reader is gone: input goes nowhere from now on. */
			stop_writing(b);
			return false;
		}
		done += (size_t)n;
	}
	strbuf_consume(&b->pending, done);
	return b->pending.size == 0;
}

static void on_writable(unsigned events, void *arg)
{
	struct ws_bridge *b = arg;

	if (!write_some(b)) {
		if (b->config.fd_write < 0)
			websocket_resume(b->ws);
		return;
	}
	loop_watch_set(b->write_watch, 0);
	if (b->has_input_end && !b->config.is_pty)
		stop_writing(b);
	websocket_resume(b->ws);
}

static void on_message(struct websocket *ws, enum websocket_type type, const void *data,
                       size_t size, void *arg)
{
	struct ws_bridge *b = arg;

	if (type == WEBSOCKET_TEXT && size == 0) {
		end_input(b);
		return;
	}
	if (b->config.fd_write < 0 || b->has_input_end)
		return;

	bool was_empty = b->pending.size == 0;
	strbuf_add_n(&b->pending, data, size);
	if (!was_empty || write_some(b) || b->config.fd_write < 0)
		return;

	websocket_pause(ws);
	if (b->write_watch)
		loop_watch_set(b->write_watch, LOOP_WRITABLE);
	else
		b->write_watch =
			loop_watch_new(b->loop, b->config.fd_write, LOOP_WRITABLE, on_writable, b);
}

/* --- From the descriptor to the peer --- */

static void tell_output_end(struct ws_bridge *b)
{
	if (!b->is_end_due)
		return;

	b->is_end_due = false;
	if (b->config.on_output_end)
		b->config.on_output_end(b, b->config.arg);
}

static void end_output(struct ws_bridge *b)
{
	if (b->has_output_end)
		return;

	b->has_output_end = b->is_end_due = true;
	if (b->read_watch)
		loop_watch_free(b->read_watch);
	b->read_watch = NULL;
	close(b->config.fd_read);
	b->config.fd_read = -1;

	/* When this is out, on_drained() is called. */
	if (websocket_send(b->ws, WEBSOCKET_TEXT, "", 0) < 0)
		tell_output_end(b);
	if (b->config.close_at_end)
		websocket_close(b->ws, 1000, NULL);
}

/* Returns 1 if there may be more, 0 if there is none now, -1 at the end. */
static int read_once(struct ws_bridge *b)
{
	char data[READ_SIZE];
	ssize_t n = read(b->config.fd_read, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n <= 0) /* EIO of a pty: its last user is gone. */
		return -1;
	return websocket_send(b->ws, WEBSOCKET_BINARY, data, (size_t)n) < 0 ? -1 : 1;
}

static void on_readable(unsigned events, void *arg)
{
	struct ws_bridge *b = arg;

	for (unsigned i = 0; i < READS_AT_ONCE; i++) {
		if (websocket_queued(b->ws) > QUEUE_HIGH) {
			loop_watch_set(b->read_watch, 0); /* on_drained() goes on. */
			return;
		}
		int r = read_once(b);
		if (r < 0)
			end_output(b);
		if (r <= 0)
			return;
	}
}

static void on_drained(struct websocket *ws, void *arg)
{
	struct ws_bridge *b = arg;

	if (b->read_watch)
		loop_watch_set(b->read_watch, LOOP_READABLE);
	tell_output_end(b);
}

static void on_close(struct websocket *ws, unsigned code, void *arg)
{
	struct ws_bridge *b = arg;

	stop_writing(b);
	if (b->read_watch)
		loop_watch_free(b->read_watch);
	b->read_watch = NULL;
	if (b->config.fd_read >= 0)
		close(b->config.fd_read);
	b->config.fd_read = -1;

	tell_output_end(b);
	if (b->config.on_done)
		b->config.on_done(b, b->config.arg);
	ws_bridge_unref(b);
}

static void start(void *arg)
{
	struct ws_bridge *b = arg;
	const struct websocket_config config = {
		.role = b->config.role,
		.on_message = on_message,
		.on_drained = on_drained,
		.on_close = on_close,
		.arg = b,
	};

	b->ws = websocket_new_take(b->loop, TAKE_PTR(b->stream), &config);
	if (b->config.fd_read >= 0)
		b->read_watch =
			loop_watch_new(b->loop, b->config.fd_read, LOOP_READABLE, on_readable, b);
}

/* --- Any thread --- */

static void set_nonblocking(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct ws_bridge *ws_bridge_new_take(struct loop *loop, struct stream *s,
                                     const struct ws_bridge_config *config)
{
	struct ws_bridge *b = xcalloc(1, sizeof(*b));

	refs_init(&b->refs);
	b->loop = loop;
	b->config = *config;
	set_nonblocking(config->fd_read);
	set_nonblocking(config->fd_write);

	b->stream = s;
	bridge_ref(b); /* The connection's, until on_close(). */
	loop_call(loop, start, b);
	return b;
}

static void finish(void *arg)
{
	struct ws_bridge *b = arg;
	int r = 1;

	for (unsigned i = 0; b->config.fd_read >= 0 && r > 0 && i < LAST_READS; i++)
		r = read_once(b);
	if (b->config.fd_read >= 0)
		end_output(b);
	ws_bridge_unref(b);
}

void ws_bridge_finish(struct ws_bridge *b)
{
	bridge_ref(b);
	loop_call(b->loop, finish, b);
}

static void close_bridge(void *arg)
{
	struct ws_bridge *b = arg;

	websocket_close(b->ws, 1000, NULL);
	ws_bridge_unref(b);
}

void ws_bridge_close(struct ws_bridge *b)
{
	bridge_ref(b);
	loop_call(b->loop, close_bridge, b);
}

static void abort_bridge(void *arg)
{
	struct ws_bridge *b = arg;

	websocket_abort(b->ws);
	ws_bridge_unref(b);
}

void ws_bridge_abort(struct ws_bridge *b)
{
	bridge_ref(b);
	loop_call(b->loop, abort_bridge, b);
}
