/*
 * The cluster's certificate and this server's own.
 *
 * server.crt/key is what this member presents as a client of others; cluster.crt/key is what every
 * member's listener presents, so that clients see one server. A standalone server presents its own.
 */
#pragma once

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct cluster;

struct certificate {
	char *cert;        /* PEM */
	char *key;         /* PEM */
	char *fingerprint; /* SHA-256, hexadecimal. */
};

void certificate_free(struct certificate *certificate);
DEFINE_SCOPED(struct certificate *, certificate_free);

/* Reads DIR/NAME.crt and DIR/NAME.key; -ENOENT (404) if both are missing. */
int certificate_load(const char *dir, const char *name, struct certificate **ret_certificate,
                     struct error **err);

/* Writes both, atomically each, the key readable by root only. */
int certificate_store(const char *dir, const char *name, const struct certificate *certificate,
                      struct error **err);

/* Of PEM text, copied; 400 unless both are sound and belong together. */
int certificate_new(const char *cert, const char *key, struct certificate **ret_certificate,
                    struct error **err);

struct certificate *certificate_copy(const struct certificate *from) MUST_CHECK;

/* What listeners present now: the cluster's if clustered, else the server's own; owned copy. */
struct certificate *certificate_of_listener(struct cluster *cluster) MUST_CHECK;

/* Its fingerprint alone. */
char *certificate_fingerprint_of_listener(struct cluster *cluster) MUST_CHECK;

/*
 * PUT /1.0/cluster/certificate: checks, stores on this member and sends to all others, which must
 * be online. Publishes cluster-certificate-updated.
 */
int certificate_update(struct cluster *cluster, const char *cert, const char *key,
                       struct error **err);

/* Member: PUT /internal/cluster/certificate: stores what another member sent. */
int certificate_local_receive(struct cluster *cluster, const char *cert, const char *key,
                              struct error **err);
