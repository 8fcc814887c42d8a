/* A connection's way in: heads and bodies, up to the handler. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/base/worker.h"
#include "lib/net/http_conn_impl.h"
#include "lib/net/socket.h"

enum {
	READ_BUDGET = 256 * 1024, /* Bytes of one peer before others get their turn. */
	RECORD_SIZE = 16 * 1024,  /* The largest of TLS. */
};

static ssize_t receive(struct http_conn *c, void *data, size_t size)
{
	if (c->tls)
		return tls_session_read(c->tls, data, size);

	ssize_t n = recv(c->fd, data, size, 0);
	return n < 0 ? -errno : n;
}

/* On the loop thread: the exchange has its answer, and gives up the reference it had for it. */
static void on_answered(struct http_exchange *x)
{
	struct http_conn *c = x->conn;

	if (c && x->reply.kind == HTTP_REPLY_UPGRADE) {
		http_conn_output_upgrade(c);
	} else if (c) {
		http_conn_output_reply(c, &x->reply);
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
	const struct http_server_config *config = &c->server->config;
	struct worker *worker = config->worker_of ? config->worker_of(x, config->arg) : NULL;

	x->arrival = config->arrival_of ? config->arrival_of(config->arg) : 0;
	http_deadline_clear(&c->deadline);
	c->state = CONN_RUNNING;
	http_exchange_ref(x); /* For the answer. */
	http_exchange_ref(x); /* For the handler. */
	if (worker_submit(worker ? worker : config->worker, run_handler, x) < 0) {
		http_exchange_unref(x);
		http_exchange_unref(x);
		atomic_store(&x->is_answered, true);
		http_conn_output_fail(c, 503, "Too many requests are waiting");
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
		http_conn_output_fail(c, r == -ENOSPC ? 507 : 500,
		                      "Failed storing the request's body");
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
		http_conn_input_resume(c);
}

static void refuse_size(struct http_conn *c)
{
	if (c->body_forbidden)
		http_conn_output_fail_and_close(c, 403, c->body_forbidden);
	else
		http_conn_output_fail_and_close(c, 413, "Request body is too large");
}

static void start_body(struct http_conn *c)
{
	const struct http_server_config *config = &c->server->config;
	const struct http_head *head = c->x->head;
	struct http_body_limit limit = config->body;

	if (config->limit_body)
		config->limit_body(c->x, &limit, config->arg);
	c->body_forbidden = limit.forbidden;
	if (head->length > limit.size_max ||
	    (head->length > limit.memory_max && limit.spool_dir < 0)) {
		refuse_size(c);
		return;
	}

	http_body_init(&c->body, head->is_chunked, head->length);
	c->sink = http_sink_new(c->server->loop, c->server->io, &limit,
	                        head->is_chunked ? UINT64_MAX : head->length, on_sink_ready, c);
	c->body_mark = 0;
	http_conn_set_deadline(c, HTTP_DEADLINE_BODY);

	if (head->expects_continue && !http_conn_output_continue(c))
		http_conn_close(c);
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
		http_conn_output_fail_and_close(c, 400, "Malformed request");
		return size;
	}
	if ((size_t)n > max || (n == 0 && size >= max)) {
		http_conn_output_fail_and_close(c, 431, "Request head is too large");
		return size;
	}
	if (n == 0)
		return 0;

	struct http_head *head;
	const char *reason;
	int status =
		http_head_parse(data, (size_t)n, c->kind != HTTP_LISTENER_UNIX, &head, &reason);
	if (status)
		http_conn_output_fail_and_close(c, status, reason);
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
		http_conn_output_fail_and_close(c, 400, "Malformed chunk");
		return size;
	}

	int r = payload_size > 0 ? http_sink_write(c->sink, payload, payload_size) : 0;
	if (r == -EFBIG)
		refuse_size(c);
	else if (r < 0)
		http_conn_output_fail_and_close(c, r == -ENOSPC ? 507 : 500,
		                                "Failed storing the request's body");
	else if (c->body.is_complete)
		finish_body(c);
	return (size_t)n;
}

bool http_conn_input_is_wanted(const struct http_conn *c)
{
	return c->state == CONN_HEAD ||
	       (c->state == CONN_BODY && !(c->sink && http_sink_is_full(c->sink)));
}

/* Uses what it can of 'data' and returns how much. */
static size_t process(struct http_conn *c, const char *data, size_t size)
{
	size_t used = 0;

	while (used < size && http_conn_input_is_wanted(c)) {
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
		http_conn_set_deadline(c, HTTP_DEADLINE_HEAD);
}

static void watch_input(struct http_conn *c)
{
	if (c->state == CONN_BODY && !http_conn_input_is_wanted(c))
		http_conn_watch(c, 0);
	else if (c->state == CONN_HEAD || c->state == CONN_BODY)
		http_conn_watch(c, (c->tls ? http_conn_loop_events(tls_session_wants(c->tls))
		                           : LOOP_READABLE) |
		                           (c->has_seen_gone ? 0 : LOOP_GONE));
}

void http_conn_input_read(struct http_conn *c)
{
	char *scratch = c->server->scratch;
	size_t n_read = 0;

	while (http_conn_input_is_wanted(c)) {
		ssize_t n = receive(c, scratch, HTTP_SCRATCH_SIZE);
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			http_conn_close(c); /* A request that was cut off is dropped with it. */
			return;
		}

		feed(c, scratch, (size_t)n);
		n_read += (size_t)n;
		if (!http_conn_has_pending(c) && (n < RECORD_SIZE || n_read >= READ_BUDGET))
			break;
	}
	watch_input(c);
}

void http_conn_input_resume(void *arg)
{
	struct http_conn *c = arg;

	if (c->state != CONN_HEAD && c->state != CONN_BODY)
		return;
	if (c->in.size > 0)
		feed(c, NULL, 0);
	if (http_conn_input_is_wanted(c))
		http_conn_input_read(c);
	else
		watch_input(c);
}
