#include "lib/net/http_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/net/http_client_impl.h"
#include "lib/net/stream.h"

enum { DEFAULT_CONNECT_MS = 10 * 1000, DEFAULT_KEEP_IDLE = 32 };

/* Shorter than servers keep an idle connection, so that none is closed just as we use it. */
#define IDLE_MAX_MS 100000

/* After a burst a few are enough: each costs both ends tens of KB. */
#define BURST_MS 10000
#define KEEP_LONG 2

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct http_client *http_client_new(const struct http_client_config *config)
{
	struct http_client *client = xcalloc(1, sizeof(*client));
	const char *address = config->address;

	refs_init(&client->refs);
	mutex_init(&client->lock);
	list_init(&client->idle);
	client->unix_path = copy(config->unix_path);
	if (config->unix_path) {
		client->base = xstrdup("http://muster");
	} else if (strstr(address, "://")) {
		client->base = xstrdup(address);
		if (client->base[strlen(client->base) - 1] == '/')
			client->base[strlen(client->base) - 1] = '\0';
	} else {
		client->base = xasprintf("https://%s", address);
	}
	client->server_cert_pem = copy(config->server_cert_pem);
	client->trust_system = config->trust_system;
	client->trust_any = config->trust_any;
	client->cert_path = copy(config->cert_path);
	client->key_path = copy(config->key_path);
	client->user_agent = xstrdup(config->user_agent ? config->user_agent : "muster");
	client->connect_ms =
		config->connect_timeout_ms ? config->connect_timeout_ms : DEFAULT_CONNECT_MS;
	client->keep_idle = config->keep_idle ? config->keep_idle : DEFAULT_KEEP_IDLE;
	return client;
}

struct http_client *http_client_ref(struct http_client *client)
{
	refs_get(&client->refs);
	return client;
}

void http_client_unref(struct http_client *client)
{
	if (!client || !refs_put(&client->refs))
		return;

	struct http_link *link;
	mutex_lock(&client->lock);
	LIST_FOREACH (link, &client->idle, entry)
		http_link_free(link);
	mutex_unlock(&client->lock);
	mutex_done(&client->lock);
	free(client->unix_path);
	free(client->base);
	free(client->server_cert_pem);
	free(client->cert_path);
	free(client->key_path);
	free(client->user_agent);
	free(client);
}

/* --- Connections that are kept --- */

/* Neither closed by the server nor with something to say that nobody asked for. */
static bool is_alive(const struct http_link *link)
{
	char byte;

	return date_monotonic() - link->given_at < IDLE_MAX_MS &&
	       stream_read(link->stream, &byte, 1) == -EAGAIN;
}

static struct http_link *take_idle(struct http_client *client)
{
	for (;;) {
		mutex_lock(&client->lock);
		struct http_link *link = LIST_FIRST(&client->idle, struct http_link, entry);
		if (link) {
			list_remove(&link->entry);
			client->n_idle--;
		}
		mutex_unlock(&client->lock);

		if (!link || is_alive(link))
			return link;
		http_link_free(link);
	}
}

/* The one that was used longest ago, if it was not needed since. */
static struct http_link *take_stale(struct http_client *client, int64_t now) REQUIRES(client->lock)
{
	struct http_link *last = LIST_LAST(&client->idle, struct http_link, entry);

	if (client->n_idle <= KEEP_LONG || now - last->given_at < BURST_MS)
		return NULL;

	list_remove(&last->entry);
	client->n_idle--;
	return last;
}

static void give_take(struct http_client *client, struct http_link *link)
{
	link->given_at = date_monotonic();
	mutex_lock(&client->lock);
	struct http_link *stale = take_stale(client, link->given_at);
	bool is_kept = client->n_idle < client->keep_idle;
	if (is_kept) {
		list_add_first(&client->idle, &link->entry);
		client->n_idle++;
	}
	mutex_unlock(&client->lock);
	if (!is_kept)
		http_link_free(link);
	http_link_free(stale);
}

/* --- A request --- */

static bool has_header(const struct http_request *req, const char *name)
{
	size_t size = strlen(name);

	for (const char *const *h = req->headers; h && *h; h++)
		if (strncasecmp(*h, name, size) == 0 && (*h)[size] == ':')
			return true;
	return false;
}

