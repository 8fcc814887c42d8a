/*
 * Upgrades, and what else needs the connection itself: a TLS client of our own, since a stream has
 * to be had that curl does not hand out.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <json-c/json.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/net/http_client_impl.h"
#include "lib/net/http_head.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"
#include "lib/net/websocket.h"

enum { HEAD_MAX = 32 * 1024, ERROR_MAX = 64 * 1024, DEFAULT_MS = 10 * 1000 };

static const char *name_of(const struct http_client *client)
{
	return client->unix_path ? client->unix_path : client->base;
}

static int fail_reaching(const char *server, int code, const char *reason, struct error **err)
{
	int status = code == -ETIMEDOUT ? 504 : 503;

	error_set(err, status, "Failed reaching \"%s\": %s", server,
	          reason ? reason : strerrordesc_np(-code));
	(*err)->code = code;
	return code;
}

/* Does the handshake on 'fd', which stays the caller's if it fails. */
static int start_tls(int fd, const char *server, const char *host, struct tls_credentials *cred,
                     int64_t deadline, struct tls_session **ret_tls, struct error **err)
{
	const struct tls_options options = { .allow_tls12 = true, .server_name = host };
	scoped(tls_session_freep) struct tls_session *tls =
		tls_session_new(TLS_CLIENT, fd, cred, &options);
	if (!tls)
		return error_set(err, 500, "Failed preparing TLS");

	for (;;) {
		int r = tls_session_handshake(tls);
		if (r == 0)
			break;
		if (r != -EAGAIN)
			return fail_reaching(server, r, tls_error_text(tls), err);
		r = socket_wait(fd, tls_session_wants(tls), date_left(deadline));
		if (r < 0)
			return fail_reaching(server, r, NULL, err);
	}
	*ret_tls = TAKE_PTR(tls);
	return 0;
}

/* Before anything is sent: is it the server that we mean? */
static int check_server(const struct http_client *client, struct tls_session *tls, const char *host,
                        struct error **err)
{
	if (client->server_cert_pem) {
		scoped(x509_freep) struct x509 *cert = NULL;
		size_t size;
		const uint8_t *der = tls_session_peer_der(tls, &size);
		int r = x509_parse_pem(client->server_cert_pem, strlen(client->server_cert_pem),
		                       &cert, err);
		if (r < 0)
			return r;
		if (!der || size != cert->der_size || memcmp(der, cert->der, size) != 0)
			return error_set(err, 403, "Certificate of \"%s\" is not the expected one",
			                 client->base);
		return 0;
	}
	if (client->trust_system)
		return tls_session_verify_system(tls, host, err);
	if (!client->trust_any)
		return error_set(err, 403, "Certificate of \"%s\" is not known", client->base);
	return 0;
}

static int secure(struct http_client *client, int *fd, const char *host, int64_t deadline,
                  struct stream **ret_stream, struct error **err)
{
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = NULL;
	scoped(tls_session_freep) struct tls_session *tls = NULL;

	int r = client->cert_path
	                ? tls_credentials_load(client->cert_path, client->key_path, &cred, err)
	                : tls_credentials_new(NULL, NULL, &cred, err);
	if (r == 0 && client->trust_system)
		r = tls_credentials_trust_system(cred, err);
	if (r == 0)
		r = start_tls(*fd, client->base, host, cred, deadline, &tls, err);
	if (r == 0)
		r = check_server(client, tls, host, err);
	if (r < 0)
		return r;

	*ret_stream = stream_new_tls_take(TAKE_PTR(tls), TAKE_FD(*fd));
	return 0;
}

static int dial(struct http_client *client, int64_t deadline, struct stream **ret_stream,
                char **ret_host, struct error **err)
{
	int connect_ms = (int)client->connect_ms, left = date_left(deadline);

	if (left >= 0 && left < connect_ms)
		connect_ms = left;

	if (client->unix_path) {
		int fd = socket_connect_unix(client->unix_path, connect_ms);
		if (fd < 0)
			return fail_reaching(client->unix_path, fd, NULL, err);
		*ret_stream = stream_new_fd_take(fd);
		*ret_host = xstrdup("muster");
		return 0;
	}

	struct url url;
	if (url_parse(client->base, &url) < 0)
		return error_set(err, 400, "Malformed address \"%s\"", client->base);
	bool is_tls = strcmp(url.scheme, "https") == 0;
	uint16_t port = url.port ? (uint16_t)url.port : is_tls ? 443 : 80;
	scoped_free char *host = TAKE_PTR(url.host);
	scoped_free char *address = netaddr_join(host, port);
	url_done(&url);

	int64_t connect_deadline = date_deadline(connect_ms);
	scoped_fd int fd = socket_connect_address(address, port, connect_ms);
	if (fd < 0)
		return fail_reaching(client->base, fd, NULL, err);

	*ret_host = TAKE_PTR(address);
	if (is_tls)
		return secure(client, &fd, host, connect_deadline, ret_stream, err);
	*ret_stream = stream_new_fd_take(TAKE_FD(fd));
	return 0;
}

static char *write_head(const struct http_client *client, const struct http_request *req,
                        const char *host, const char *protocol, const char *key)
{
	struct strbuf head = { 0 };

	strbuf_addf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n",
	            req->method ? req->method : "GET", req->path, host, client->user_agent);
	strbuf_addf(&head, "Connection: Upgrade\r\nUpgrade: %s\r\n", protocol);
	if (key)
		strbuf_addf(&head, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", key);
	for (const char *const *h = req->headers; h && *h; h++)
		strbuf_addf(&head, "%s\r\n", *h);
	if (req->body_size > 0)
		strbuf_addf(&head, "Content-Length: %llu\r\n", (unsigned long long)req->body_size);
	strbuf_add(&head, "\r\n");
	return strbuf_take(&head);
}

