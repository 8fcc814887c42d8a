/*
 * A forward blocks on the other member, for as long as a long poll takes; so it has a pool of
 * threads of its own, and a member that does not answer takes none from those who ask for something
 * else.
 */
#include "daemon/api/forwarding.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "cluster/connect.h"
#include "daemon/api/route.h"
#include "daemon/auth/auth.h"
#include "daemon/core/access.h"
#include "daemon/core/dirs.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/worker.h"
#include "lib/net/http_client.h"
#include "lib/net/http_exchange.h"
#include "lib/net/stream.h"
#include "lib/net/stream_pump.h"

#define HOPS_HEADER "X-Muster-Hops"
#define MAX_HOPS 3

/* Headers that belong to one connection or that are made anew. */
static const char *const not_passed_on[] = {
	"Accept-Encoding",
	"Connection",
	"Content-Length",
	"Date",
	"Expect",
	"Host",
	"Keep-Alive",
	"Origin", /* Checked here, against the name by which this member was called. */
	"Proxy-Connection",
	"Sec-WebSocket-Accept",
	"Sec-WebSocket-Key",
	"Sec-WebSocket-Extensions",
	"Sec-WebSocket-Version",
	"TE",
	"Trailer",
	"Transfer-Encoding",
	"Upgrade",
	AUTH_REQUESTOR_HEADER,
	HOPS_HEADER,
};

static bool is_passed_on(const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT_OF(not_passed_on); i++) {
		if (strlen(not_passed_on[i]) == len &&
		    strncasecmp(not_passed_on[i], name, len) == 0)
			return false;
	}

	return true;
}

struct forward {
	struct response res;
	struct state *state;
	struct http_exchange *exchange;
	struct cancel *cancel;
	char *address;
	char *path; /* With its query. */
	char **headers;
	char *upgrade; /* NULL: none. */
	bool answers_file;
	struct stream *stream; /* To the other member, after an upgrade. */
};

static void forward_free(struct forward *f)
{
	cancel_unref(f->cancel);
	stream_free(f->stream);
	free(f->address);
	free(f->path);
	free(f->upgrade);
	strv_free(f->headers);
	free(f);
}

static void joined(struct stream *s, void *arg)
{
	struct forward *f = arg;

	if (s)
		stream_pump_take(f->state->loop, s, TAKE_PTR(f->stream), NULL, NULL);
	forward_free(f);
}

static int send_upgrade(struct forward *f, struct http_client *client,
                        const struct http_request *hreq, struct error **err)
{
	int r = http_client_upgrade(client, hreq, f->upgrade, &f->stream, err);
	if (r < 0)
		return r;

	http_exchange_forget_gone(f->exchange);
	if (str_equals_nocase(f->upgrade, "websocket"))
		return http_exchange_upgrade_websocket(f->exchange, joined, f, err);

	http_exchange_upgrade(f->exchange, f->upgrade, joined, f);
	return 0;
}

static void copy_headers(struct forward *f, const struct http_response *hres)
{
	STRV_FOREACH (line, hres->headers) {
		size_t len = strcspn(line, ":");

		if (line[len] != ':' || !is_passed_on(line, len))
			continue;

		scoped_free char *name = strndup(line, len);
		scoped_free char *value = str_trim(line + len + 1);

		http_exchange_add_header(f->exchange, name, value);
	}
}

static int send_plain(struct forward *f, struct http_client *client, struct http_request *hreq,
                      struct error **err)
{
	struct http_response hres = { 0 };
	scoped_fd int spool = -EBADF;

