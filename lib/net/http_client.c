#include "lib/net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <json-c/json.h>

#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/net/http_client_impl.h"
#include "lib/net/socket.h"

enum { DEFAULT_RESPONSE_MAX = 64 * 1024 * 1024, POLL_MS = 1000 };

/* A connection cache with one easy handle; idle ones wait in the client. */
struct handle {
	struct list entry;
	CURLM *multi;
	CURL *easy;
};

/* What one request's callbacks need. */
struct transfer {
	const struct http_request *req;
	CURL *easy;
	struct strbuf body;
	char **headers;
	uint64_t fd_size;
	uint64_t body_left; /* To be read from body_fd. */
	int failure;        /* Negative errno of a callback. */
	bool is_too_large;
	long status;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct http_client *http_client_new(const struct http_client_config *config)
{
	struct http_client *client = xcalloc(1, sizeof(*client));
	const char *address = config->address;

	pthread_once(&curl_once, init_curl);
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
	client->connect_ms = config->connect_timeout_ms ? config->connect_timeout_ms : 10 * 1000;
	client->keep_idle = config->keep_idle ? config->keep_idle : 4;

	scoped(error_freep) struct error *err = NULL;
	scoped(x509_freep) struct x509 *cert = NULL;
	if (client->server_cert_pem &&
	    x509_parse_pem(client->server_cert_pem, strlen(client->server_cert_pem), &cert, &err) ==
	            0)
		client->pin = x509_public_key_pin(cert);
	return client;
}

struct http_client *http_client_ref(struct http_client *client)
{
	refs_get(&client->refs);
	return client;
}

static void handle_free(struct handle *h)
{
	curl_easy_cleanup(h->easy);
	curl_multi_cleanup(h->multi);
	free(h);
}

void http_client_unref(struct http_client *client)
{
	if (!client || !refs_put(&client->refs))
		return;

	struct handle *h;
	mutex_lock(&client->lock);
	LIST_FOREACH (h, &client->idle, entry)
		handle_free(h);
	mutex_unlock(&client->lock);
	mutex_done(&client->lock);
	free(client->unix_path);
	free(client->base);
	free(client->server_cert_pem);
	free(client->pin);
	free(client->cert_path);
	free(client->key_path);
	free(client->user_agent);
	free(client);
}

/* --- Handles --- */

static struct handle *take_handle(struct http_client *client)
{
	struct handle *h;

	mutex_lock(&client->lock);
	h = LIST_FIRST(&client->idle, struct handle, entry);
	if (h) {
		list_remove(&h->entry);
		client->n_idle--;
	}
	mutex_unlock(&client->lock);
	if (h)
		return h;

	h = xcalloc(1, sizeof(*h));
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	if (!h->multi || !h->easy)
		abort();
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 1L);
	return h;
}

static void give_handle(struct http_client *client, struct handle *h)
{
	mutex_lock(&client->lock);
	bool is_kept = client->n_idle < client->keep_idle;
	if (is_kept) {
		list_add_first(&client->idle, &h->entry);
		client->n_idle++;
	}
	mutex_unlock(&client->lock);
	if (!is_kept)
		handle_free(h);
}

/* --- What curl calls --- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);

	if (fd >= 0 && addr->family != AF_UNIX)
		socket_tune_tcp(fd);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t length = size * n;

	/* A status line begins a new answer: what came before was a 100. */
	if (length >= 5 && strncmp(data, "HTTP/", 5) == 0) {
		strv_free(t->headers);
		t->headers = NULL;
		return length;
	}
	while (length > 0 && (data[length - 1] == '\n' || data[length - 1] == '\r'))
		length--;
	if (length > 0)
		strv_add_take(&t->headers, xasprintf("%.*s", (int)length, data));
	return size * n;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t max = t->req->response_max ? t->req->response_max : DEFAULT_RESPONSE_MAX;

	size *= n;
	if (t->status == 0)
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);

	if (t->req->has_response_fd && t->status >= 200 && t->status < 300) {
		t->failure = fd_write_full(t->req->response_fd, data, size);
		if (t->failure < 0)
			return 0;
		t->fd_size += size;
		return size;
	}
	if (size > max - t->body.size) {
		t->is_too_large = true;
		return 0;
	}
	strbuf_add_n(&t->body, data, size);
	return size;
}

static size_t on_body_wanted(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	size *= n;
	if (size > t->body_left)
		size = (size_t)t->body_left;
	if (size == 0)
		return 0;

	ssize_t got;
	do
		got = read(t->req->body_fd, data, size);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		t->failure = -errno;
		return CURL_READFUNC_ABORT;
	}
	t->body_left -= (uint64_t)got;
	return (size_t)got;
}

static int on_progress(void *arg, curl_off_t in_total, curl_off_t in, curl_off_t out_total,
                       curl_off_t out)
{
	struct transfer *t = arg;

	if (t->req->progress)
		t->req->progress((uint64_t)out, (uint64_t)in,
		                 (uint64_t)(out_total > 0 ? out_total : in_total),
		                 t->req->progress_arg);
	return 0;
}

/* --- A request --- */

static void set_identity(const struct http_client *client, CURL *easy)
{
	if (client->unix_path)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->unix_path);
	if (client->cert_path) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, client->cert_path);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, client->key_path);
	}
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (client->trust_system)
		return;

	/* No names and authorities: the key itself is compared before anything is sent. */
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	if (client->pin)
		curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, client->pin);
}

