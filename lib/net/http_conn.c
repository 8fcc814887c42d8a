#include "lib/net/http_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/base/strbuf.h"
#include "lib/base/worker.h"
#include "lib/net/http_body.h"
#include "lib/net/http_exchange_impl.h"
#include "lib/net/http_sink.h"
#include "lib/net/socket.h"
#include "lib/net/stream.h"

enum conn_state {
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

enum {
	READ_BUDGET = 256 * 1024, /* Bytes of one peer before others get their turn. */
	REPLY_BUDGET = 1024 * 1024,
	BODY_PROGRESS = 16 * 1024,
};

static const char starttls[] = "STARTTLS\n";

struct http_conn {
	struct list entry; /* In the server's. */
	struct http_deadline deadline;
	struct http_server *server; /* Referenced. */
	enum http_listener_kind kind;
	enum conn_state state;
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
	uint64_t body_mark; /* Its size when the deadline was set. */

	struct http_lane *lane;
	struct http_reply *own_reply; /* When the answer is not the exchange's. */
	struct strbuf out;            /* Not taken by the peer yet, from 'out_from' on. */
	size_t out_from;

	bool closes_after; /* The answer is the last one. */
	bool has_unread;   /* The peer may still be sending what nobody will read. */
	bool has_seen_gone;
};

static void resume_input(void *arg);

/* --- Bytes in and out --- */

static ssize_t conn_recv(struct http_conn *c, void *data, size_t size)
{
	if (c->tls)
		return tls_session_read(c->tls, data, size);

	ssize_t n = recv(c->fd, data, size, 0);
	return n < 0 ? -errno : n;
}

static ssize_t conn_send(struct http_conn *c, const void *data, size_t size)
{
	if (c->tls)
		return tls_session_write(c->tls, data, size);

	ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static bool has_pending(const struct http_conn *c)
{
	return c->tls && tls_session_pending(c->tls) > 0;
}

static void watch(struct http_conn *c, unsigned events)
{
	if (c->events == events)
		return;
	c->events = events;
	loop_watch_set(c->watch, events);
}

static void set_deadline(struct http_conn *c, enum http_deadline_kind kind)
{
	http_deadline_set(&c->server->deadlines, &c->deadline, kind);
}

static unsigned loop_events(short poll_events)
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

/* Lets go of the exchange; the answer that may still come for it finds no connection. */
static void drop_exchange(struct http_conn *c)
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

static void drop_reply(struct http_conn *c)
{
	if (c->lane)
		http_lane_release(c->lane);
	c->lane = NULL;
	if (c->own_reply)
		http_reply_done(c->own_reply);
	free(c->own_reply);
	c->own_reply = NULL;
}

static bool is_active(const struct http_conn *c)
{
	return c->state >= CONN_BODY && c->state <= CONN_UPGRADING;
}

static void conn_close(struct http_conn *c)
{
	struct http_server *server = c->server;

	if (c->state == CONN_CLOSED)
		return;

	bool is_secure = c->tls && c->state != CONN_HANDSHAKE;
	if (is_active(c))
		server->counts.active--;
	if (c->state == CONN_HANDSHAKE)
		server->counts.handshaking--;
	drop_reply(c);
	drop_exchange(c);
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

	/* Callers up the stack still look at the state, and calls to us may be queued: free it
	 * after. */
	loop_call(server->loop, free_conn, c);
	http_server_conn_ended(server);
}

/* Says that no more will come, and drops what the peer sends until it has seen that. */
static void linger(struct http_conn *c)
{
	c->state = CONN_LINGERING;
	strbuf_done(&c->in);
	if (c->tls)
		(void)tls_session_shutdown(c->tls);
	(void)shutdown(c->fd, SHUT_WR);
	set_deadline(c, HTTP_DEADLINE_LINGER);
	watch(c, LOOP_READABLE);
}

static void drop_input(struct http_conn *c)
{
	for (unsigned i = 0; i < 16; i++) {
		/* Of TLS too: what it means does not matter any more. */
		ssize_t n = recv(c->fd, c->server->scratch, HTTP_SCRATCH_SIZE, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_close(c);
			return;
		}
	}
}

/* --- Answers --- */

/* Returns 0 when all is sent, -EAGAIN, or another errno. */
static int flush(struct http_conn *c)
{
	while (c->out_from < c->out.size) {
		ssize_t n = conn_send(c, c->out.text + c->out_from, c->out.size - c->out_from);
		if (n < 0)
			return (int)n;
		c->out_from += (size_t)n;
		set_deadline(c, HTTP_DEADLINE_SEND);
	}
	strbuf_done(&c->out);
	c->out_from = 0;
	return 0;
}

/* Sends what it can and keeps the rest in 'out', which must be empty. Returns as flush(). */
static int send_bytes(struct http_conn *c, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = conn_send(c, data, size);
		if (n == -EAGAIN) {
			strbuf_add_n(&c->out, data, size);
			set_deadline(c, HTTP_DEADLINE_SEND);
		}
		if (n < 0)
			return (int)n;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static void watch_output(struct http_conn *c)
{
	unsigned gone = c->has_seen_gone ? 0 : LOOP_GONE;

	watch(c, gone | (c->tls ? loop_events(tls_session_wants(c->tls)) : LOOP_WRITABLE));
}

static void finish_reply(struct http_conn *c)
{
	drop_reply(c);
	drop_exchange(c);
	c->server->counts.active--;
	c->state = CONN_HEAD;
	c->scanned = 0;

	if (c->closes_after && c->has_unread) {
		linger(c);
		return;
	}
	if (c->closes_after) {
		conn_close(c);
		return;
	}

	set_deadline(c, HTTP_DEADLINE_IDLE);
	watch(c, LOOP_READABLE | (c->has_seen_gone ? 0 : LOOP_GONE));
	if (c->in.size > 0 || has_pending(c))
		loop_call(c->server->loop, resume_input, c);
}

/* Moves the answer from the lane to the peer for as long as both can. */
static void pump_reply(void *arg)
{
	struct http_conn *c = arg;
	size_t n_sent = 0;

	for (;;) {
		int r = flush(c);
		if (r == -EAGAIN) {
			watch_output(c);
			return;
		}
		if (r < 0)
			break;

		if (n_sent >= REPLY_BUDGET) {
			http_lane_again(c->lane);
			return;
		}

		ssize_t n = http_lane_read(c->lane, c->server->scratch_out, HTTP_SCRATCH_SIZE);
		if (n == 0) {
			finish_reply(c);
			return;
		}
		if (n == -EAGAIN) {
			/* Somebody who left and whom nothing is sent to is never noticed otherwise.
			 */
			if (c->has_seen_gone)
				set_deadline(c, HTTP_DEADLINE_SEND);
			else
				http_deadline_clear(&c->deadline);
			watch(c, c->has_seen_gone ? 0 : LOOP_GONE);
			return;
		}
		if (n < 0)
			break;

		n_sent += (size_t)n;
		r = send_bytes(c, c->server->scratch_out, (size_t)n);
		if (r < 0 && r != -EAGAIN)
			break;
	}
	conn_close(c);
}

static void start_reply(struct http_conn *c, struct http_reply *reply)
{
	const struct http_head *head = c->x ? c->x->head : NULL;
	struct http_lane_wish wish = {
		.is_head = head && head->is_head_method,
		.is_http10 = head && head->is_http10,
	};

	if (c->server->is_stopping || (wish.is_http10 && reply->kind == HTTP_REPLY_SOURCE &&
	                               reply->source_size == UINT64_MAX))
		c->closes_after = true;
	wish.keeps_alive = !c->closes_after;

	http_deadline_clear(&c->deadline);
	c->state = CONN_REPLYING;
	c->lane = http_lane_start(c->server->lanes, reply, &wish, pump_reply, c);
	if (c->lane)
		pump_reply(c);
	else
		conn_close(c);
}

/* Answers by ourselves. */
static void fail(struct http_conn *c, int status, const char *message)
{
	const struct http_server_config *config = &c->server->config;

	if (!is_active(c))
		c->server->counts.active++;
	http_sink_free(c->sink);
	c->sink = NULL;

	c->own_reply = xcalloc(1, sizeof(*c->own_reply));
	c->own_reply->status = status;
	if (config->error_body)
		c->own_reply->body = config->error_body(status, message, &c->own_reply->size);
	http_reply_add_field(c->own_reply, "Content-Type", "application/json");
	start_reply(c, c->own_reply);
}

/* The same when what else the peer sends cannot be understood or is not wanted. */
static void fail_and_close(struct http_conn *c, int status, const char *message)
{
	c->server->counts.bad_requests++;
	c->closes_after = true;
	c->has_unread = true;
	fail(c, status, message);
}

/* --- Upgrades --- */

static void finish_upgrade(struct http_conn *c)
{
	http_upgraded_fn *upgraded = TAKE_PTR(c->x->reply.upgraded);
	void *arg = c->x->reply.upgraded_arg;
	struct tls_session *tls = TAKE_PTR(c->tls);
	int fd = TAKE_FD(c->fd);
	struct strbuf surplus = c->in;

	c->in = (struct strbuf){ 0 };
	conn_close(c); /* Stops watching the descriptor, which is not its own any more. */

	struct stream *s = tls ? stream_new_tls_take(tls, fd) : stream_new_fd_take(fd);
	stream_unread(s, surplus.text, surplus.size);
	strbuf_done(&surplus);
	upgraded(s, arg);
}

static void go_on_upgrading(struct http_conn *c)
{
	int r = flush(c);

	if (r == 0)
		finish_upgrade(c);
	else if (r == -EAGAIN)
		watch_output(c);
	else
		conn_close(c);
}

static void start_upgrade(struct http_conn *c)
{
	const struct http_reply *reply = &c->x->reply;

	c->state = CONN_UPGRADING;
	strbuf_add(&c->out, "HTTP/1.1 101 Switching Protocols\r\n");
	for (size_t i = 0; i < reply->n_fields; i++)
		strbuf_addf(&c->out, "%s: %s\r\n", reply->fields[i].name, reply->fields[i].value);
	strbuf_add(&c->out, "\r\n");
	go_on_upgrading(c);
}

/* --- Requests --- */

/* On the loop thread: the exchange has its answer, and gives up the reference it had for it. */
static void on_answered(struct http_exchange *x)
{
	struct http_conn *c = x->conn;

	if (c && x->reply.kind == HTTP_REPLY_UPGRADE) {
		start_upgrade(c);
	} else if (c) {
		start_reply(c, &x->reply);
	} else if (x->reply.upgraded) {
		http_upgraded_fn *upgraded = TAKE_PTR(x->reply.upgraded);
		upgraded(NULL, x->reply.upgraded_arg);
	}
	http_exchange_unref(x);
}

/* On a worker thread. */
static void run_handler(void *arg)
{
	struct http_exchange *x = arg;
	const struct http_server_config *config = &x->server->config;

	config->handler(x, config->arg);
	if (!x->is_deferred && !atomic_load(&x->is_answered)) {
		size_t size = 0;
		char *body = NULL;
		if (config->error_body)
			body = config->error_body(500, "Request was not answered", &size);
		http_exchange_reply_take(x, 500, body, size);
	}
	http_exchange_unref(x);
}

static void dispatch(struct http_conn *c)
{
	struct http_exchange *x = c->x;

	http_deadline_clear(&c->deadline);
	c->state = CONN_RUNNING;
	http_exchange_ref(x); /* For the answer. */
	http_exchange_ref(x); /* For the handler. */
	if (worker_submit(c->server->config.worker, run_handler, x) < 0) {
		http_exchange_unref(x);
		http_exchange_unref(x);
		atomic_store(&x->is_answered, true);
		fail(c, 503, "Too many requests are waiting");
	}
}

/* The body has come in as a whole. */
static void finish_body(struct http_conn *c)
{
	c->state = CONN_SPOOLING;
	int r = http_sink_finish(c->sink);
	if (r == -EAGAIN) {
		http_deadline_clear(&c->deadline);
		return;
	}
	if (r < 0) {
		fail(c, r == -ENOSPC ? 507 : 500, "Failed storing the request's body");
		return;
	}

	c->x->body_size = http_sink_size(c->sink);
	c->x->body = http_sink_take_memory(c->sink);
	c->x->body_fd = http_sink_take_fd(c->sink);
	http_sink_free(c->sink);
	c->sink = NULL;
	dispatch(c);
}

static void on_sink_ready(void *arg)
{
	struct http_conn *c = arg;

	if (c->state == CONN_SPOOLING)
		finish_body(c);
	else if (c->state == CONN_BODY)
		resume_input(c);
}

static void start_body(struct http_conn *c)
{
	const struct http_server_config *config = &c->server->config;
	const struct http_head *head = c->x->head;
	struct http_body_limit limit = config->body;

	if (config->limit_body)
		config->limit_body(c->x, &limit, config->arg);
	if (head->length > limit.size_max ||
	    (head->length > limit.memory_max && limit.spool_dir < 0)) {
		fail_and_close(c, 413, "Request body is too large");
		return;
	}

	http_body_init(&c->body, head->is_chunked, head->length);
	c->sink = http_sink_new(c->server->loop, c->server->io, &limit,
	                        head->is_chunked ? UINT64_MAX : head->length, on_sink_ready, c);
	c->body_mark = 0;
	set_deadline(c, HTTP_DEADLINE_BODY);

	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (head->expects_continue && send_bytes(c, go_on, sizeof(go_on) - 1) < 0)
		conn_close(c);
}

static struct http_peer_box *make_peer(struct http_conn *c)
{
	size_t der_size = 0;
	const uint8_t *der = c->tls ? tls_session_peer_der(c->tls, &der_size) : NULL;
	struct http_peer_box *box = xcalloc(1, sizeof(*box) + der_size);
	struct netaddr addr = { .size = sizeof(addr.storage) };

	refs_init(&box->refs);
	box->peer.is_unix = c->kind == HTTP_LISTENER_UNIX;
	box->peer.is_tls = c->tls != NULL;
	box->peer.local_address = box->local_address;
	if (getpeername(c->fd, (struct sockaddr *)&addr.storage, &addr.size) == 0)
		netaddr_print((struct sockaddr *)&addr.storage, box->peer.address);

	struct socket_cred cred;
	if (!box->peer.is_unix) {
		addr.size = sizeof(addr.storage);
		if (getsockname(c->fd, (struct sockaddr *)&addr.storage, &addr.size) == 0)
			netaddr_print((struct sockaddr *)&addr.storage, box->local_address);
	} else if (socket_peer_cred(c->fd, &cred) == 0) {
		box->peer.uid = cred.uid;
		box->peer.gid = cred.gid;
		box->peer.pid = cred.pid;
	} else {
		box->peer.uid = (uid_t)-1;
		box->peer.gid = (gid_t)-1;
	}

	if (der) {
		memcpy(box->cert, der, der_size);
		box->peer.cert_der = box->cert;
		box->peer.cert_size = der_size;
		digest_sha256_hex(der, der_size, box->peer.fingerprint);
	}
	return box;
}

static void start_request(struct http_conn *c, struct http_head *head)
{
	if (!c->peer)
		c->peer = make_peer(c);

	c->x = http_exchange_new(c->server, c->server->loop);
	c->x->conn = c;
	c->x->answered = on_answered;
	c->x->head = head;
	c->x->peer = http_exchange_peer_ref(c->peer);
	c->closes_after = !head->keeps_alive;
	c->state = CONN_BODY;
	c->server->counts.active++;
	c->server->counts.requests++;
	c->scanned = 0;

	if (head->is_chunked || head->length > 0)
		start_body(c);
	else
		dispatch(c);
}

/* Returns how many bytes of 'data' were the head; 0 if it is not complete. */
static size_t take_head(struct http_conn *c, const char *data, size_t size)
{
	size_t max = c->server->config.head_max;
	ssize_t n = http_head_find_end(data, size, &c->scanned);

	if (n < 0) {
		fail_and_close(c, 400, "Malformed request");
		return size;
	}
	if ((size_t)n > max || (n == 0 && size >= max)) {
		fail_and_close(c, 431, "Request head is too large");
		return size;
	}
	if (n == 0)
		return 0;

	struct http_head *head;
	const char *reason;
	int status =
		http_head_parse(data, (size_t)n, c->kind != HTTP_LISTENER_UNIX, &head, &reason);
	if (status)
		fail_and_close(c, status, reason);
	else
		start_request(c, head);
	return (size_t)n;
}

static size_t take_body(struct http_conn *c, const char *data, size_t size)
{
	const char *payload;
	size_t payload_size;
	ssize_t n = http_body_take(&c->body, data, size, &payload, &payload_size);

	if (n < 0) {
		fail_and_close(c, 400, "Malformed chunk");
		return size;
	}

	int r = payload_size > 0 ? http_sink_write(c->sink, payload, payload_size) : 0;
	if (r == -EFBIG)
		fail_and_close(c, 413, "Request body is too large");
	else if (r < 0)
		fail_and_close(c, r == -ENOSPC ? 507 : 500, "Failed storing the request's body");
	else if (c->body.is_complete)
		finish_body(c);
	return (size_t)n;
}

static bool is_reading(const struct http_conn *c)
{
	return c->state == CONN_HEAD ||
	       (c->state == CONN_BODY && !(c->sink && http_sink_is_full(c->sink)));
}

/* Uses what it can of 'data' and returns how much. */
static size_t process(struct http_conn *c, const char *data, size_t size)
{
	size_t used = 0;

	while (used < size && is_reading(c)) {
		size_t n = c->state == CONN_HEAD ? take_head(c, data + used, size - used)
		                                 : take_body(c, data + used, size - used);
		if (n == 0)
			break;
		used += n;
	}
	return used;
}

/* Input that cannot be used now waits in 'in'. */
static void feed(struct http_conn *c, const char *data, size_t size)
{
	size_t used;

	if (c->in.size > 0) {
		if (size > 0)
			strbuf_add_n(&c->in, data, size);
		/* On its own meanwhile, since what it leads to may drop 'in'. */
		struct strbuf all = c->in;
		c->in = (struct strbuf){ 0 };
		used = process(c, all.text, all.size);
		if (used < all.size && c->state != CONN_CLOSED && c->state != CONN_LINGERING) {
			strbuf_consume(&all, used);
			c->in = all;
		} else {
			strbuf_done(&all);
		}
	} else {
		used = process(c, data, size);
		if (used < size && c->state != CONN_CLOSED && c->state != CONN_LINGERING)
			strbuf_add_n(&c->in, data + used, size - used);
	}

	/* The first bytes of a head: it has to end in time, however many more come. */
	if (c->state == CONN_HEAD && c->in.size > 0 &&
	    !(list_is_linked(&c->deadline.entry) && c->deadline.kind == HTTP_DEADLINE_HEAD))
		set_deadline(c, HTTP_DEADLINE_HEAD);
}

static void watch_input(struct http_conn *c)
{
	if (c->state == CONN_BODY && !is_reading(c))
		watch(c, 0);
	else if (c->state == CONN_HEAD || c->state == CONN_BODY)
		watch(c, (c->tls ? loop_events(tls_session_wants(c->tls)) : LOOP_READABLE) |
		                 (c->has_seen_gone ? 0 : LOOP_GONE));
}

static void read_some(struct http_conn *c)
{
	char *scratch = c->server->scratch;
	size_t n_read = 0;

	while (is_reading(c)) {
		ssize_t n = conn_recv(c, scratch, HTTP_SCRATCH_SIZE);
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			conn_close(c); /* A request that was cut off is dropped with it. */
			return;
		}

		feed(c, scratch, (size_t)n);
		n_read += (size_t)n;
		if (!has_pending(c) && (n < 16 * 1024 || n_read >= READ_BUDGET))
			break;
	}
	watch_input(c);
}

/* Goes on with what was read before, then with the socket. Also called by the loop. */
static void resume_input(void *arg)
{
	struct http_conn *c = arg;

	if (c->state != CONN_HEAD && c->state != CONN_BODY)
		return;
	if (c->in.size > 0)
		feed(c, NULL, 0);
	if (is_reading(c))
		read_some(c);
	else
		watch_input(c);
}

/* --- The beginning --- */

static void handshake(struct http_conn *c)
{
	int r = tls_session_handshake(c->tls);

	if (r == -EAGAIN) {
		watch(c, loop_events(tls_session_wants(c->tls)));
		return;
	}
	if (r < 0) {
		conn_close(c);
		return;
	}
	c->server->counts.handshaking--;
	c->state = CONN_HEAD;
	set_deadline(c, HTTP_DEADLINE_HEAD);
	watch(c, LOOP_READABLE | LOOP_GONE);
	if (has_pending(c))
		read_some(c);
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
		conn_close(c);
		return;
	}
	set_deadline(c, HTTP_DEADLINE_HANDSHAKE);
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
		conn_close(c);
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
	watch(c, LOOP_READABLE | LOOP_GONE);
	resume_input(c);
}

static void on_gone(struct http_conn *c)
{
	c->has_seen_gone = true;
	if (c->state == CONN_RUNNING || c->state == CONN_SPOOLING) {
		watch(c, 0);
		http_exchange_mark_gone(c->x);
	} else if (c->state == CONN_REPLYING || c->state == CONN_UPGRADING) {
		watch(c, c->out.size > 0 ? LOOP_WRITABLE : 0);
		set_deadline(c, HTTP_DEADLINE_SEND);
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
		read_some(c);
		break;
	case CONN_SPOOLING:
	case CONN_RUNNING:
		/* More input: it can wait, but not be polled for. */
		if (events & LOOP_GONE)
			on_gone(c);
		else
			watch(c, LOOP_GONE);
		break;
	case CONN_REPLYING:
	case CONN_UPGRADING:
		if (events & LOOP_GONE && !c->has_seen_gone)
			on_gone(c);
		else if (c->state == CONN_REPLYING && c->out.size > 0)
			pump_reply(c);
		else if (c->state == CONN_UPGRADING)
			go_on_upgrading(c);
		else
			watch(c, c->has_seen_gone ? 0 : LOOP_GONE);
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
		watch(c, LOOP_READABLE);
	}
	set_deadline(c, HTTP_DEADLINE_HEAD);
	if (kind == HTTP_LISTENER_TLS)
		start_tls(c);
}

/* --- All of them --- */

/* A peer that takes nothing would keep what was sent in the kernel's buffers: reset it. */
static void reset(struct http_conn *c)
{
	const struct linger none = { .l_onoff = 1 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	conn_close(c);
}

static void expired(struct http_deadline *d)
{
	struct http_conn *c = CONTAINER_OF(d, struct http_conn, deadline);

	if (d->kind == HTTP_DEADLINE_BODY && c->state == CONN_BODY) {
		uint64_t size = http_sink_size(c->sink);
		if (!is_reading(c) || size - c->body_mark >= BODY_PROGRESS) {
			c->body_mark = size;
			set_deadline(c, HTTP_DEADLINE_BODY);
			return;
		}
	}

	if (d->kind != HTTP_DEADLINE_IDLE)
		c->server->counts.timed_out++;
	if ((d->kind == HTTP_DEADLINE_BODY && c->state == CONN_BODY) ||
	    (d->kind == HTTP_DEADLINE_HEAD && c->state == CONN_HEAD && c->in.size > 0))
		fail_and_close(c, 408, "Request took too long");
	else if (d->kind == HTTP_DEADLINE_SEND)
		reset(c);
	else
		conn_close(c);
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
	conn_close(CONTAINER_OF(d, struct http_conn, deadline));
	return true;
}

void http_conn_drain_all(struct http_server *server)
{
	struct http_conn *c;

	LIST_FOREACH (c, &server->conns, entry) {
		if (is_active(c))
			c->closes_after = true;
		else
			conn_close(c);
	}
}

void http_conn_cut_all(struct http_server *server)
{
	struct http_conn *c;

	while ((c = LIST_FIRST(&server->conns, struct http_conn, entry)))
		conn_close(c);
}