	if (f->answers_file) {
		spool = open(f->state->dirs->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (spool < 0)
			return error_set_errno(err, -errno, "Failed creating a file");
		hreq->response_fd = spool;
		hreq->has_response_fd = true;
	}

	int r = http_client_do(client, hreq, &hres, err);
	if (r < 0)
		return r;

	http_exchange_forget_gone(f->exchange);
	copy_headers(f, &hres);
	if (spool >= 0 && hres.status >= 200 && hres.status < 300)
		http_exchange_reply_fd_take(f->exchange, hres.status, TAKE_FD(spool), 0,
		                            hres.fd_size);
	else
		http_exchange_reply_take(f->exchange, hres.status, TAKE_PTR(hres.body), hres.size);

	http_response_done(&hres);
	return 0;
}

static void gone(void *arg)
{
	cancel_fire(arg);
}

static void run(void *arg)
{
	struct forward *f = arg;
	scoped(error_freep) struct error *err = NULL;
	scoped(http_client_unrefp) struct http_client *client = NULL;
	size_t size;
	struct http_request hreq = {
		.method = http_exchange_method(f->exchange),
		.path = f->path,
		.headers = (const char *const *)f->headers,
		.cancel = f->cancel,
	};

	int fd = http_exchange_body_fd(f->exchange);
	if (fd >= 0) {
		hreq.body_fd = fd;
		hreq.has_body_fd = true;
		hreq.body_size = http_exchange_body_size(f->exchange);
	} else {
		hreq.body = http_exchange_body(f->exchange, &size);
		hreq.body_size = size;
	}

	http_exchange_on_gone(f->exchange, gone, f->cancel);

	int r = connect_client(f->state->cluster, f->address, &client, &err);
	if (r == 0 && f->upgrade) {
		r = send_upgrade(f, client, &hreq, &err);
		if (r == 0)
			return; /* The callback frees it. */
	} else if (r == 0) {
		r = send_plain(f, client, &hreq, &err);
	}

	if (r < 0) {
		http_exchange_forget_gone(f->exchange);
		response_error(&f->res, err);
	}
	forward_free(f);
}

int forwarding_hops(const struct request *req)
{
	/* Only members count: a client's header says nothing. */
	const char *text = req->is_forwarded ? request_header(req, HOPS_HEADER) : NULL;
	int hops = 0;

	if (text)
		parse_int(text, &hops);

	return hops;
}

static char **headers_of(const struct request *req)
{
	scoped_free char *requestor = auth_forward_header(req->requestor);
	const char *name, *value;
	char **headers = NULL;

	for (size_t i = 0; http_exchange_header_at(req->exchange, i, &name, &value); i++) {
		if (is_passed_on(name, strlen(name)))
			strv_addf(&headers, "%s: %s", name, value);
	}

	strv_addf(&headers, "%s: %s", AUTH_REQUESTOR_HEADER, requestor);
	strv_addf(&headers, "%s: %d", HOPS_HEADER, forwarding_hops(req) + 1);
	return headers;
}

int forwarding_send(struct request *req, struct response *res, const char *address,
                    struct error **err)
{
	struct http_exchange *x = req->exchange;
	const char *query = http_exchange_raw_query(x);
	const char *upgrade = request_header(req, "Upgrade");

	if (forwarding_hops(req) >= MAX_HOPS)
		return error_set(err, 503, "The object moves from member to member");

	struct forward *f = xcalloc(1, sizeof(*f));

	f->state = req->state;
	f->exchange = x;
	f->cancel = cancel_new(NULL);
	f->address = xstrdup(address);
	f->path = query ? xasprintf("%s?%s", http_exchange_path(x), query)
	                : xstrdup(http_exchange_path(x));
	f->headers = headers_of(req);
	f->upgrade = str_is_empty(upgrade) ? NULL : xstrdup(upgrade);
	f->answers_file = req->route->answers_file;

	request_let_go(req);
	f->res = (struct response){ .exchange = x, .state = req->state };
	res->request = NULL;
	res->is_sent = true;
	http_exchange_defer(x);

	int r = worker_submit(f->state->forwards, run, f);
	if (r < 0) {
		forward_free(f);
		res->is_sent = false;
		return error_set(err, 503, "Too many requests are under way to other members");
	}

	return 0;
}

static int find_member(struct request *req, const char *member, char **ret_address,
                       struct error **err)
{
	scoped_free char *own = state_member_name(req->state);

	*ret_address = NULL;
	if (str_is_empty(member) || member[0] == '@' || str_equals(member, own))
		return 0;

	if (!state_is_clustered(req->state))
		return error_set(err, 400, "This server is not clustered");

	return connect_address(req->state->cluster, member, ret_address, err);
}

/* Whoever sent it here took this member for the leader, and may have known it first. */
static bool leads(struct request *req)
{
	struct cluster *cluster = req->state->cluster;

	return forwarding_hops(req) == 0 ? cluster_is_leader(cluster)
	                                 : cluster_is_leader_now(cluster);
}

static int find_leader(struct request *req, char **ret_address, struct error **err)
{
	scoped_free char *address = NULL;
	scoped_free char *own = NULL;

	*ret_address = NULL;
	if (!state_is_clustered(req->state) || leads(req))
		return 0;

	int r = cluster_leader_address(req->state->cluster, &address, err);
	if (r < 0)
		return r;

	own = cluster_member_address(req->state->cluster);
	if (!str_is_empty(address) && !str_equals(address, own))
		*ret_address = TAKE_PTR(address);

	return 0;
}

int forwarding_find(struct request *req, char **ret_address, struct error **err)
{
	scoped_free char *member = NULL;

	*ret_address = NULL;
	if (req->is_peer)
		return 0;

	switch (req->route->placement) {
	case ON_ANY_MEMBER:
		return 0;
	case ON_TARGET:
		return find_member(req, req->target, ret_address, err);
	case ON_LEADER:
		return find_leader(req, ret_address, err);
	case ON_OWNER:
		break;
	}

	int r = req->route->owner(req, &member, err);
	if (r < 0)
		return r;

	return find_member(req, member, ret_address, err);
}
