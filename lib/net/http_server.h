/*
 * The HTTP server: listeners, TLS, limits and deadlines on the loop thread, handlers on a pool.
 *
 * A client is read strictly and only here: a head that has two readings, a body that ends early, a
 * peer that dawdles never reach a handler. Nothing a client does or omits holds up another one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/net/http_exchange.h"
#include "lib/net/tls.h"

struct http_server;
struct loop;
struct worker;

/* What a request's body may be, decided from its head. */
struct http_body_limit {
	uint64_t size_max;   /* Over it: 413, or 403 with the text 'forbidden'. */
	uint64_t memory_max; /* Over it the body goes to a file, if there is a 'spool_dir'; else
	                        413. */
	int spool_dir;       /* Borrowed directory descriptor for O_TMPFILE, or -1. */

	/* For who may send so little because nothing of theirs is taken; static, or NULL. */
	const char *forbidden;
};

struct http_server_config {
	struct loop *loop;
	struct worker *worker; /* Runs the handlers; full: 503. */

	/* On a worker thread. See http_exchange.h. */
	void (*handler)(struct http_exchange *x, void *arg);

	/*
	 * On the loop thread when a head is complete and a body follows; must not block. '*limit'
	 * holds the defaults below on entry. NULL: the defaults hold for all.
	 */
	void (*limit_body)(const struct http_exchange *x, struct http_body_limit *limit, void *arg);

	/*
	 * On the loop thread when a request is complete; must not block. The pool that runs its
	 * handler, for those that must not wait behind others; NULL: 'worker'. May itself be NULL.
	 */
	struct worker *(*worker_of)(const struct http_exchange *x, void *arg);

	/*
	 * On the loop thread when a request is complete; must not block. What it returns is
	 * http_exchange_arrival(). NULL: 0.
	 */
	uint64_t (*arrival_of)(void *arg);

	/*
	 * The body of an answer that the server gives by itself (400, 408, 413, 431, 500, 503):
	 * malloc()ed JSON. NULL: none.
	 */
	char *(*error_body)(int status, const char *message, size_t *ret_size);
	void *arg;

	/* Zero takes the default in brackets. Milliseconds. */
	unsigned handshake_ms; /* [10,000] From accept to the end of the TLS handshake. */
	unsigned head_ms;      /* [15,000] From then, or a request's first byte, to a whole head. */
	unsigned body_ms;      /* [30,000] Within it a body must grow by 16 KiB or end. */
	unsigned send_ms;      /* [60,000] Within it a client must take some bytes of an answer. */
	unsigned idle_ms;      /* [300,000] Between requests. */

	unsigned max_connections; /* [4096] Then the longest idle one is closed, or the new one. */
	unsigned max_per_peer;    /* [1024] Per address (IPv6: /64) or uid; uid 0 is not counted. */
	size_t head_max;          /* [16 KiB] Over it: 431. */
	struct http_body_limit body; /* [size_max and memory_max 1 MiB, no spool] */

	bool allow_tls12;    /* Else TLS 1.3 only. */
	bool is_tls_on_unix; /* STARTTLS on unix sockets: "STARTTLS\n" first, then a handshake. */
};

/* Any thread. Nothing is served before a listener is added. */
struct http_server *http_server_new(const struct http_server_config *config) MUST_CHECK;

/*
 * Stops listening, lets running requests end for at most 'grace_ms', then cuts the rest; upgraded
 * streams are no longer the server's. Blocks; not from the loop thread.
 */
void http_server_stop(struct http_server *server, unsigned grace_ms);
void http_server_free(struct http_server *server); /* Stops with no grace if that was not done. */
DEFINE_SCOPED(struct http_server *, http_server_free);

/*
 * The certificate for connections accepted from now on. References it. Needed before a TLS listener
 * is added; any thread.
 */
void http_server_set_credentials(struct http_server *server, struct tls_credentials *cred);

enum http_listener_kind {
	HTTP_LISTENER_UNIX, /* Plain, STARTTLS if allowed. */
	HTTP_LISTENER_TLS,
	HTTP_LISTENER_PLAIN, /* TCP without TLS: metrics and tests. */
};

/*
 * Accepts on a listening descriptor (socket.h), which is taken. Returns an id for
 * http_server_remove_listener(), which returns when it is closed; connections stay. Any thread but
 * the loop's for the latter.
 */
unsigned http_server_add_listener_take(struct http_server *server, enum http_listener_kind kind,
                                       int fd);
void http_server_remove_listener(struct http_server *server, unsigned id);

/* For metrics and tests. */
struct http_server_counts {
	unsigned connections, handshaking, active;
	uint64_t accepted, refused, requests, timed_out, bad_requests;
};
void http_server_counts(struct http_server *server, struct http_server_counts *ret_counts);
