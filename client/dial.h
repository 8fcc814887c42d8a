/*
 * From an address to a stream: a unix socket, or TLS to a server whose certificate is known.
 *
 * The client talks from one thread, starts a thousand times a day from scripts and is interrupted
 * by ^C. So it does without lib/net's HTTP client, and sets up TLS only if a remote needs it.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/net/stream.h"

/* How the other side of a TLS connection is known, and what we show it. */
struct dial_tls {
	const char *address;   /* "host:port". */
	const char *cert_path; /* Our certificate and key, PEM; NULL shows none. */
	const char *key_path;
	const char *pinned_path; /* PEM of the only certificate that is good; NULL: the system's
	                            authorities decide. */
	bool accept_any;         /* Only to look at the certificate. */
};

int dial_unix(const char *path, struct stream **ret_stream, struct error **err);

/* Fails with a 495 if the certificate is another than the pinned one. */
int dial_tls(const struct dial_tls *tls, struct stream **ret_stream, struct error **err);

/* Must be called before anything else that uses GnuTLS; dial_tls() does it. */
void dial_init_tls(void);
