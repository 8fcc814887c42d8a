/*
 * WebSockets (RFC 6455) on the loop, in both roles.
 *
 * Strict: clients must mask, control frames are short, text is UTF-8, messages have a largest size.
 * Peers are pinged and given up when they stop answering; a peer that does not read is closed when
 * its queue is full. Callbacks run on the loop thread and must not block; sending is allowed from
 * any thread. Counted: websocket_ref() before another thread keeps one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/net/stream.h"

enum websocket_type { WEBSOCKET_TEXT, WEBSOCKET_BINARY };
enum websocket_role { WEBSOCKET_SERVER, WEBSOCKET_CLIENT };

struct websocket;

struct websocket_config {
	enum websocket_role role;
	size_t message_max; /* Bytes of one message received; 0: 4 MiB. */
	size_t queue_max;   /* Bytes of memory that may wait to be sent; 0: 8 MiB. */
	unsigned ping_ms;   /* Pause between pings; 0: 10 s. */
	bool no_ping;

	/*
	 * It ends when so many pings in a row have brought nothing back; 0: never. Clients that do
	 * not read all the time (exec's) answer none; a dead host is noticed by TCP within a minute
	 * anyway.
	 */
	unsigned max_unanswered;

	/* Each may be NULL. 'data' is valid during the call only, and ends with a NUL for text. */
	void (*on_message)(struct websocket *ws, enum websocket_type type, const void *data,
	                   size_t size, void *arg);

	/* All that was sent so far has gone to the socket. */
	void (*on_drained)(struct websocket *ws, void *arg);

	/*
	 * Exactly once and last, however it ends: 'code' is that of the peer's close frame, 1000
	 * after our own close, 1006 when the connection broke. 'arg' is not used afterwards.
	 */
	void (*on_close)(struct websocket *ws, unsigned code, void *arg);
	void *arg;
};

/*
 * Takes the stream (handshake done) and starts. Any thread; callbacks may come before it returns.
 * The caller owns one reference; the connection itself another until on_close has returned.
 */
struct websocket *websocket_new_take(struct loop *loop, struct stream *s,
                                     const struct websocket_config *config) MUST_CHECK;
struct websocket *websocket_ref(struct websocket *ws);
void websocket_unref(struct websocket *ws); /* Does not close. */
DEFINE_SCOPED(struct websocket *, websocket_unref);

/*
 * Queues a message; any thread. 0, -EPIPE when closed or closing, -ENOBUFS when the peer is too
 * slow (it is being closed then), -EINVAL for text that is not UTF-8.
 */
int websocket_send(struct websocket *ws, enum websocket_type type, const void *data, size_t size);

/* Bytes waiting to be sent; any thread. For back-pressure with on_drained. */
size_t websocket_queued(struct websocket *ws);

/* Stops and starts reading (pings are answered only while reading); any thread. */
void websocket_pause(struct websocket *ws);
void websocket_resume(struct websocket *ws);

/* Sends what is queued, a close frame, and ends; any thread, also several times. 1000 is normal. */
void websocket_close(struct websocket *ws, unsigned code, const char *reason);

/* Ends at once, queued messages are lost; any thread. */
void websocket_abort(struct websocket *ws);

/* Whether on_close was called or is due. */
bool websocket_is_closed(struct websocket *ws);

/* The Sec-WebSocket-Accept of a Sec-WebSocket-Key, owned by the caller; NULL if the key is
 * malformed. */
char *websocket_accept_key(const char *key) MUST_CHECK;

/* A fresh Sec-WebSocket-Key. Owned by the caller. */
char *websocket_new_key(void) MUST_CHECK;
