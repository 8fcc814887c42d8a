/*
 * Certificates as identities.
 *
 * Every server, member and client owns a self-signed certificate; who is who is decided by its
 * SHA-256 fingerprint alone, so nothing here builds or checks chains.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/net/digest.h"

#define X509_FINGERPRINT_SIZE DIGEST_SHA256_HEX_SIZE

struct x509_wish {
	const char *common_name;      /* "root@host". */
	const char *organization;     /* "Muster", or NULL. */
	const char *const *dns_names; /* Ends with NULL; or NULL. */
	const char *const *addresses; /* IP addresses as text; ends with NULL; or NULL. */
	bool is_client;               /* Extended key usage: client, else server and client. */
	unsigned years;               /* 0: ten. */
};

/* Makes an ECDSA P-256 key and a self-signed certificate, both PEM, owned by the caller. */
int x509_generate(const struct x509_wish *wish, char **ret_cert_pem, char **ret_key_pem,
                  struct error **err);

/*
 * x509_generate() for this host (CN root@hostname, SAN hostname, 127.0.0.1, ::1) into two files,
 * the key with mode 0600, unless both exist already. Each appears whole or not at all.
 */
int x509_ensure_files(const char *cert_path, const char *key_path, bool is_client,
                      struct error **err);

/* A certificate that was read. The first one in 'pem' counts. */
struct x509 {
	uint8_t *der;
	size_t der_size;
	char fingerprint[X509_FINGERPRINT_SIZE]; /* SHA-256 of the DER, lower-case hex. */
	char *common_name;                       /* "" if none. */
	time_t not_before, not_after;
};

/* 400 if it is no certificate. */
int x509_parse_pem(const char *pem, size_t size, struct x509 **ret_cert, struct error **err);
int x509_parse_der(const void *der, size_t size, struct x509 **ret_cert, struct error **err);

/* Base64 of DER without PEM lines, as POST /1.0/certificates carries it; PEM is taken as well. */
int x509_parse_base64(const char *text, struct x509 **ret_cert, struct error **err);
int x509_load(const char *path, struct x509 **ret_cert, struct error **err);
void x509_free(struct x509 *cert);
DEFINE_SCOPED(struct x509 *, x509_free);

/* PEM of a certificate, ending with a line break. Owned by the caller. */
char *x509_to_pem(const void *der, size_t size) MUST_CHECK;

/* Whether 'key_pem' is the key of 'cert_pem'. */
bool x509_key_matches(const char *cert_pem, const char *key_pem);

/* Whether it holds now; 'ret_reason' (static, may be NULL) says why not. */
bool x509_is_valid_now(const struct x509 *cert, const char **ret_reason);
