#include "lib/net/websocket.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <wslay/wslay.h>

#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/list.h"
#include "lib/base/loop.h"
#include "lib/base/random.h"
#include "lib/base/refs.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/thread.h"
#include "lib/net/digest.h"

enum {
	READ_SIZE = 32 * 1024,
	READ_BUDGET = 256 * 1024, /* Bytes of one peer before others get their turn. */
	OUT_SIZE = 64 * 1024,     /* Frames collected for one write. */
	CLOSE_MS = 3000,          /* For the peer to answer a close frame. */
	CODE_PROTOCOL = 1002,
	CODE_BROKEN = 1006,
	KEY_SIZE = 16,
};

/* What a message takes besides its bytes, here or in wslay: many small ones are large too. */
#define MESSAGE_COST 128

struct message {
	struct list entry;
	enum websocket_type type;
	size_t size;
	char data[];
};

struct websocket {
	struct refs refs;
	struct loop *loop;
	struct websocket_config config;

	struct mutex lock;         /* Of what any thread may touch. */
	struct list inbox GUARDED; /* Messages that the loop has not looked at. */
	size_t n_queued GUARDED;   /* Bytes in it, in wslay and in 'out'. */
	bool is_closed GUARDED;    /* No more is taken. */
	bool is_call_due GUARDED;
	bool wants_abort GUARDED;
	unsigned close_code GUARDED; /* 0: no close is wanted. */
	char *close_reason GUARDED;
	bool is_paused GUARDED;

	/* Of the loop thread. */
	struct stream *stream;
	wslay_event_context_ptr ctx;
	struct loop_watch *watch;
	struct loop_timer *timer;
	unsigned events;
	struct strbuf out;
	size_t out_from;
	char *in; /* During a turn of reading. */
	size_t in_from, in_size, in_budget;
	bool has_ended, is_broken, is_closing, is_last_call;
	bool has_sent;      /* Since on_drained. */
	unsigned peer_code; /* Of its close frame. */
	unsigned bad_code;  /* Why we close. */
	unsigned n_unanswered;
};

static void turn(struct websocket *ws);

/* --- What wslay asks for --- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *data, size_t size, int flags,
                       void *arg)
{
	struct websocket *ws = arg;

	mutex_lock(&ws->lock);
	bool is_paused = ws->is_paused;
	mutex_unlock(&ws->lock);
	if (is_paused || ws->in_budget == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}

	if (ws->in_from == ws->in_size) {
		ssize_t n = stream_read(ws->stream, ws->in, READ_SIZE);
		if (n <= 0) {
			ws->is_broken = n != -EAGAIN;
			wslay_event_set_error(ctx, n == -EAGAIN ? WSLAY_ERR_WOULDBLOCK
			                                        : WSLAY_ERR_CALLBACK_FAILURE);
			return -1;
		}
		ws->in_from = 0;
		ws->in_size = (size_t)n;
		ws->n_unanswered = 0;
	}

	size_t n = MIN_OF(size, ws->in_size - ws->in_from);
	memcpy(data, ws->in + ws->in_from, n);
	ws->in_from += n;
	ws->in_budget -= MIN_OF(n, ws->in_budget);
	return (ssize_t)n;
}

/* Returns 0, -EAGAIN or another errno. */
static int flush(struct websocket *ws)
{
	while (ws->out_from < ws->out.size) {
		ssize_t n = stream_write(ws->stream, ws->out.text + ws->out_from,
		                         ws->out.size - ws->out_from);
		if (n < 0)
			return (int)n;
		ws->out_from += (size_t)n;
	}
	strbuf_truncate(&ws->out, 0);
	ws->out_from = 0;
	return 0;
}

/* Collects heads and payloads, so that a message is one write and one TLS record if it is small. */
static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t size, int flags,
                       void *arg)
{
	struct websocket *ws = arg;

	if (ws->out.size >= OUT_SIZE) {
		int r = flush(ws);
		if (r < 0) {
			ws->is_broken = r != -EAGAIN;
			wslay_event_set_error(ctx, r == -EAGAIN ? WSLAY_ERR_WOULDBLOCK
			                                        : WSLAY_ERR_CALLBACK_FAILURE);
			return -1;
		}
	}

	size_t n = MIN_OF(size, (size_t)OUT_SIZE);
	strbuf_add_n(&ws->out, data, n);
	return (ssize_t)n;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *data, size_t size, void *arg)
{
	random_bytes(data, size);
	return 0;
}

