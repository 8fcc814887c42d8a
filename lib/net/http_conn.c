#include "lib/net/http_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/net/http_conn_impl.h"
#include "lib/net/socket.h"

static const char starttls[] = "STARTTLS\n";

enum { BODY_PROGRESS = 16 * 1024 };

bool http_conn_has_pending(const struct http_conn *c)
{
	return c->tls && tls_session_pending(c->tls) > 0;
}

void http_conn_watch(struct http_conn *c, unsigned events)
{
	if (c->events == events)
		return;
	c->events = events;
	loop_watch_set(c->watch, events);
}

void http_conn_set_deadline(struct http_conn *c, enum http_deadline_kind kind)
{
	http_deadline_set(&c->server->deadlines, &c->deadline, kind);
}

unsigned http_conn_loop_events(short poll_events)
{
	return poll_events & POLLOUT ? LOOP_WRITABLE : LOOP_READABLE;
}

/* --- The end --- */

static void free_conn(void *arg)
{
	struct http_conn *c = arg;

	http_server_unref(c->server);
	free(c);
}

void http_conn_drop_exchange(struct http_conn *c)
{
	struct http_exchange *x = TAKE_PTR(c->x);

	if (!x)
		return;

	x->conn = NULL;
	if (!atomic_load(&x->is_answered))
		http_exchange_mark_gone(x);
	if (x->reply.upgraded && c->state >= CONN_UPGRADING) {
		http_upgraded_fn *upgraded = TAKE_PTR(x->reply.upgraded);
		upgraded(NULL, x->reply.upgraded_arg);
	}
	http_exchange_unref(x);
}

void http_conn_drop_reply(struct http_conn *c)
{
	if (c->lane)
		http_lane_release(c->lane);
	c->lane = NULL;
	c->n_body_left = 0;
	if (c->own_reply)
		http_reply_done(c->own_reply);
	free(c->own_reply);
	c->own_reply = NULL;
}

bool http_conn_is_active(const struct http_conn *c)
{
	return c->state >= CONN_BODY && c->state <= CONN_UPGRADING;
}

void http_conn_close(struct http_conn *c)
{
	struct http_server *server = c->server;

	if (c->state == CONN_CLOSED)
		return;

	bool is_secure = c->tls && c->state != CONN_HANDSHAKE;
	if (http_conn_is_active(c))
		server->counts.active--;
	if (c->state == CONN_HANDSHAKE)
		server->counts.handshaking--;
	http_conn_drop_reply(c);
	http_conn_drop_exchange(c);
	c->state = CONN_CLOSED;

	http_deadline_clear(&c->deadline);
	http_sink_free(c->sink);
	strbuf_done(&c->in);
	strbuf_done(&c->out);
	loop_watch_free(c->watch);
	if (is_secure)
		(void)tls_session_shutdown(c->tls);
	tls_session_free(c->tls);
	if (c->fd >= 0)
		close(c->fd);
	http_exchange_peer_unref(c->peer);
	http_crowd_leave(&server->crowd, c->crowd);
	list_remove(&c->entry);
	server->counts.connections--;

	/* Callers up the stack still look at the state, and calls to us may be queued. */
	loop_call(server->loop, free_conn, c);
	http_server_conn_ended(server);
}

void http_conn_linger(struct http_conn *c)
{
	c->state = CONN_LINGERING;
	strbuf_done(&c->in);
	if (c->tls)
		(void)tls_session_shutdown(c->tls);
	(void)shutdown(c->fd, SHUT_WR);
	http_conn_set_deadline(c, HTTP_DEADLINE_LINGER);
	http_conn_watch(c, LOOP_READABLE);
}

static void drop_input(struct http_conn *c)
{
	for (unsigned i = 0; i < 16; i++) {
		/* Of TLS too: what it means does not matter any more. */
		ssize_t n = recv(c->fd, c->server->scratch, HTTP_SCRATCH_SIZE, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			http_conn_close(c);
			return;
		}
	}
}

/* --- The beginning --- */

