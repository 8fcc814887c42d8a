/*
 * One request and its one answer, as handlers see it. They know neither the parser nor TLS.
 *
 * A handler runs on a worker thread, after the head was found sound and the body is complete. It
 * answers once, then or later: http_exchange_reply*(), or http_exchange_upgrade(). A handler that
 * returns without an answer and without http_exchange_defer() is answered for with a 500.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/net/netaddr.h"
#include "lib/net/url.h"
#include "lib/net/x509.h"

struct http_exchange;
struct stream;

/* --- The request. All pointers are borrowed from the exchange. --- */

const char *http_exchange_method(const struct http_exchange *x); /* Upper case: "GET". */

/* As sent, still escaped and without the query: "/1.0/instances/a%2Fb". Begins with "/". */
const char *http_exchange_path(const struct http_exchange *x);
const char *http_exchange_raw_query(const struct http_exchange *x); /* Without "?", or NULL. */

/* Parsed and decoded. Malformed queries were answered with 400 before the handler. */
const struct url_query *http_exchange_query(const struct http_exchange *x);
const char *http_exchange_query_value(const struct http_exchange *x, const char *key);

/* The value of a header by name in any case, outer blanks cut; the first if repeated. Or NULL. */
const char *http_exchange_header(const struct http_exchange *x, const char *name);

/* By position, until false is returned: for forwarding. */
bool http_exchange_header_at(const struct http_exchange *x, size_t i, const char **ret_name,
                             const char **ret_value);

struct http_peer {
	bool is_unix;
	bool is_tls;
	uid_t uid; /* These three for unix sockets only. */
	gid_t gid;
	pid_t pid;
	char address[NETADDR_TEXT_SIZE];         /* "10.0.0.1:4242", or "@" for unix. */
	char fingerprint[X509_FINGERPRINT_SIZE]; /* Of the client's certificate; "" if it has none.
	                                          */
	const uint8_t *cert_der;                 /* Or NULL. */
	size_t cert_size;
	const char *local_address; /* The address it came in on: "10.0.0.2:8443"; "" for unix. */
};

const struct http_peer *http_exchange_peer(const struct http_exchange *x);

/* The body when it was kept in memory: never NULL, ends with a NUL that 'size' does not count. */
const char *http_exchange_body(const struct http_exchange *x, size_t *ret_size);

/*
 * A body that went to a file: an open, unlinked file at position 0, or -1 if it is in memory.
 * Borrowed; http_exchange_body_take_fd() moves it to the caller.
 */
int http_exchange_body_fd(const struct http_exchange *x);
int http_exchange_body_take_fd(struct http_exchange *x);
uint64_t http_exchange_body_size(const struct http_exchange *x);

/* What the server's 'arrival_of' said when the request was complete. */
uint64_t http_exchange_arrival(const struct http_exchange *x);

/* Room for what the handlers' own layers attach, freed with the exchange. */
void http_exchange_attach(struct http_exchange *x, void *data, void (*free_data)(void *data));
void *http_exchange_attached(const struct http_exchange *x);

/* --- The answer: exactly one of these, from any thread. --- */

/* Headers added to the answer, whatever it is. Name and value are copied; bad bytes are an assert.
 */
void http_exchange_add_header(struct http_exchange *x, const char *name, const char *value);

/* With a body of 'size' bytes, copied, or (take) given with malloc() and freed later. */
void http_exchange_reply(struct http_exchange *x, int status, const void *body, size_t size);
void http_exchange_reply_take(struct http_exchange *x, int status, void *body, size_t size);

/* With 'size' bytes of a file from 'offset'. Takes the descriptor. Read on worker threads. */
void http_exchange_reply_fd_take(struct http_exchange *x, int status, int fd, uint64_t offset,
                                 uint64_t size);

/*
 * With a body of unknown (UINT64_MAX) or known size that 'pull' makes: it writes at most 'size'
 * bytes and returns their number, 0 at the end, or a negative errno, which breaks the connection.
 * It runs on worker threads, one call at a time, and may block. 'done' is called exactly once, also
 * when the client leaves early.
 */
struct http_pull {
	ssize_t (*pull)(void *data, size_t size, void *arg);
	void (*done)(void *arg);
	void *arg;
};
void http_exchange_reply_pull(struct http_exchange *x, int status, uint64_t size,
                              const struct http_pull *pull);

/* The same from a pipe or socket, which may be slow: read without a thread until its end. Takes it.
 */
void http_exchange_reply_pipe_take(struct http_exchange *x, int status, int fd);

/*
 * Answers "101 Switching Protocols" with "Upgrade: <protocol>" and the added headers, and hands the
 * connection over: 'upgraded' is called once on the loop thread with the stream (owned by it), or
 * with NULL when the client has gone. For websockets see http_exchange_upgrade_websocket().
 */
typedef void http_upgraded_fn(struct stream *s, void *arg);
void http_exchange_upgrade(struct http_exchange *x, const char *protocol,
                           http_upgraded_fn *upgraded, void *arg);

/* Whether a page asks that this server served: its Origin is there and is what its Host says. */
bool http_exchange_is_same_origin(const struct http_exchange *x);

/* Whether the request asks for an upgrade to 'protocol' ("websocket", "dqlite", "sftp"). */
bool http_exchange_wants_upgrade(const struct http_exchange *x, const char *protocol);

/*
 * The websocket handshake of the server (RFC 6455, 4.2): checks the request and upgrades, or fails
 * with a 400 for the caller to answer. Where it may come from is the caller's to check.
 */
int http_exchange_upgrade_websocket(struct http_exchange *x, http_upgraded_fn *upgraded, void *arg,
                                    struct error **err);

/*
 * Lets the handler return without an answer: one follows later from any thread. The exchange stays
 * valid until it is answered, also when the client has gone meanwhile.
 */
void http_exchange_defer(struct http_exchange *x);

/* Whether the client closed its side. Any thread, until the answer. */
bool http_exchange_is_gone(const struct http_exchange *x);

/*
 * 'gone' is called at most once on the loop thread as soon as the client leaves before the answer;
 * at once if it has left already. Must not block. http_exchange_forget_gone() returns only when it
 * is sure that 'gone' neither runs nor will run; call it before freeing 'arg', and not from within
 * 'gone'.
 */
void http_exchange_on_gone(struct http_exchange *x, void (*gone)(void *arg), void *arg);
void http_exchange_forget_gone(struct http_exchange *x);
