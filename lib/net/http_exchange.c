#include "lib/net/http_exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/net/http_exchange_impl.h"
#include "lib/net/http_server_impl.h"
#include "lib/net/url.h"
#include "lib/net/websocket.h"

struct http_peer_box *http_exchange_peer_ref(struct http_peer_box *box)
{
	refs_get(&box->refs);
	return box;
}

void http_exchange_peer_unref(struct http_peer_box *box)
{
	if (box && refs_put(&box->refs))
		free(box);
}

struct http_exchange *http_exchange_new(struct http_server *server, struct loop *loop)
{
	struct http_exchange *x = xcalloc(1, sizeof(*x));

	refs_init(&x->refs);
	mutex_init(&x->lock);
	cond_init(&x->changed);
	x->server = http_server_ref(server);
	x->loop = loop;
	x->body_fd = -1;
	return x;
}

struct http_exchange *http_exchange_ref(struct http_exchange *x)
{
	refs_get(&x->refs);
	return x;
}

void http_exchange_unref(struct http_exchange *x)
{
	if (!x || !refs_put(&x->refs))
		return;

	if (x->free_attached)
		x->free_attached(x->attached);
	http_reply_done(&x->reply);
	http_head_free(x->head);
	http_exchange_peer_unref(x->peer);
	free(x->body);
	if (x->body_fd >= 0)
		close(x->body_fd);
	mutex_done(&x->lock);
	cond_done(&x->changed);
	http_server_unref(x->server);
	free(x);
}

const char *http_exchange_method(const struct http_exchange *x)
{
	return x->head->method;
}

const char *http_exchange_path(const struct http_exchange *x)
{
	return x->head->path;
}

const char *http_exchange_raw_query(const struct http_exchange *x)
{
	return x->head->query;
}

const struct url_query *http_exchange_query(const struct http_exchange *x)
{
	return &x->head->pairs;
}

const char *http_exchange_query_value(const struct http_exchange *x, const char *key)
{
	return url_query_value(&x->head->pairs, key);
}

const char *http_exchange_header(const struct http_exchange *x, const char *name)
{
	return http_head_field(x->head, name);
}

bool http_exchange_header_at(const struct http_exchange *x, size_t i, const char **ret_name,
                             const char **ret_value)
{
	if (i >= x->head->n_fields)
		return false;

	*ret_name = x->head->fields[i].name;
	*ret_value = x->head->fields[i].value;
	return true;
}

const struct http_peer *http_exchange_peer(const struct http_exchange *x)
{
	return &x->peer->peer;
}

const char *http_exchange_body(const struct http_exchange *x, size_t *ret_size)
{
	if (ret_size)
		*ret_size = x->body ? (size_t)x->body_size : 0;
	return x->body ? x->body : "";
}

int http_exchange_body_fd(const struct http_exchange *x)
{
	return x->body_fd;
}

int http_exchange_body_take_fd(struct http_exchange *x)
{
	int fd = x->body_fd;

	x->body_fd = -1;
	return fd;
}

uint64_t http_exchange_body_size(const struct http_exchange *x)
{
	return x->body_size;
}

uint64_t http_exchange_arrival(const struct http_exchange *x)
{
	return x->arrival;
}

void http_exchange_attach(struct http_exchange *x, void *data, void (*free_data)(void *data))
{
	assert(!x->attached);
	x->attached = data;
	x->free_attached = free_data;
}

void *http_exchange_attached(const struct http_exchange *x)
{
	return x->attached;
}

void http_exchange_add_header(struct http_exchange *x, const char *name, const char *value)
{
	http_reply_add_field(&x->reply, name, value);
}

static void on_answer(void *arg)
{
	struct http_exchange *x = arg;

	x->answered(x);
}

/* The record is filled in: hand it to the loop thread. */
static void answer(struct http_exchange *x, enum http_reply_kind kind, int status)
{
	assert(status >= 100 && status <= 999);
	x->reply.kind = kind;
	x->reply.status = status;

	bool was_answered = atomic_exchange(&x->is_answered, true);
	assert(!was_answered);
	(void)was_answered;
	loop_call(x->loop, on_answer, x);
}

void http_exchange_reply_take(struct http_exchange *x, int status, void *body, size_t size)
{
	x->reply.body = body;
	x->reply.size = size;
	answer(x, HTTP_REPLY_MEMORY, status);
}

void http_exchange_reply(struct http_exchange *x, int status, const void *body, size_t size)
{
	void *copy = NULL;

	if (size > 0) {
		copy = xmalloc(size);
		memcpy(copy, body, size);
	}
	http_exchange_reply_take(x, status, copy, size);
}