static void handshake(struct http_conn *c)
{
	int r = tls_session_handshake(c->tls);

	if (r == -EAGAIN) {
		http_conn_watch(c, http_conn_loop_events(tls_session_wants(c->tls)));
		return;
	}
	if (r < 0) {
		http_conn_close(c);
		return;
	}
	c->server->counts.handshaking--;
	c->state = CONN_HEAD;
	http_conn_set_deadline(c, HTTP_DEADLINE_HEAD);
	http_conn_watch(c, LOOP_READABLE | LOOP_GONE);
	if (http_conn_has_pending(c))
		http_conn_input_read(c);
}

static void start_tls(struct http_conn *c)
{
	struct http_server *server = c->server;
	const struct tls_options options = { .allow_tls12 = server->config.allow_tls12,
		                             .ticket_key = &server->ticket_key };

	c->state = CONN_HANDSHAKE;
	server->counts.handshaking++;
	c->tls = server->cred ? tls_session_new(TLS_SERVER, c->fd, server->cred, &options) : NULL;
	if (!c->tls) {
		http_conn_close(c);
		return;
	}
	http_conn_set_deadline(c, HTTP_DEADLINE_HANDSHAKE);
	handshake(c);
}

/* No method begins with "S", so one look at the first byte mostly decides. */
static void sniff(struct http_conn *c)
{
	char line[sizeof(starttls) - 1];
	size_t have = c->in.size;
	ssize_t n = recv(c->fd, line, sizeof(line) - have, have > 0 ? 0 : MSG_PEEK);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		http_conn_close(c);
		return;
	}

	if (have == 0 && line[0] == 'S')
		n = recv(c->fd, line, (size_t)n, 0);
	if (n > 0 && (have > 0 || line[0] == 'S')) {
		strbuf_add_n(&c->in, line, (size_t)n);
		if (memcmp(c->in.text, starttls, c->in.size) == 0) {
			if (c->in.size == sizeof(starttls) - 1) {
				strbuf_done(&c->in);
				start_tls(c);
			}
			return;
		}
	}
	c->state = CONN_HEAD;
	http_conn_watch(c, LOOP_READABLE | LOOP_GONE);
	http_conn_input_resume(c);
}

static void on_gone(struct http_conn *c)
{
	c->has_seen_gone = true;
	if (c->state == CONN_RUNNING || c->state == CONN_SPOOLING) {
		http_conn_watch(c, 0);
		http_exchange_mark_gone(c->x);
	} else if (c->state == CONN_REPLYING || c->state == CONN_UPGRADING) {
		http_conn_watch(c, http_conn_output_is_stuck(c) ? LOOP_WRITABLE : 0);
		http_conn_set_deadline(c, HTTP_DEADLINE_SEND);
	}
}

static void on_event(unsigned events, void *arg)
{
	struct http_conn *c = arg;

	switch (c->state) {
	case CONN_SNIFF:
		sniff(c);
		break;
	case CONN_HANDSHAKE:
		handshake(c);
		break;
	case CONN_HEAD:
	case CONN_BODY:
		http_conn_input_read(c);
		break;
	case CONN_SPOOLING:
	case CONN_RUNNING:
		/* More input: it can wait, but not be polled for. */
		if (events & LOOP_GONE)
			on_gone(c);
		else
			http_conn_watch(c, LOOP_GONE);
		break;
	case CONN_REPLYING:
	case CONN_UPGRADING:
		if (events & LOOP_GONE && !c->has_seen_gone)
			on_gone(c);
		else if (c->state == CONN_REPLYING && http_conn_output_is_stuck(c))
			http_conn_output_pump(c);
		else if (c->state == CONN_UPGRADING)
			http_conn_output_go_on_upgrading(c);
		else
			http_conn_watch(c, c->has_seen_gone ? 0 : LOOP_GONE);
		break;
	case CONN_LINGERING:
		drop_input(c);
		break;
	case CONN_CLOSED:
		break;
	}
}

