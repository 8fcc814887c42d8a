/* From a client's address to a connection whose other end is known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/net/http_client_impl.h"
#include "lib/net/netaddr.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"
#include "lib/net/url.h"

enum { FETCH_MS = 10 * 1000 };

const char *http_client_name(const struct http_client *client)
{
	return client->unix_path ? client->unix_path : client->base;
}

int http_client_dial_fail(const char *server, int code, const char *reason, struct error **err)
{
	int status = 503;

	if (code == -ETIMEDOUT) {
		status = 504;
		reason = "Timed out";
	} else if (code == -ECANCELED) {
		status = 499;
		reason = "Cancelled";
	}
	error_set(err, status, "Failed reaching \"%s\": %s", server,
	          reason ? reason : strerrordesc_np(-code));
	(*err)->code = code;
	return code;
}

/* Does the handshake on 'fd', which stays the caller's. */
static int start_tls(int fd, const char *server, const char *host, struct tls_credentials *cred,
                     struct http_wait wait, struct tls_session **ret_tls, struct error **err)
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
			return http_client_dial_fail(server, r, tls_error_text(tls), err);
		r = socket_wait_cancel(fd, tls_session_wants(tls), wait.deadline, wait.cancel);
		if (r < 0)
			return http_client_dial_fail(server, r, NULL, err);
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

static int secure(const struct http_client *client, int *fd, const char *host,
                  struct http_wait wait, struct stream **ret_stream, struct error **err)
{
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = NULL;
	scoped(tls_session_freep) struct tls_session *tls = NULL;

	int r = client->cert_path
	                ? tls_credentials_load(client->cert_path, client->key_path, &cred, err)
	                : tls_credentials_new(NULL, NULL, &cred, err);
	if (r == 0 && client->trust_system)
		r = tls_credentials_trust_system(cred, err);
	if (r == 0)
		r = start_tls(*fd, client->base, host, cred, wait, &tls, err);
	if (r == 0)
		r = check_server(client, tls, host, err);
	if (r < 0)
		return r;

	*ret_stream = stream_new_tls_take(TAKE_PTR(tls), TAKE_FD(*fd));
	return 0;
}

static int dial_unix(const struct http_client *client, struct http_wait wait,
                     struct stream **ret_stream, struct error **err)
{
	int fd = socket_connect_unix(client->unix_path, date_left(wait.deadline));

	if (fd < 0)
		return http_client_dial_fail(client->unix_path, fd, NULL, err);
	*ret_stream = stream_new_fd_take(fd);
	return 0;
}

static int dial_tcp(const struct http_client *client, struct http_wait wait,
                    struct stream **ret_stream, char **ret_host, struct error **err)
{
	struct url url;

	if (url_parse(client->base, &url) < 0)
		return error_set(err, 400, "Malformed address \"%s\"", client->base);
	bool is_tls = strcmp(url.scheme, "https") == 0;
	uint16_t port = url.port ? (uint16_t)url.port : is_tls ? 443 : 80;
	scoped_free char *host = TAKE_PTR(url.host);
	scoped_free char *address = netaddr_join(host, port);
	url_done(&url);

	scoped_fd int fd = socket_connect_cancel(address, port, wait.deadline, wait.cancel);
	if (fd < 0)
		return http_client_dial_fail(client->base, fd, NULL, err);

	if (is_tls) {
		int r = secure(client, &fd, host, wait, ret_stream, err);
		if (r < 0)
			return r;
	} else {
		*ret_stream = stream_new_fd_take(TAKE_FD(fd));
	}
	*ret_host = TAKE_PTR(address);
	return 0;
}

int http_client_dial(const struct http_client *client, struct http_wait wait,
                     struct http_link **ret_link, struct error **err)
{
	scoped(http_link_freep) struct http_link *link = xcalloc(1, sizeof(*link));

	wait.deadline = MIN_OF(wait.deadline, date_deadline(client->connect_ms));
	int r = client->unix_path ? dial_unix(client, wait, &link->stream, err)
	                          : dial_tcp(client, wait, &link->stream, &link->host, err);
	if (r < 0)
		return r;
	if (!link->host)
		link->host = xstrdup("muster");

	*ret_link = TAKE_PTR(link);
	return 0;
}

void http_link_free(struct http_link *link)
{
	if (!link)
		return;

	stream_free(link->stream);
	free(link->host);
	free(link);
}

int http_client_fetch_certificate(const char *address, unsigned timeout_ms, struct x509 **ret_cert,
                                  struct error **err)
{
	struct http_wait wait = { .deadline = date_deadline(timeout_ms ? timeout_ms : FETCH_MS) };
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = NULL;
	scoped(tls_session_freep) struct tls_session *tls = NULL;
	scoped_fd int fd = socket_connect_address(address, 8443, date_left(wait.deadline));
	if (fd < 0)
		return http_client_dial_fail(address, fd, NULL, err);

	int r = tls_credentials_new(NULL, NULL, &cred, err);
	if (r == 0)
		r = start_tls(fd, address, NULL, cred, wait, &tls, err);
	if (r < 0)
		return r;

	size_t size;
	const uint8_t *der = tls_session_peer_der(tls, &size);
	if (!der)
		return error_set(err, 502, "Server \"%s\" shows no certificate", address);
	return x509_parse_der(der, size, ret_cert, err);
}