static void on_message(wslay_event_context_ptr ctx,
                       const struct wslay_event_on_msg_recv_arg *message, void *arg)
{
	struct websocket *ws = arg;

	if (message->opcode == WSLAY_CONNECTION_CLOSE) {
		ws->peer_code = message->status_code ? message->status_code : 1005;
		return;
	}
	if (wslay_is_ctrl_frame(message->opcode) || ws->is_closing || !ws->config.on_message)
		return;

	if (message->opcode == WSLAY_TEXT_FRAME) {
		scoped_free char *text = xmalloc(message->msg_length + 1);
		if (message->msg_length > 0)
			memcpy(text, message->msg, message->msg_length);
		text[message->msg_length] = '\0';
		ws->config.on_message(ws, WEBSOCKET_TEXT, text, message->msg_length,
		                      ws->config.arg);
	} else {
		ws->config.on_message(ws, WEBSOCKET_BINARY, message->msg, message->msg_length,
		                      ws->config.arg);
	}
}

/* --- The loop thread --- */

static void message_free_all(struct list *messages)
{
	struct message *m;

	while ((m = LIST_FIRST(messages, struct message, entry))) {
		list_remove(&m->entry);
		free(m);
	}
}

/* Closes the connection and says so, once. */
static void end(struct websocket *ws)
{
	if (ws->has_ended)
		return;

	ws->has_ended = true;
	mutex_lock(&ws->lock);
	ws->is_closed = true;
	message_free_all(&ws->inbox);
	ws->n_queued = 0;
	mutex_unlock(&ws->lock);

	if (ws->watch)
		loop_watch_free(ws->watch);
	if (ws->timer)
		loop_timer_free(ws->timer);
	stream_free(ws->stream);
	ws->stream = NULL;

	unsigned sent = wslay_event_get_status_code_sent(ws->ctx);
	unsigned code = ws->peer_code    ? ws->peer_code
	                : ws->bad_code   ? ws->bad_code
	                : ws->is_closing ? sent
	                                 : CODE_BROKEN;
	if (ws->config.on_close)
		ws->config.on_close(ws, code, ws->config.arg);
	websocket_unref(ws);
}

/* Moves what other threads have asked for over to wslay. */
static void take_inbox(struct websocket *ws)
{
	struct list messages = LIST_INIT(messages);
	struct message *m;

	mutex_lock(&ws->lock);
	while ((m = LIST_FIRST(&ws->inbox, struct message, entry))) {
		list_remove(&m->entry);
		list_add_last(&messages, &m->entry);
	}
	bool wants_abort = ws->wants_abort;
	mutex_unlock(&ws->lock);

	LIST_FOREACH (m, &messages, entry) {
		ws->has_sent = true;
		struct wslay_event_msg event = {
			.opcode = m->type == WEBSOCKET_TEXT ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
			.msg = (const uint8_t *)m->data,
			.msg_length = m->size,
		};
		(void)wslay_event_queue_msg(ws->ctx, &event);
		list_remove(&m->entry);
		free(m);
	}

	if (wants_abort)
		ws->is_broken = true;
}

/* wslay sends control frames first, so a close is not given to it before the last message is out.
 */
static void close_if_due(struct websocket *ws)
{
	if (ws->is_closing || wslay_event_get_queued_msg_count(ws->ctx) > 0)
		return;

	mutex_lock(&ws->lock);
	unsigned code = list_is_empty(&ws->inbox) ? ws->close_code : 0;
	scoped_free char *reason = code ? TAKE_PTR(ws->close_reason) : NULL;
	mutex_unlock(&ws->lock);
	if (!code)
		return;

	ws->is_closing = true;
	(void)wslay_event_queue_close(ws->ctx, (uint16_t)code, (const uint8_t *)reason,
	                              reason ? strlen(reason) : 0);
}

/* Returns false if the connection is broken. A frame that is none makes wslay queue a close. */
static bool read_turn(struct websocket *ws)
{
	char in[READ_SIZE];

	ws->in = in;
	ws->in_from = ws->in_size = 0;
	ws->in_budget = READ_BUDGET;
	int r = wslay_event_recv(ws->ctx);
	if (ws->in_from < ws->in_size)
		stream_unread(ws->stream, in + ws->in_from, ws->in_size - ws->in_from);
	ws->in = NULL;
	if (r != 0 && !ws->is_broken)
		ws->bad_code = CODE_PROTOCOL;
	return !ws->is_broken;
}

static bool write_turn(struct websocket *ws)
{
	int r = wslay_event_want_write(ws->ctx) ? wslay_event_send(ws->ctx) : 0;

	close_if_due(ws);
	if (r == 0 && wslay_event_want_write(ws->ctx))
		r = wslay_event_send(ws->ctx);
	if (r == 0 && !ws->is_broken) {
		r = flush(ws);
		if (r == -EAGAIN)
			r = 0;
	}

	/* All that we had to say is said; the peer's close frame is not waited for very long. */
	if (ws->is_closing && !ws->is_last_call && ws->out.size == ws->out_from) {
		ws->is_last_call = true;
		loop_timer_set(ws->timer, CLOSE_MS, 0);
	}
	return r == 0 && !ws->is_broken;
}

