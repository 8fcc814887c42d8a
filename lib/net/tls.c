#include "lib/net/tls.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include <gnutls/x509.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/refs.h"
#include "lib/net/netaddr.h"

enum { PEM_MAX = 1024 * 1024 };

struct tls_credentials {
	struct refs refs;
	gnutls_certificate_credentials_t cred;
};

struct tls_session {
	gnutls_session_t session;
	struct tls_credentials *cred;
	int last_failure; /* Of GnuTLS, for tls_error_text(). */
};

static gnutls_priority_t priority_tls13, priority_tls12;
static pthread_once_t priorities_once = PTHREAD_ONCE_INIT;

static void make_priorities(void)
{
	/* With 1.2 only what has forward secrecy and an AEAD, as 1.3 has by itself. */
	if (gnutls_priority_init(&priority_tls13, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) < 0 ||
	    gnutls_priority_init(&priority_tls12,
	                         "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA"
	                         ":-AES-256-CBC:-AES-128-CBC:-SHA1",
	                         NULL) < 0)
		abort();
}

int tls_credentials_new(const char *cert_pem, const char *key_pem,
                        struct tls_credentials **ret_cred, struct error **err)
{
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = xcalloc(1, sizeof(*cred));

	refs_init(&cred->refs);
	if (gnutls_certificate_allocate_credentials(&cred->cred) < 0)
		abort();

	if (cert_pem) {
		gnutls_datum_t cert = { .data = (void *)(uintptr_t)cert_pem,
			                .size = (unsigned)strlen(cert_pem) };
		gnutls_datum_t key = { .data = (void *)(uintptr_t)key_pem,
			               .size = (unsigned)strlen(key_pem) };
		int r = gnutls_certificate_set_x509_key_mem(cred->cred, &cert, &key,
		                                            GNUTLS_X509_FMT_PEM);
		if (r < 0)
			return error_set(err, 400, "Failed loading the certificate and its key: %s",
			                 gnutls_strerror(r));
	}

	*ret_cred = TAKE_PTR(cred);
	return 0;
}

int tls_credentials_load(const char *cert_path, const char *key_path,
                         struct tls_credentials **ret_cred, struct error **err)
{
	scoped_free char *cert = NULL, *key = NULL;

	int r = file_read(cert_path, PEM_MAX, &cert, NULL);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", cert_path);
	r = file_read(key_path, PEM_MAX, &key, NULL);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", key_path);
	return tls_credentials_new(cert, key, ret_cred, err);
}

struct tls_credentials *tls_credentials_ref(struct tls_credentials *cred)
{
	refs_get(&cred->refs);
	return cred;
}

void tls_credentials_unref(struct tls_credentials *cred)
{
	if (!cred || !refs_put(&cred->refs))
		return;

	gnutls_certificate_free_credentials(cred->cred);
	free(cred);
}

int tls_credentials_trust_system(struct tls_credentials *cred, struct error **err)
{
	int r = gnutls_certificate_set_x509_system_trust(cred->cred);

	if (r < 0)
		return error_set(err, 500, "Failed loading the system's authorities: %s",
		                 gnutls_strerror(r));
	return 0;
}

/* Returns false if GnuTLS refuses something, which only lack of entropy can explain. */
static bool set_up(gnutls_session_t session, enum tls_role role, int fd,
                   struct tls_credentials *cred, const struct tls_options *options)
{
	static const gnutls_datum_t alpn = { .data = (unsigned char *)(uintptr_t) "http/1.1",
		                             .size = 8 };

	pthread_once(&priorities_once, make_priorities);
	if (gnutls_priority_set(session, options->allow_tls12 ? priority_tls12 : priority_tls13) <
	            0 ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred->cred) < 0 ||
	    gnutls_alpn_set_protocols(session, &alpn, 1, 0) < 0)
		return false;

	if (role == TLS_SERVER) {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
		gnutls_certificate_send_x509_rdn_sequence(session, 1);
		if (options->ticket_key &&
		    gnutls_session_ticket_enable_server(session, options->ticket_key) < 0)
			return false;
	} else if (options->server_name && !netaddr_is_ip(options->server_name)) {
		if (gnutls_server_name_set(session, GNUTLS_NAME_DNS, options->server_name,
		                           strlen(options->server_name)) < 0)
			return false;
	}

	gnutls_handshake_set_timeout(session, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_int(session, fd);
	return true;
}