/* The length of a file up to its end is known before it is sent; that of a pipe is not. */
static void measure(struct http_request *req)
{
	struct stat st;

	if (!req->has_body_fd || req->body_size != UINT64_MAX || fstat(req->body_fd, &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return;

	off_t at = lseek(req->body_fd, 0, SEEK_CUR);
	if (at >= 0)
		req->body_size = at < st.st_size ? (uint64_t)(st.st_size - at) : 0;
}

static bool is_chunked(const struct http_request *req)
{
	return req->has_body_fd && req->body_size == UINT64_MAX;
}

static void write_head(const struct http_client *client, const struct http_link *link,
                       const struct http_request *req, struct strbuf *head)
{
	const char *method = req->method ? req->method : "GET";
	bool has_body = req->has_body_fd || req->body || str_equals(method, "POST") ||
	                str_equals(method, "PUT") || str_equals(method, "PATCH");

	strbuf_addf(head, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, req->path, link->host);
	if (!has_header(req, "User-Agent"))
		strbuf_addf(head, "User-Agent: %s\r\n", client->user_agent);
	for (const char *const *h = req->headers; h && *h; h++)
		strbuf_addf(head, "%s\r\n", *h);
	if (is_chunked(req))
		strbuf_add(head, "Transfer-Encoding: chunked\r\n");
	else if (has_body)
		strbuf_addf(
			head, "Content-Length: %llu\r\n",
			(unsigned long long)(req->has_body_fd || req->body ? req->body_size : 0));
	strbuf_add(head, "\r\n");
}

/* A small body goes with the head: one packet, one record. */
static int send_request(const struct http_client *client, const struct http_link *link,
                        const struct http_request *req, struct http_wait wait)
{
	scoped(strbuf_done) struct strbuf head = { 0 };
	bool is_small = !req->has_body_fd && req->body && req->body_size < 8192;

	write_head(client, link, req, &head);
	if (is_small)
		strbuf_add_n(&head, req->body, (size_t)req->body_size);

	int r = http_client_io_write(link->stream, head.text, head.size, wait);
	if (r < 0 || is_small)
		return r;
	return http_client_io_write_body(link->stream, req, is_chunked(req), wait);
}

struct outcome {
	bool has_sent;     /* The server may have all of the request. */
	bool has_answered; /* A byte of the answer came. */
	bool is_open;      /* The connection is good for another request. */
	int copy_failure;
};

static int exchange(const struct http_client *client, const struct http_link *link,
                    const struct http_request *req, struct http_wait wait,
                    struct http_response *res, struct outcome *ret)
{
	bool is_empty = true;

	*ret = (struct outcome){ 0 };
	int sent = send_request(client, link, req, wait);
	ret->has_sent = sent == 0;
	if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET)
		return sent;

	/* A server that does not want the rest may have said why before it closed. */
	int r = http_client_io_read_head(link->stream, wait, res, &is_empty);
	ret->has_answered = !is_empty;
	if (r == 0)
		r = http_client_io_read_body(link->stream, req, wait, res, &ret->is_open,
		                             &ret->copy_failure);
	ret->is_open = ret->is_open && r == 0 && sent == 0 && !stream_has_pending(link->stream);
	return r < 0 && sent < 0 ? sent : r;
}

/*
 * Whether a request that failed on a connection which had been idle may be sent again: the server
 * had closed it, and either got no whole request or one that only reads. It may have died after it
 * did what a PUT ("restart") or a DELETE says.
 */
static bool may_repeat(const struct http_request *req, const struct outcome *o, int r)
{
	if (o->has_answered || req->has_body_fd || (r != -ECONNRESET && r != -EPIPE))
		return false;
	return !o->has_sent || !req->method || str_equals(req->method, "GET") ||
	       str_equals(req->method, "HEAD");
}

static int explain(const struct http_client *client, const struct outcome *o, int r,
                   struct error **err)
{
	const char *server = http_client_name(client);

	if (o->copy_failure < 0)
		return error_set_errno(err, o->copy_failure, "Failed copying the body");
	if (r == -EFBIG)
		return error_set(err, 500, "Answer of \"%s\" is too large", server);
	return http_client_dial_fail(server, r, r == -EPROTO ? "Malformed answer" : NULL, err);
}

static int check(const struct http_client *client, struct error **err)
{
	bool is_tls = !client->unix_path && strncmp(client->base, "https:", 6) == 0;

	if (is_tls && !client->server_cert_pem && !client->trust_system && !client->trust_any)
		return error_set(err, 403, "Certificate of \"%s\" is not known", client->base);
	return 0;
}

int http_client_do(struct http_client *client, const struct http_request *request,
                   struct http_response *ret_res, struct error **err)
{
	scoped(http_response_done) struct http_response res = { 0 };
	struct http_request req = *request;
	struct http_wait wait = { .deadline = DEADLINE_NEVER, .cancel = req.cancel };
	struct outcome outcome = { 0 };

	if (req.timeout_ms)
		wait.deadline = date_deadline(req.timeout_ms);
	measure(&req);
	int r = check(client, err);
	if (r < 0)
		return r;

	scoped(http_link_freep) struct http_link *link = take_idle(client);
	if (link) {
		r = exchange(client, link, &req, wait, &res, &outcome);
		if (r < 0 && may_repeat(&req, &outcome, r)) {
			http_link_free(link);
			link = NULL;
			http_response_done(&res);
		}
	}
	if (!link) {
		r = http_client_dial(client, wait, &link, err);
		if (r < 0)
			return r;
		r = exchange(client, link, &req, wait, &res, &outcome);
	}
	if (r < 0)
		return explain(client, &outcome, r, err);

	if (outcome.is_open)
		give_take(client, TAKE_PTR(link));
	*ret_res = res;
	res = (struct http_response){ 0 };
	return 0;
}

void http_response_done(struct http_response *res)
{
	free(res->body);
	strv_free(res->headers);
	*res = (struct http_response){ 0 };
}

const char *http_response_header(const struct http_response *res, const char *name)
{
	size_t size = strlen(name);

	for (char **h = res->headers; h && *h; h++)
		if (strncasecmp(*h, name, size) == 0 && (*h)[size] == ':')
			return *h + size + 1 + strspn(*h + size + 1, " \t");
	return NULL;
}