static void count_queued(struct websocket *ws)
{
	size_t left = wslay_event_get_queued_msg_length(ws->ctx) +
	              wslay_event_get_queued_msg_count(ws->ctx) * MESSAGE_COST + ws->out.size -
	              ws->out_from;
	struct message *m;

	mutex_lock(&ws->lock);
	LIST_FOREACH (m, &ws->inbox, entry)
		left += m->size + MESSAGE_COST;
	ws->n_queued = left;
	mutex_unlock(&ws->lock);

	if (left > 0 || !ws->has_sent)
		return;
	ws->has_sent = false;
	if (ws->config.on_drained)
		ws->config.on_drained(ws, ws->config.arg);
}

static unsigned loop_events(short poll_events)
{
	return (poll_events & POLLIN ? LOOP_READABLE : 0) |
	       (poll_events & POLLOUT ? LOOP_WRITABLE : 0);
}

static void call_turn(void *arg)
{
	struct websocket *ws = arg;

	mutex_lock(&ws->lock);
	ws->is_call_due = false;
	mutex_unlock(&ws->lock);
	turn(ws);
	websocket_unref(ws);
}

/* Has turn() called by the loop, soon. */
static void call_soon(struct websocket *ws)
{
	mutex_lock(&ws->lock);
	bool is_due = ws->is_call_due;
	ws->is_call_due = true;
	mutex_unlock(&ws->lock);
	if (!is_due)
		loop_call(ws->loop, call_turn, websocket_ref(ws));
}

static void watch(struct websocket *ws)
{
	bool has_output = ws->out.size > ws->out_from || wslay_event_want_write(ws->ctx);
	unsigned events = 0;

	mutex_lock(&ws->lock);
	bool wants_input = !ws->is_paused && wslay_event_want_read(ws->ctx);
	mutex_unlock(&ws->lock);

	if (wants_input)
		events |= loop_events(stream_read_events(ws->stream));
	if (has_output)
		events |= loop_events(stream_write_events(ws->stream));
	if (events != ws->events)
		loop_watch_set(ws->watch, events);
	ws->events = events;

	/* Bytes that were decrypted or put back make no descriptor readable. */
	if (wants_input && stream_has_pending(ws->stream))
		call_soon(ws);
}

/* All there is to do now. */
static void turn(struct websocket *ws)
{
	if (ws->has_ended)
		return;

	websocket_ref(ws);
	take_inbox(ws);
	bool is_fine = !ws->is_broken;
	if (is_fine && wslay_event_want_read(ws->ctx))
		is_fine = read_turn(ws);
	if (is_fine) {
		take_inbox(ws);
		is_fine = write_turn(ws);
	}

	bool is_over = !wslay_event_want_read(ws->ctx) && !wslay_event_want_write(ws->ctx) &&
	               ws->out.size == ws->out_from;
	if (!is_fine || is_over) {
		ws->is_closing |= is_over;
		end(ws);
	} else {
		watch(ws);
		count_queued(ws);
	}
	websocket_unref(ws);
}

static void on_event(unsigned events, void *arg)
{
	turn(arg);
}

static void on_timer(void *arg)
{
	struct websocket *ws = arg;
	const unsigned max = ws->config.max_unanswered;

	if (ws->is_last_call || (max && ws->n_unanswered >= max)) {
		end(ws);
		return;
	}
	if (ws->is_closing)
		return;
	ws->n_unanswered++;
	(void)wslay_event_queue_msg(ws->ctx, &(struct wslay_event_msg){ .opcode = WSLAY_PING });
	turn(ws);
}

static void start(void *arg)
{
	struct websocket *ws = arg;

	ws->events = LOOP_READABLE;
	ws->watch = loop_watch_new(ws->loop, stream_fd(ws->stream), ws->events, on_event, ws);
	ws->timer = loop_timer_new(ws->loop, ws->config.ping_ms, ws->config.ping_ms, on_timer, ws);
	if (ws->config.no_ping)
		loop_timer_stop(ws->timer);
	turn(ws);
	websocket_unref(ws);
}

/* --- Any thread --- */