struct tls_session *tls_session_new(enum tls_role role, int fd, struct tls_credentials *cred,
                                    const struct tls_options *options)
{
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;
	gnutls_session_t session;

	flags |= role == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT;
	if (gnutls_init(&session, flags) < 0)
		return NULL;
	if (!set_up(session, role, fd, cred, options)) {
		gnutls_deinit(session);
		return NULL;
	}

	struct tls_session *tls = xcalloc(1, sizeof(*tls));
	tls->session = session;
	tls->cred = tls_credentials_ref(cred);
	return tls;
}

void tls_session_free(struct tls_session *tls)
{
	if (!tls)
		return;

	gnutls_deinit(tls->session);
	tls_credentials_unref(tls->cred);
	free(tls);
}

static int errno_of(struct tls_session *tls, int r)
{
	if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;

	tls->last_failure = r;
	switch (r) {
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PREMATURE_TERMINATION:
		return -ECONNRESET;
	default:
		return -EPROTO;
	}
}

int tls_session_handshake(struct tls_session *tls)
{
	/* Warnings are no reason to stop, but no reason to go on for ever either. */
	for (unsigned i = 0; i < 16; i++) {
		int r = gnutls_handshake(tls->session);
		if (r >= 0)
			return 0;
		if (r == GNUTLS_E_AGAIN || gnutls_error_is_fatal(r))
			return errno_of(tls, r);
	}
	return -EPROTO;
}

ssize_t tls_session_read(struct tls_session *tls, void *data, size_t size)
{
	for (unsigned i = 0; i < 16; i++) {
		ssize_t n = gnutls_record_recv(tls->session, data, size);
		if (n >= 0)
			return n;
		if (n == GNUTLS_E_PREMATURE_TERMINATION)
			return 0;
		if (n == GNUTLS_E_WARNING_ALERT_RECEIVED || n == GNUTLS_E_INTERRUPTED)
			continue;
		return errno_of(tls, (int)n);
	}
	return -EPROTO;
}

ssize_t tls_session_write(struct tls_session *tls, const void *data, size_t size)
{
	ssize_t n = gnutls_record_send(tls->session, data, size);

	return n >= 0 ? n : errno_of(tls, (int)n);
}

int tls_session_shutdown(struct tls_session *tls)
{
	int r = gnutls_bye(tls->session, GNUTLS_SHUT_WR);

	return r >= 0 ? 0 : errno_of(tls, r);
}

short tls_session_wants(const struct tls_session *tls)
{
	return gnutls_record_get_direction(tls->session) ? POLLOUT : POLLIN;
}

size_t tls_session_pending(const struct tls_session *tls)
{
	return gnutls_record_check_pending(tls->session);
}

const uint8_t *tls_session_peer_der(const struct tls_session *tls, size_t *ret_size)
{
	unsigned count = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(tls->session, &count);

	*ret_size = list && count > 0 ? list[0].size : 0;
	return *ret_size > 0 ? list[0].data : NULL;
}

int tls_session_verify_system(struct tls_session *tls, const char *host, struct error **err)
{
	unsigned status = 0;
	gnutls_datum_t text = { 0 };

	int r = gnutls_certificate_verify_peers3(tls->session, host, &status);
	if (r >= 0 && status == 0)
		return 0;
	if (r >= 0)
		(void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text,
		                                                   0);

	error_set(err, 403, "Certificate of \"%s\" is not trusted: %s", host,
	          text.data ? (const char *)text.data : gnutls_strerror(r));
	gnutls_free(text.data);
	return (*err)->code;
}

const char *tls_error_text(const struct tls_session *tls)
{
	return tls->last_failure ? gnutls_strerror(tls->last_failure) : "Connection reset by peer";
}
