/* A connection's way out: answers, errors of the server's own, upgrades. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/net/http_conn_impl.h"
#include "lib/net/stream.h"

enum {
	REPLY_BUDGET = 1024 * 1024, /* Bytes for one peer before others get their turn. */
	RECORD_SIZE = 16 * 1024,    /* The largest of TLS. */
};

static ssize_t transmit(struct http_conn *c, const void *data, size_t size)
{
	if (c->tls)
		return tls_session_write(c->tls, data, size);

	ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

/* Returns 0 when all is sent, -EAGAIN, or another errno. */
static int flush(struct http_conn *c)
{
	while (c->out_from < c->out.size) {
		ssize_t n = transmit(c, c->out.text + c->out_from, c->out.size - c->out_from);
		if (n < 0)
			return (int)n;
		c->out_from += (size_t)n;
		http_conn_set_deadline(c, HTTP_DEADLINE_SEND);
	}
	strbuf_done(&c->out);
	c->out_from = 0;
	return 0;
}

/* Sends what it can and keeps the rest in 'out', which must be empty. Returns as flush(). */
static int send_bytes(struct http_conn *c, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = transmit(c, data, size);
		if (n == -EAGAIN) {
			strbuf_add_n(&c->out, data, size);
			http_conn_set_deadline(c, HTTP_DEADLINE_SEND);
		}
		if (n < 0)
			return (int)n;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

bool http_conn_output_continue(struct http_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	return send_bytes(c, go_on, sizeof(go_on) - 1) == 0;
}

static void watch_output(struct http_conn *c)
{
	unsigned gone = c->has_seen_gone ? 0 : LOOP_GONE;

	http_conn_watch(c, gone | (c->tls ? http_conn_loop_events(tls_session_wants(c->tls))
	                                  : LOOP_WRITABLE));
}

static void finish_reply(struct http_conn *c)
{
	http_conn_drop_reply(c);
	http_conn_drop_exchange(c);
	c->server->counts.active--;
	c->state = CONN_HEAD;
	c->scanned = 0;

	if (c->closes_after && c->has_unread) {
		http_conn_linger(c);
		return;
	}
	if (c->closes_after) {
		http_conn_close(c);
		return;
	}

	http_conn_set_deadline(c, HTTP_DEADLINE_IDLE);
	http_conn_watch(c, LOOP_READABLE | (c->has_seen_gone ? 0 : LOOP_GONE));
	if (c->in.size > 0 || http_conn_has_pending(c))
		loop_call(c->server->loop, http_conn_input_resume, c);
}

bool http_conn_output_is_stuck(const struct http_conn *c)
{
	return c->out.size > 0 || c->n_body_left > 0;
}

/* Sends what is left of an answer in memory. */
static void pump_memory(struct http_conn *c)
{
	size_t n_sent = 0;

	int r = flush(c);
	while (r == 0 && c->n_body_left > 0 && n_sent < REPLY_BUDGET) {
		ssize_t n = transmit(c, c->body_left, c->n_body_left);
		if (n < 0) {
			r = (int)n;
			break;
		}
		c->body_left += n;
		c->n_body_left -= (size_t)n;
		n_sent += (size_t)n;
	}

	if (r == 0 && c->n_body_left == 0) {
		finish_reply(c);
	} else if (r == 0) {
		http_conn_set_deadline(c, HTTP_DEADLINE_SEND);
		http_conn_watch(c, (c->has_seen_gone ? 0 : LOOP_GONE) | LOOP_WRITABLE);
	} else if (r == -EAGAIN) {
		if (n_sent > 0 || !list_is_linked(&c->deadline.entry))
			http_conn_set_deadline(c, HTTP_DEADLINE_SEND);
		watch_output(c);
	} else {
		http_conn_close(c);
	}
}

/* One call to the kernel, one record of TLS, where the answer is not long. */
static void start_memory(struct http_conn *c, const struct http_reply *reply,
                         const struct http_reply_wish *wish)
{
	http_reply_print_head(reply, wish, &c->out);
	if (http_reply_shows_body(reply, wish)) {
		size_t n = RECORD_SIZE > c->out.size ? RECORD_SIZE - c->out.size : 0;

		n = MIN_OF(n, reply->size);
		strbuf_add_n(&c->out, reply->body, n);
		c->body_left = (const char *)reply->body + n;
		c->n_body_left = reply->size - n;
	}
	pump_memory(c);
}

/* Moves the answer to the peer, from the lane for as long as both can. */
void http_conn_output_pump(void *arg)
{
	struct http_conn *c = arg;
	size_t n_sent = 0;

	if (!c->lane) {
		pump_memory(c);
		return;
	}

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
				http_conn_set_deadline(c, HTTP_DEADLINE_SEND);
			else
				http_deadline_clear(&c->deadline);
			http_conn_watch(c, c->has_seen_gone ? 0 : LOOP_GONE);
			return;
		}
		if (n < 0)
			break;

		n_sent += (size_t)n;
		r = send_bytes(c, c->server->scratch_out, (size_t)n);
		if (r < 0 && r != -EAGAIN)
			break;
	}
	http_conn_close(c);
}

