#include "client/ws.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <wslay/wslay.h>

#include "client/dial.h"
#include "client/http.h"
#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/random.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/net/digest.h"

#define MESSAGE_MAX (64U << 20)

struct ws {
	struct stream *stream;
	wslay_event_context_ptr wslay;
	ws_on_message *on_message;
	void *arg;
	short read_events, write_events;
	bool closed;
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t size, int flags, void *arg)
{
	struct ws *ws = arg;
	ssize_t n = stream_read(ws->stream, buf, size);

	(void)flags;
	if (n > 0)
		return n;
	if (n == -EAGAIN)
		ws->read_events = stream_read_events(ws->stream);
	else
		ws->closed = true;
	wslay_event_set_error(ctx,
	                      n == -EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t size, int flags,
                       void *arg)
{
	struct ws *ws = arg;
	ssize_t n = stream_write(ws->stream, data, size);

	(void)flags;
	if (n > 0)
		return n;
	if (n == -EAGAIN)
		ws->write_events = stream_write_events(ws->stream);
	else
		ws->closed = true;
	wslay_event_set_error(ctx,
	                      n == -EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t size, void *arg)
{
	(void)ctx;
	(void)arg;
	random_bytes(buf, size);
	return 0;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
                       void *arg)
{
	struct ws *ws = arg;

	(void)ctx;
	if (m->opcode == WSLAY_TEXT_FRAME || m->opcode == WSLAY_BINARY_FRAME)
		ws->on_message(ws->arg, m->opcode == WSLAY_TEXT_FRAME, (const char *)m->msg,
		               m->msg_length);
}

static char *accept_of(const char *key)
{
	scoped_free char *text = xasprintf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	uint8_t sum[20];

	digest_sha1(text, strlen(text), sum);
	return base64_encode(sum, sizeof(sum));
}

/* What a refused upgrade says. */
static int refused(const struct http_answer *answer, struct error **err)
{
	scoped(error_freep) struct error *unread = NULL;
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	int status = answer->status >= 400 ? answer->status : 502;

	if (jv_parse(answer->body, answer->size, &envelope, &unread) == 0 &&
	    jv_text(envelope, "error"))
		return error_set(err, status, "%s", jv_text(envelope, "error"));
	return error_set(err, status, "The server refused a websocket with status %d",
	                 answer->status);
}

static int handshake(struct stream *stream, const char *path, struct error **err)
{
	struct http_answer answer = { 0 };
	uint8_t nonce[16];

	dial_init_tls(); /* SHA-1 is there only then. */
	random_bytes(nonce, sizeof(nonce));
	scoped_free char *key = base64_encode(nonce, sizeof(nonce));
	scoped_free char *header = xasprintf("Sec-WebSocket-Key: %s", key);
	scoped_free char *wanted = accept_of(key);
	const char *headers[] = { "Connection: Upgrade", "Upgrade: websocket",
		                  "Sec-WebSocket-Version: 13", header, NULL };
	struct http_message message = { .method = "GET", .path = path, .headers = headers };
	int r = http_send(stream, &message, &answer, err);

	if (r < 0)
		return r;
	if (answer.status != 101)
		r = refused(&answer, err);
	else if (!str_equals(http_header(&answer, "Sec-WebSocket-Accept"), wanted))
		r = error_set(err, 502, "The server does not speak the websocket protocol");
	http_answer_done(&answer);
	return r;
}

int ws_dial(struct server *server, const char *path, ws_on_message *on_message_fn, void *arg,
            struct ws **ret_ws, struct error **err)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_msg_recv_callback = on_message,
	};
	scoped(stream_freep) struct stream *stream = NULL;
	int r = server_dial(server, &stream, err);

	if (r == 0)
		r = handshake(stream, path, err);
	if (r < 0)
		return r;

	scoped(ws_freep) struct ws *ws = xcalloc(1, sizeof(*ws));
	ws->stream = TAKE_PTR(stream);
	ws->on_message = on_message_fn;
	ws->arg = arg;
	ws->read_events = POLLIN;
	ws->write_events = POLLOUT;
	if (wslay_event_context_client_init(&ws->wslay, &callbacks, ws))
		return error_set(err, 500, "Failed preparing a websocket");
	wslay_event_config_set_max_recv_msg_length(ws->wslay, MESSAGE_MAX);
	*ret_ws = TAKE_PTR(ws);
	return 0;
}

void ws_free(struct ws *ws)
{
	if (!ws)
		return;
	if (ws->wslay)
		wslay_event_context_free(ws->wslay);
	stream_free(ws->stream);
	free(ws);
}

int ws_fd(const struct ws *ws)
{
	return stream_fd(ws->stream);
}

short ws_events(const struct ws *ws)
{
	short events = ws->read_events;

	if (wslay_event_want_write(ws->wslay))
		events = (short)(events | ws->write_events);
	return events;
}

bool ws_has_pending(const struct ws *ws)
{
	return !ws->closed && stream_has_pending(ws->stream);
}

bool ws_process(struct ws *ws)
{
	if (ws->closed)
		return false;
	if (wslay_event_want_read(ws->wslay) && wslay_event_recv(ws->wslay) != 0)
		ws->closed = true;
	if (!ws->closed && wslay_event_want_write(ws->wslay) && wslay_event_send(ws->wslay) != 0)
		ws->closed = true;
	if (!wslay_event_want_read(ws->wslay) && !wslay_event_want_write(ws->wslay))
		ws->closed = true;
	return !ws->closed;
}

bool ws_is_closed(const struct ws *ws)
{
	return ws->closed;
}

void ws_send(struct ws *ws, bool is_text, const void *data, size_t size)
{
	struct wslay_event_msg message = { .opcode =
		                                   is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
		                           .msg = data,
		                           .msg_length = size };

	if (!ws->closed)
		wslay_event_queue_msg(ws->wslay, &message);
}

size_t ws_queued(const struct ws *ws)
{
	return wslay_event_get_queued_msg_length(ws->wslay);
}