struct websocket *websocket_new_take(struct loop *loop, struct stream *s,
                                     const struct websocket_config *config)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_msg_recv_callback = on_message,
	};
	struct websocket *ws = xcalloc(1, sizeof(*ws));

	refs_init(&ws->refs);
	mutex_init(&ws->lock);
	list_init(&ws->inbox);
	ws->loop = loop;
	ws->stream = s;
	ws->config = *config;
	if (ws->config.message_max == 0)
		ws->config.message_max = (size_t)4 * 1024 * 1024;
	if (ws->config.queue_max == 0)
		ws->config.queue_max = (size_t)8 * 1024 * 1024;
	if (ws->config.ping_ms == 0)
		ws->config.ping_ms = 10 * 1000;

	int r = config->role == WEBSOCKET_SERVER
	                ? wslay_event_context_server_init(&ws->ctx, &callbacks, ws)
	                : wslay_event_context_client_init(&ws->ctx, &callbacks, ws);
	if (r != 0)
		abort();
	wslay_event_config_set_max_recv_msg_length(ws->ctx, ws->config.message_max);

	websocket_ref(ws); /* The connection's, until end(). */
	loop_call(loop, start, websocket_ref(ws));
	return ws;
}

struct websocket *websocket_ref(struct websocket *ws)
{
	refs_get(&ws->refs);
	return ws;
}

void websocket_unref(struct websocket *ws)
{
	if (!ws || !refs_put(&ws->refs))
		return;

	assert(!ws->stream);
	wslay_event_context_free(ws->ctx);
	strbuf_done(&ws->out);
	mutex_lock(&ws->lock);
	message_free_all(&ws->inbox);
	free(ws->close_reason);
	mutex_unlock(&ws->lock);
	mutex_done(&ws->lock);
	free(ws);
}

int websocket_send(struct websocket *ws, enum websocket_type type, const void *data, size_t size)
{
	if (type == WEBSOCKET_TEXT && !str_is_utf8(data, size))
		return -EINVAL;

	struct message *m = xmalloc(sizeof(*m) + size);
	*m = (struct message){ .type = type, .size = size };
	if (size > 0)
		memcpy(m->data, data, size);

	mutex_lock(&ws->lock);
	int r = 0;
	if (ws->is_closed || ws->close_code || ws->wants_abort)
		r = -EPIPE;
	else if (ws->n_queued > 0 && ws->n_queued + size + MESSAGE_COST > ws->config.queue_max)
		r = -ENOBUFS;
	if (r == -ENOBUFS)
		ws->wants_abort = true;
	if (r == 0) {
		ws->n_queued += size + MESSAGE_COST;
		list_add_last(&ws->inbox, &m->entry);
	}
	mutex_unlock(&ws->lock);

	if (r < 0)
		free(m);
	if (r != -EPIPE)
		call_soon(ws);
	return r;
}

size_t websocket_queued(struct websocket *ws)
{
	mutex_lock(&ws->lock);
	size_t n = ws->n_queued;
	mutex_unlock(&ws->lock);
	return n;
}

static void set_paused(struct websocket *ws, bool is_paused)
{
	mutex_lock(&ws->lock);
	bool is_new = ws->is_paused != is_paused;
	ws->is_paused = is_paused;
	mutex_unlock(&ws->lock);
	if (is_new)
		call_soon(ws);
}

void websocket_pause(struct websocket *ws)
{
	set_paused(ws, true);
}

void websocket_resume(struct websocket *ws)
{
	set_paused(ws, false);
}

void websocket_close(struct websocket *ws, unsigned code, const char *reason)
{
	mutex_lock(&ws->lock);
	bool is_first = ws->close_code == 0;
	if (is_first) {
		ws->close_code = code;
		ws->close_reason = reason ? xasprintf("%.120s", reason) : NULL;
	}
	ws->is_paused = false; /* The peer's answer has to be read. */
	mutex_unlock(&ws->lock);
	if (is_first)
		call_soon(ws);
}

void websocket_abort(struct websocket *ws)
{
	mutex_lock(&ws->lock);
	ws->wants_abort = true;
	mutex_unlock(&ws->lock);
	call_soon(ws);
}

bool websocket_is_closed(struct websocket *ws)
{
	mutex_lock(&ws->lock);
	bool is_closed = ws->is_closed || ws->wants_abort;
	mutex_unlock(&ws->lock);
	return is_closed;
}

char *websocket_accept_key(const char *key)
{
	scoped_free uint8_t *raw = NULL;
	size_t size;
	uint8_t sum[20];

	if (base64_decode(key, strlen(key), &raw, &size) < 0 || size != KEY_SIZE)
		return NULL;

	scoped_free char *text = xasprintf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	digest_sha1(text, strlen(text), sum);
	return base64_encode(sum, sizeof(sum));
}

char *websocket_new_key(void)
{
	uint8_t raw[KEY_SIZE];

	random_bytes(raw, sizeof(raw));
	return base64_encode(raw, sizeof(raw));
}
