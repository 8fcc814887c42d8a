#include "client/dial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "client/interrupt.h"
#include "lib/base/macro.h"
#include "lib/net/netaddr.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"
#include "lib/net/x509.h"

#define DIAL_TIMEOUT_MS 10000

void dial_init_tls(void)
{
	static bool done;

	if (!done)
		gnutls_global_init();
	done = true;
}

int dial_unix(const char *path, struct stream **ret_stream, struct error **err)
{
	int fd = socket_connect_unix(path, DIAL_TIMEOUT_MS);

	if (fd < 0)
		return error_set_errno(err, fd, "Failed connecting to \"%s\"", path);
	*ret_stream = stream_new_fd_take(fd);
	return 0;
}

static int handshake(struct tls_session *session, int fd, const char *address, struct error **err)
{
	int r;

	while ((r = tls_session_handshake(session)) == -EAGAIN) {
		struct pollfd p = { .fd = fd, .events = tls_session_wants(session) };

		r = interrupt_poll(&p, 1, DIAL_TIMEOUT_MS);
		if (r < 0)
			return error_set_errno(err, r, "Failed waiting for %s", address);
		if (r == 0)
			return error_set(err, 504, "No answer from %s", address);
	}
	if (r < 0)
		return error_set(err, 502, "Failed the TLS handshake with %s: %s", address,
		                 tls_error_text(session));
	return 0;
}

/* Who signed a pinned certificate does not matter; it is compared byte by byte. */
static int check_pinned(struct tls_session *session, const char *path, struct error **err)
{
	scoped(x509_freep) struct x509 *pinned = NULL;
	size_t size = 0;
	const uint8_t *der = tls_session_peer_der(session, &size);
	int r = x509_load(path, &pinned, err);

	if (r < 0)
		return error_wrap(err, "Failed reading \"%s\"", path);
	if (!der || size != pinned->der_size || memcmp(der, pinned->der, size) != 0)
		return error_set(err, 495, "The server's certificate is not the one in \"%s\"",
		                 path);
	return 0;
}

int dial_tls(const struct dial_tls *tls, struct stream **ret_stream, struct error **err)
{
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = NULL;
	scoped(tls_session_freep) struct tls_session *session = NULL;
	scoped_free char *host = NULL;
	uint16_t port;
	int r;

	dial_init_tls();
	if (netaddr_split(tls->address, 8443, &host, &port) < 0)
		return error_set(err, 400, "Invalid address \"%s\"", tls->address);
	r = tls->cert_path ? tls_credentials_load(tls->cert_path, tls->key_path, &cred, err)
	                   : tls_credentials_new(NULL, NULL, &cred, err);
	if (r < 0)
		return r;
	if (!tls->pinned_path && !tls->accept_any &&
	    (r = tls_credentials_trust_system(cred, err)) < 0)
		return r;

	scoped_fd int fd = socket_connect_address(tls->address, 8443, DIAL_TIMEOUT_MS);
	if (fd < 0)
		return error_set_errno(err, fd, "Failed connecting to %s", tls->address);
	session =
		tls_session_new(TLS_CLIENT, fd, cred, &(struct tls_options){ .server_name = host });
	if (!session)
		return error_set(err, 500, "Failed preparing TLS");
	r = handshake(session, fd, tls->address, err);
	if (r == 0 && tls->pinned_path)
		r = check_pinned(session, tls->pinned_path, err);
	else if (r == 0 && !tls->accept_any)
		r = tls_session_verify_system(session, host, err);
	if (r < 0)
		return r;
	*ret_stream = stream_new_tls_take(TAKE_PTR(session), TAKE_FD(fd));
	return 0;
}
