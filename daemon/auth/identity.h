/*
 * Trusted certificates: rows of the database, known to every member before a change is answered.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct db_certificate;
struct json_object;
struct request;

/* As the API shows it; owned by the caller. */
struct json_object *identity_json(const struct db_certificate *row);
struct json_object *identity_etag(const struct db_certificate *row);

/* "client", "server" or "metrics"; borrowed. */
const char *identity_type_name(int type);
int identity_type_of(const char *name); /* enum db_certificate_type or -EINVAL. */

/*
 * Trusts the certificate in 'body' or, if there is none, the one of the connection. What a client
 * without trust may set comes from its token ('granted'), not from its body; NULL for an
 * administrator. 'secret' is the token's, used up in the transaction that adds the certificate (403
 * if it is gone by then), or NULL. '*ret_url' is owned by the caller.
 */
int identity_create(struct request *req, struct json_object *body, struct json_object *granted,
                    const char *secret, char **ret_url, struct error **err);

/* 'fingerprint' may be the beginning of one. */
int identity_update(struct request *req, const char *fingerprint, struct json_object *body,
                    bool is_patch, struct error **err);
int identity_delete(struct request *req, const char *fingerprint, struct error **err);