static void reply_source(struct http_exchange *x, int status, struct http_source *source,
                         uint64_t size)
{
	x->reply.source = source;
	x->reply.source_size = size;
	answer(x, HTTP_REPLY_SOURCE, status);
}

void http_exchange_reply_fd_take(struct http_exchange *x, int status, int fd, uint64_t offset,
                                 uint64_t size)
{
	reply_source(x, status, http_source_new_fd_take(fd, offset, size), size);
}

void http_exchange_reply_pull(struct http_exchange *x, int status, uint64_t size,
                              const struct http_pull *pull)
{
	reply_source(x, status, http_source_new_pull(pull), size);
}

void http_exchange_reply_pipe_take(struct http_exchange *x, int status, int fd)
{
	reply_source(x, status, http_source_new_pipe_take(fd), UINT64_MAX);
}

void http_exchange_upgrade(struct http_exchange *x, const char *protocol,
                           http_upgraded_fn *upgraded, void *arg)
{
	http_reply_add_field(&x->reply, "Upgrade", protocol);
	http_reply_add_field(&x->reply, "Connection", "Upgrade");
	x->reply.upgraded = upgraded;
	x->reply.upgraded_arg = arg;
	answer(x, HTTP_REPLY_UPGRADE, 101);
}

bool http_exchange_wants_upgrade(const struct http_exchange *x, const char *protocol)
{
	return http_head_has_token(x->head->upgrade, protocol);
}

bool http_exchange_is_same_origin(const struct http_exchange *x)
{
	const char *origin = http_exchange_header(x, "Origin");
	const char *host = http_exchange_header(x, "Host");
	struct url url;

	if (!origin || !host || url_parse(origin, &url) < 0)
		return false;

	uint16_t fallback = strcmp(url.scheme, "http") == 0 ? 80 : 443;
	scoped_free char *from = netaddr_join(url.host, url.port ? (uint16_t)url.port : fallback);
	url_done(&url);
	return netaddr_equal(from, host, fallback);
}

int http_exchange_upgrade_websocket(struct http_exchange *x, http_upgraded_fn *upgraded, void *arg,
                                    struct error **err)
{
	const char *version = http_exchange_header(x, "Sec-WebSocket-Version");
	const char *key = http_exchange_header(x, "Sec-WebSocket-Key");

	if (strcmp(x->head->method, "GET") != 0 || !http_exchange_wants_upgrade(x, "websocket"))
		return error_set(err, 400, "Not a websocket request");
	if (!version || strcmp(version, "13") != 0)
		return error_set(err, 400, "Unsupported websocket version");

	scoped_free char *accept = key ? websocket_accept_key(key) : NULL;
	if (!accept)
		return error_set(err, 400, "Malformed websocket key");

	http_exchange_add_header(x, "Sec-WebSocket-Accept", accept);
	http_exchange_upgrade(x, "websocket", upgraded, arg);
	return 0;
}

void http_exchange_defer(struct http_exchange *x)
{
	x->is_deferred = true;
}

bool http_exchange_is_gone(const struct http_exchange *x)
{
	return atomic_load(&x->is_gone);
}

static void fire_gone(struct http_exchange *x)
{
	mutex_lock(&x->lock);
	void (*gone)(void *arg) = x->gone;
	void *arg = x->gone_arg;
	if (!gone || atomic_load(&x->is_answered)) {
		mutex_unlock(&x->lock);
		return;
	}
	x->gone = NULL;
	x->is_gone_running = true;
	mutex_unlock(&x->lock);

	gone(arg);

	mutex_lock(&x->lock);
	x->is_gone_running = false;
	cond_broadcast(&x->changed);
	mutex_unlock(&x->lock);
}

void http_exchange_mark_gone(struct http_exchange *x)
{
	atomic_store(&x->is_gone, true);
	fire_gone(x);
}

static void fire_gone_later(void *arg)
{
	struct http_exchange *x = arg;

	fire_gone(x);
	http_exchange_unref(x);
}

void http_exchange_on_gone(struct http_exchange *x, void (*gone)(void *arg), void *arg)
{
	mutex_lock(&x->lock);
	x->gone = gone;
	x->gone_arg = arg;
	mutex_unlock(&x->lock);

	/* It may have left before; if it leaves between the two, the second finds nothing to call.
	 */
	if (atomic_load(&x->is_gone))
		loop_call(x->loop, fire_gone_later, http_exchange_ref(x));
}

void http_exchange_forget_gone(struct http_exchange *x)
{
	mutex_lock(&x->lock);
	x->gone = NULL;
	while (x->is_gone_running && !loop_is_current(x->loop))
		cond_wait(&x->changed, &x->lock);
	mutex_unlock(&x->lock);
}
