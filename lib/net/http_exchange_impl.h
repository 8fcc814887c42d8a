/* The inside of an exchange, for the connection it belongs to. */
#pragma once

#include <stdatomic.h>

#include "lib/base/refs.h"
#include "lib/base/thread.h"
#include "lib/net/http_exchange.h"
#include "lib/net/http_head.h"
#include "lib/net/http_reply.h"

struct http_conn;
struct http_server;
struct loop;

/* A connection's peer, shared by its exchanges, which may outlive it. */
struct http_peer_box {
	struct refs refs;
	struct http_peer peer;
	char local_address[NETADDR_TEXT_SIZE];
	uint8_t cert[]; /* 'peer.cert_size' bytes. */
};

struct http_peer_box *http_exchange_peer_ref(struct http_peer_box *box);
void http_exchange_peer_unref(struct http_peer_box *box);

/*
 * References: one of the connection until it lets go, one for the answer that is due, one of the
 * handler while it runs.
 */
struct http_exchange {
	struct mutex lock; /* Of the three below. */
	struct cond changed;
	void (*gone)(void *arg) GUARDED;
	void *gone_arg GUARDED;
	bool is_gone_running GUARDED;

	struct refs refs;
	struct http_server *server; /* Referenced. */
	struct loop *loop;
	struct http_conn *conn; /* Loop thread only; NULL when the connection is no more. */

	/* Called on the loop thread once there is an answer; drops its reference. */
	void (*answered)(struct http_exchange *x);

	struct http_head *head;
	struct http_peer_box *peer;
	char *body; /* NULL: none, or in a file. */
	int body_fd;
	uint64_t body_size;
	uint64_t arrival;

	void *attached;
	void (*free_attached)(void *data);

	struct http_reply reply; /* Headers first; the rest with the answer. */
	atomic_bool is_answered, is_gone;
	bool is_deferred;
};

struct http_exchange *http_exchange_new(struct http_server *server, struct loop *loop) MUST_CHECK;
struct http_exchange *http_exchange_ref(struct http_exchange *x);
void http_exchange_unref(struct http_exchange *x);

/* On the loop thread: the client has left. Calls 'gone' if it is set and there is no answer. */
void http_exchange_mark_gone(struct http_exchange *x);
