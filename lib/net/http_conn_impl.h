/* The inside of a connection, shared by the files that are its state machine. */
#pragma once

#include <sys/types.h>

#include "lib/base/strbuf.h"
#include "lib/net/http_body.h"
#include "lib/net/http_conn.h"
#include "lib/net/http_exchange_impl.h"
#include "lib/net/http_sink.h"

enum http_conn_state {
	CONN_SNIFF,     /* Unix: is the first line "STARTTLS"? */
	CONN_HANDSHAKE, /* TLS. */
	CONN_HEAD,      /* Between requests, or a head is coming in. */
	CONN_BODY,      /* Its body is. */
	CONN_SPOOLING,  /* The body is here, its end is being written to a file. */
	CONN_RUNNING,   /* The handler has it. */
	CONN_REPLYING,  /* The answer is on its way. */
	CONN_UPGRADING, /* The 101 is. */
	CONN_LINGERING, /* All is sent; what the peer still sends is dropped. */
	CONN_CLOSED,
};

struct http_conn {
	struct list entry; /* In the server's. */
	struct http_deadline deadline;
	struct http_server *server; /* Referenced. */
	enum http_listener_kind kind;
	enum http_conn_state state;
	int fd;
	struct tls_session *tls;
	struct loop_watch *watch;
	unsigned events;
	struct http_crowd_peer *crowd;
	struct http_peer_box *peer; /* Made for the first request. */

	struct strbuf in; /* Read, but not used yet. */
	size_t scanned;   /* Of the head that 'in' begins with. */

	struct http_exchange *x; /* Referenced. */
	struct http_body body;
	struct http_sink *sink;
	uint64_t body_mark;         /* Its size when the deadline was set. */
	const char *body_forbidden; /* Why more than its limit is refused, or NULL. */

	struct http_lane *lane;
	struct http_reply *own_reply; /* When the answer is not the exchange's. */
	struct strbuf out;            /* Not taken by the peer yet, from 'out_from' on. */
	size_t out_from;
	const char *body_left; /* Of an answer in memory, to be sent after 'out'. */
	size_t n_body_left;

	bool closes_after; /* The answer is the last one. */
	bool has_unread;   /* The peer may still be sending what nobody will read. */
	bool has_seen_gone;
};

/* --- http_conn.c --- */

void http_conn_close(struct http_conn *c);
void http_conn_watch(struct http_conn *c, unsigned events);
void http_conn_set_deadline(struct http_conn *c, enum http_deadline_kind kind);
unsigned http_conn_loop_events(short poll_events);

/* Whether a request is being read, handled or answered. */
bool http_conn_is_active(const struct http_conn *c);

/* Whether TLS holds bytes that no poll shows. */
bool http_conn_has_pending(const struct http_conn *c);

/* Lets go of the exchange; the answer that may still come for it finds no connection. */
void http_conn_drop_exchange(struct http_conn *c);
void http_conn_drop_reply(struct http_conn *c);

/* Says that no more will come, and drops what the peer sends until it has seen that. */
void http_conn_linger(struct http_conn *c);

/* --- http_conn_input.c --- */

/* Reads what the peer has sent and acts on it. */
void http_conn_input_read(struct http_conn *c);

/* Goes on with what was read before, then with the socket. May be called by the loop. */
void http_conn_input_resume(void *arg);

/* Whether more input is of use now. */
bool http_conn_input_is_wanted(const struct http_conn *c);

/* --- http_conn_output.c --- */

void http_conn_output_reply(struct http_conn *c, struct http_reply *reply);
void http_conn_output_upgrade(struct http_conn *c);

/* Answers by ourselves. */
void http_conn_output_fail(struct http_conn *c, int status, const char *message);

/* The same when what else the peer sends cannot be understood or is not wanted. */
void http_conn_output_fail_and_close(struct http_conn *c, int status, const char *message);

/* "100 Continue". Returns false if it cannot be sent at once. */
bool http_conn_output_continue(struct http_conn *c);

/* Whether the peer has yet to take what is there for it. */
bool http_conn_output_is_stuck(const struct http_conn *c);

/* Goes on with an answer, or with a 101. */
void http_conn_output_pump(void *arg);
void http_conn_output_go_on_upgrading(struct http_conn *c);