/* Counts it for its peer. Returns false if that has too many. */
static bool enter_crowd(struct http_conn *c, const struct netaddr *peer)
{
	struct http_server *server = c->server;
	unsigned max = server->config.max_per_peer;
	uint64_t key = 0;

	if (peer->storage.ss_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, &peer->storage, sizeof(in));
		key = in.sin_addr.s_addr;
	} else if (peer->storage.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, &peer->storage, sizeof(in6));
		bool is_v4 = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
		memcpy(&key, &in6.sin6_addr.s6_addr[is_v4 ? 8 : 0], sizeof(key));
	} else {
		struct socket_cred cred;
		if (socket_peer_cred(c->fd, &cred) < 0)
			return false;
		if (cred.uid == 0)
			return true;
		key = cred.uid;
	}
	c->crowd = http_crowd_enter(&server->crowd, peer->storage.ss_family, key, max);
	return c->crowd;
}

void http_conn_start_take(struct http_server *server, enum http_listener_kind kind, int fd,
                          const struct netaddr *peer)
{
	struct http_conn *c = xcalloc(1, sizeof(*c));

	c->server = http_server_ref(server);
	c->kind = kind;
	c->fd = fd;
	server->counts.accepted++;
	if ((server->counts.connections >= server->config.max_connections &&
	     !http_conn_evict_idle(server)) ||
	    !enter_crowd(c, peer)) {
		server->counts.refused++;
		close(fd);
		free_conn(c);
		return;
	}

	server->counts.connections++;
	list_add_last(&server->conns, &c->entry);
	c->events = LOOP_READABLE | LOOP_GONE;
	c->watch = loop_watch_new(server->loop, fd, c->events, on_event, c);
	c->state = CONN_HEAD;
	if (kind == HTTP_LISTENER_UNIX && server->config.is_tls_on_unix) {
		c->state = CONN_SNIFF;
		http_conn_watch(c, LOOP_READABLE);
	}
	http_conn_set_deadline(c, HTTP_DEADLINE_HEAD);
	if (kind == HTTP_LISTENER_TLS)
		start_tls(c);
}

/* --- All of them --- */

/* A peer that takes nothing would keep what was sent in the kernel's buffers: reset it. */
static void reset(struct http_conn *c)
{
	const struct linger none = { .l_onoff = 1 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	http_conn_close(c);
}

static void expired(struct http_deadline *d)
{
	struct http_conn *c = CONTAINER_OF(d, struct http_conn, deadline);

	if (d->kind == HTTP_DEADLINE_BODY && c->state == CONN_BODY) {
		uint64_t size = http_sink_size(c->sink);
		if (!http_conn_input_is_wanted(c) || size - c->body_mark >= BODY_PROGRESS) {
			c->body_mark = size;
			http_conn_set_deadline(c, HTTP_DEADLINE_BODY);
			return;
		}
	}

	if (d->kind != HTTP_DEADLINE_IDLE)
		c->server->counts.timed_out++;
	if ((d->kind == HTTP_DEADLINE_BODY && c->state == CONN_BODY) ||
	    (d->kind == HTTP_DEADLINE_HEAD && c->state == CONN_HEAD && c->in.size > 0))
		http_conn_output_fail_and_close(c, 408, "Request took too long");
	else if (d->kind == HTTP_DEADLINE_SEND)
		reset(c);
	else
		http_conn_close(c);
}

void http_conn_init_deadlines(struct http_server *server)
{
	http_deadline_init(&server->deadlines, server->loop, expired);
}

bool http_conn_evict_idle(struct http_server *server)
{
	struct http_deadline *d = LIST_FIRST(&server->deadlines.lists[HTTP_DEADLINE_IDLE],
	                                     struct http_deadline, entry);

	if (!d)
		return false;
	http_conn_close(CONTAINER_OF(d, struct http_conn, deadline));
	return true;
}

void http_conn_drain_all(struct http_server *server)
{
	struct http_conn *c;

	LIST_FOREACH (c, &server->conns, entry) {
		if (http_conn_is_active(c))
			c->closes_after = true;
		else
			http_conn_close(c);
	}
}

void http_conn_cut_all(struct http_server *server)
{
	struct http_conn *c;

	while ((c = LIST_FIRST(&server->conns, struct http_conn, entry)))
		http_conn_close(c);
}
