/*
 * GnuTLS sessions on non-blocking descriptors, for servers and clients.
 *
 * Credentials are counted: a session keeps those it began with, so replacing a server's certificate
 * disturbs nobody. Servers ask for a client certificate with an empty list of authorities (else Go
 * clients keep their self-signed ones to themselves) and take the connection without one as well;
 * who the peer is, is looked up by fingerprint for each request.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gnutls/gnutls.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct tls_credentials;

/* From PEM text. For clients both may be NULL: no certificate is shown. */
int tls_credentials_new(const char *cert_pem, const char *key_pem,
                        struct tls_credentials **ret_cred, struct error **err);
int tls_credentials_load(const char *cert_path, const char *key_path,
                         struct tls_credentials **ret_cred, struct error **err);
struct tls_credentials *tls_credentials_ref(struct tls_credentials *cred);
void tls_credentials_unref(struct tls_credentials *cred);
DEFINE_SCOPED(struct tls_credentials *, tls_credentials_unref);

/* Adds the system's authorities, for public image servers; needed by tls_verify_system(). */
int tls_credentials_trust_system(struct tls_credentials *cred, struct error **err);

enum tls_role { TLS_SERVER, TLS_CLIENT };

struct tls_options {
	bool allow_tls12; /* Else TLS 1.3 only. */
	const gnutls_datum_t
		*ticket_key;     /* Servers: session tickets if set; must outlive sessions. */
	const char *server_name; /* Clients: SNI when it is a name. */
};

struct tls_session; /* A gnutls session with its credentials and descriptor. */

/* Borrows 'fd' (non-blocking), references 'cred'. ALPN is http/1.1. Returns NULL if out of entropy.
 */
struct tls_session *tls_session_new(enum tls_role role, int fd, struct tls_credentials *cred,
                                    const struct tls_options *options) MUST_CHECK;
void tls_session_free(struct tls_session *tls); /* Does not close the descriptor. */
DEFINE_SCOPED(struct tls_session *, tls_session_free);

/* 0: done. -EAGAIN: poll for tls_session_wants(). Else -EPROTO, -ECONNRESET ... */
int tls_session_handshake(struct tls_session *tls);

/* Reads at most 'size' bytes; 0 is the end, also without close_notify. -EAGAIN as above. */
ssize_t tls_session_read(struct tls_session *tls, void *data, size_t size);

/* May write less. After -EAGAIN the same bytes must be offered again. */
ssize_t tls_session_write(struct tls_session *tls, const void *data, size_t size);

/* Sends close_notify: the peer sees our end, we go on reading. */
int tls_session_shutdown(struct tls_session *tls);

/* POLLIN or POLLOUT, after -EAGAIN. */
short tls_session_wants(const struct tls_session *tls);
size_t tls_session_pending(const struct tls_session *tls); /* Decrypted bytes that no poll shows. */

/* The peer's first certificate as DER, borrowed from the session, or NULL. */
const uint8_t *tls_session_peer_der(const struct tls_session *tls, size_t *ret_size);

/* Clients: checks the peer's chain and host name against the system's authorities. 403 if it fails.
 */
int tls_session_verify_system(struct tls_session *tls, const char *host, struct error **err);

const char *tls_error_text(const struct tls_session *tls); /* Of the last failure; static. */