static bool has_header(const struct http_request *req, const char *name)
{
	size_t size = strlen(name);

	for (const char *const *h = req->headers; h && *h; h++)
		if (strncasecmp(*h, name, size) == 0 && (*h)[size] == ':')
			return true;
	return false;
}

static struct curl_slist *set_headers(const struct http_request *req, CURL *easy)
{
	struct curl_slist *list = NULL;

	for (const char *const *h = req->headers; h && *h; h++)
		list = curl_slist_append(list, *h);
	if (!has_header(req, "Content-Type"))
		list = curl_slist_append(list, "Content-Type:");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
	return list;
}

static void set_body(struct transfer *t, CURL *easy)
{
	const struct http_request *req = t->req;
	const char *method = req->method ? req->method : "GET";

	if (req->has_body_fd) {
		t->body_left = req->body_size;
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body_wanted);
		curl_easy_setopt(easy, CURLOPT_READDATA, t);
		if (req->body_size != UINT64_MAX)
			curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
			                 (curl_off_t)req->body_size);
	} else if (req->body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	           strcmp(method, "PATCH") == 0) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_size);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
	} else if (strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void wake_up(void *arg)
{
	curl_multi_wakeup(arg);
}

/* Runs the transfer to its end, its deadline or its cancellation. */
static CURLcode run(struct handle *h, const struct http_request *req, int64_t deadline,
                    int *ret_interrupt)
{
	uint64_t id = cancel_on(req->cancel, wake_up, h->multi);
	CURLcode result = CURLE_FAILED_INIT;
	int n_running = 1, r = 0;

	curl_multi_add_handle(h->multi, h->easy);
	while (n_running > 0) {
		r = cancel_code(req->cancel);
		int left = date_left(deadline);
		if (r == 0 && left == 0)
			r = -ETIMEDOUT;
		if (r < 0)
			break;
		if (curl_multi_perform(h->multi, &n_running) != CURLM_OK)
			break;
		if (n_running > 0)
			curl_multi_poll(h->multi, NULL, 0,
			                left >= 0 && left < POLL_MS ? left : POLL_MS, NULL);
	}

	int n_messages;
	CURLMsg *message;
	while ((message = curl_multi_info_read(h->multi, &n_messages)))
		if (message->msg == CURLMSG_DONE)
			result = message->data.result;
	curl_multi_remove_handle(h->multi, h->easy);
	cancel_off(req->cancel, id);
	*ret_interrupt = r;
	return result;
}

static int fail_as(struct error **err, int status, int code, const char *server, const char *reason)
{
	error_set(err, status, "Failed reaching \"%s\": %s", server, reason);
	(*err)->code = code;
	return code;
}

static int explain(const struct http_client *client, const struct transfer *t, CURLcode result,
                   int interrupt, const char *text, struct error **err)
{
	const char *server = client->unix_path ? client->unix_path : client->base;

	if (interrupt == -ECANCELED)
		return fail_as(err, 499, -ECANCELED, server, "Cancelled");
	if (interrupt < 0 || result == CURLE_OPERATION_TIMEDOUT)
		return fail_as(err, 504, -ETIMEDOUT, server, "Timed out");
	if (t->is_too_large)
		return error_set(err, 500, "Answer of \"%s\" is too large", server);
	if (t->failure < 0)
		return error_set_errno(err, t->failure, "Failed copying the body");
	if (result == CURLE_SSL_PINNEDPUBKEYNOTMATCH || result == CURLE_PEER_FAILED_VERIFICATION)
		return error_set(err, 403, "Certificate of \"%s\" is not the expected one", server);
	return error_set(err, 503, "Failed reaching \"%s\": %s", server,
	                 *text ? text : curl_easy_strerror(result));
}

/* Makes the handle ready for this request. The headers returned must outlive it. */
static struct curl_slist *set_up(const struct http_client *client, struct transfer *t,
                                 const char *url, char *error_text)
{
	CURL *easy = t->easy;

	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_ms);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	if (t->req->progress) {
		curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(easy, CURLOPT_XFERINFODATA, t);
	}
	set_identity(client, easy);
	set_body(t, easy);
	return set_headers(t->req, easy);
}

int http_client_do(struct http_client *client, const struct http_request *req,
                   struct http_response *ret_res, struct error **err)
{
	char error_text[CURL_ERROR_SIZE] = "";

	if (client->server_cert_pem && !client->pin)
		return error_set(err, 400, "Certificate of \"%s\" cannot be read", client->base);
	if (!client->unix_path && !client->pin && !client->trust_system && !client->trust_any &&
	    strncmp(client->base, "https:", 6) == 0)
		return error_set(err, 403, "Certificate of \"%s\" is not known", client->base);

	struct handle *h = take_handle(client);
	struct transfer t = { .req = req, .easy = h->easy };
	scoped_free char *url = xasprintf("%s%s", client->base, req->path);
	struct curl_slist *headers = set_up(client, &t, url, error_text);

	int interrupt;
	int64_t deadline = req->timeout_ms ? date_deadline(req->timeout_ms) : DEADLINE_NEVER;
	CURLcode result = run(h, req, deadline, &interrupt);
	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &t.status);
	curl_slist_free_all(headers);

	int r = 0;
	if (interrupt < 0 || result != CURLE_OK) {
		r = explain(client, &t, result, interrupt, error_text, err);
		handle_free(h);
		strbuf_done(&t.body);
		strv_free(t.headers);
		return r;
	}
	give_handle(client, h);
	*ret_res = (struct http_response){
		.status = (int)t.status,
		.size = t.body.size,
		.headers = t.headers,
		.fd_size = t.fd_size,
	};
	ret_res->body = strbuf_take(&t.body);
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