void http_conn_output_reply(struct http_conn *c, struct http_reply *reply)
{
	const struct http_head *head = c->x ? c->x->head : NULL;
	struct http_reply_wish wish = {
		.is_head = head && head->is_head_method,
		.is_http10 = head && head->is_http10,
	};

	if (c->server->is_stopping || (wish.is_http10 && reply->kind == HTTP_REPLY_SOURCE &&
	                               reply->source_size == UINT64_MAX))
		c->closes_after = true;
	wish.keeps_alive = !c->closes_after;

	http_deadline_clear(&c->deadline);
	c->state = CONN_REPLYING;
	if (reply->kind == HTTP_REPLY_MEMORY) {
		start_memory(c, reply, &wish);
		return;
	}
	c->lane = http_lane_start(c->server->lanes, reply, &wish, http_conn_output_pump, c);
	if (c->lane)
		http_conn_output_pump(c);
	else
		http_conn_close(c);
}

void http_conn_output_fail(struct http_conn *c, int status, const char *message)
{
	const struct http_server_config *config = &c->server->config;

	if (!http_conn_is_active(c))
		c->server->counts.active++;
	http_sink_free(c->sink);
	c->sink = NULL;

	c->own_reply = xcalloc(1, sizeof(*c->own_reply));
	c->own_reply->status = status;
	if (config->error_body)
		c->own_reply->body = config->error_body(status, message, &c->own_reply->size);
	http_reply_add_field(c->own_reply, "Content-Type", "application/json");
	http_conn_output_reply(c, c->own_reply);
}

void http_conn_output_fail_and_close(struct http_conn *c, int status, const char *message)
{
	c->server->counts.bad_requests++;
	c->closes_after = true;
	c->has_unread = true;
	http_conn_output_fail(c, status, message);
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
	http_conn_close(c); /* Stops watching the descriptor, which is not its own any more. */

	struct stream *s = tls ? stream_new_tls_take(tls, fd) : stream_new_fd_take(fd);
	stream_unread(s, surplus.text, surplus.size);
	strbuf_done(&surplus);
	upgraded(s, arg);
}

void http_conn_output_go_on_upgrading(struct http_conn *c)
{
	int r = flush(c);

	if (r == 0)
		finish_upgrade(c);
	else if (r == -EAGAIN)
		watch_output(c);
	else
		http_conn_close(c);
}

void http_conn_output_upgrade(struct http_conn *c)
{
	const struct http_reply *reply = &c->x->reply;

	c->state = CONN_UPGRADING;
	strbuf_add(&c->out, "HTTP/1.1 101 Switching Protocols\r\n");
	for (size_t i = 0; i < reply->n_fields; i++)
		strbuf_addf(&c->out, "%s: %s\r\n", reply->fields[i].name, reply->fields[i].value);
	strbuf_add(&c->out, "\r\n");
	http_conn_output_go_on_upgrading(c);
}