/* Reads until the blank line; what follows it is put back. */
static int read_head(struct stream *s, int64_t deadline, struct strbuf *head)
{
	for (;;) {
		const char *end =
			head->size > 0 ? memmem(head->text, head->size, "\r\n\r\n", 4) : NULL;
		if (end) {
			size_t size = (size_t)(end - head->text) + 4;
			stream_unread(s, head->text + size, head->size - size);
			strbuf_truncate(head, size);
			return 0;
		}
		if (head->size > HEAD_MAX)
			return -EPROTO;

		char *room = strbuf_reserve(head, 4096);
		ssize_t n = stream_read(s, room, 4096);
		if (n == 0)
			return -ECONNRESET;
		if (n > 0)
			strbuf_advance(head, (size_t)n);
		else if (n == -EAGAIN)
			n = stream_wait(s, stream_read_events(s), date_left(deadline));
		if (n < 0)
			return (int)n;
	}
}

static int parse_head(const struct strbuf *head, struct http_response *res)
{
	static const char version[] = "HTTP/1.";
	const char *text = head->text;
	size_t n = sizeof(version) - 1;

	/* "HTTP/1.1 101 ...": a digit, a blank and three digits follow. */
	if (memchr(text, '\0', head->size) || strncmp(text, version, n) != 0 ||
	    !isdigit((unsigned char)text[n]) || text[n + 1] != ' ' ||
	    strspn(text + n + 2, "0123456789") != 3)
		return -EPROTO;
	res->status = (int)strtol(text + n + 2, NULL, 10);

	for (const char *line = strstr(head->text, "\r\n") + 2; *line != '\r';) {
		const char *end = strstr(line, "\r\n");
		strv_add_take(&res->headers, xasprintf("%.*s", (int)(end - line), line));
		line = end + 2;
	}
	return 0;
}

/* The answer was another one than 101: reads its body for the reason. */
static void read_error_body(struct stream *s, int64_t deadline, struct http_response *res)
{
	const char *length = http_response_header(res, "Content-Length");
	size_t size = length ? strtoul(length, NULL, 10) : 0;

	if (size == 0 || size > ERROR_MAX)
		return;
	res->body = xcalloc(1, size + 1);
	if (stream_read_full(s, res->body, size, date_left(deadline)) == 0)
		res->size = size;
}

static int check_answer(const struct http_client *client, const struct http_response *res,
                        const char *protocol, const char *key, struct error **err)
{
	const char *upgrade = http_response_header(res, "Upgrade");

	if (!http_head_has_token(upgrade, protocol))
		return error_set(err, 502, "Answer of \"%s\" names another protocol",
		                 name_of(client));
	if (!key)
		return 0;

	scoped_free char *wanted = websocket_accept_key(key);
	const char *accept = http_response_header(res, "Sec-WebSocket-Accept");
	if (!accept || strcmp(accept, wanted) != 0)
		return error_set(err, 502, "Answer of \"%s\" is to another websocket key",
		                 name_of(client));
	return 0;
}

int http_client_upgrade(struct http_client *client, const struct http_request *req,
                        const char *protocol, struct stream **ret_stream, struct error **err)
{
	int64_t deadline = req->timeout_ms ? date_deadline(req->timeout_ms) : DEADLINE_NEVER;
	scoped(stream_freep) struct stream *s = NULL;
	scoped(http_response_done) struct http_response res = { 0 };
	scoped(strbuf_done) struct strbuf head = { 0 };
	scoped_free char *host = NULL;
	scoped_free char *key = strcasecmp(protocol, "websocket") == 0 ? websocket_new_key() : NULL;

	int r = dial(client, deadline, &s, &host, err);
	if (r < 0)
		return r;

	scoped_free char *text = write_head(client, req, host, protocol, key);
	r = stream_write_full(s, text, strlen(text), date_left(deadline));
	if (r == 0 && req->body_size > 0)
		r = stream_write_full(s, req->body, (size_t)req->body_size, date_left(deadline));
	if (r == 0)
		r = read_head(s, deadline, &head);
	if (r == 0)
		r = parse_head(&head, &res);
	if (r < 0)
		return fail_reaching(name_of(client), r, NULL, err);

	if (res.status != 101) {
		read_error_body(s, deadline, &res);
		r = http_client_error_of(&res, err);
		if (r == 0)
			r = error_set(err, 502, "Server \"%s\" did not upgrade", name_of(client));
		return r;
	}
	r = check_answer(client, &res, protocol, key, err);
	if (r < 0)
		return r;

	*ret_stream = TAKE_PTR(s);
	return 0;
}

int http_client_fetch_certificate(const char *address, unsigned timeout_ms, struct x509 **ret_cert,
                                  struct error **err)
{
	int64_t deadline = date_deadline(timeout_ms ? (int64_t)timeout_ms : DEFAULT_MS);
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = NULL;
	scoped(tls_session_freep) struct tls_session *tls = NULL;
	scoped_fd int fd = socket_connect_address(address, 8443, date_left(deadline));
	if (fd < 0)
		return fail_reaching(address, fd, NULL, err);

	int r = tls_credentials_new(NULL, NULL, &cred, err);
	if (r == 0)
		r = start_tls(fd, address, NULL, cred, deadline, &tls, err);
	if (r < 0)
		return r;

	size_t size;
	const uint8_t *der = tls_session_peer_der(tls, &size);
	if (!der)
		return error_set(err, 502, "Server \"%s\" shows no certificate", address);
	return x509_parse_der(der, size, ret_cert, err);
}
