/*
 * Tokens: one-time secrets that clients see as operations of class "token".
 *
 * They are rows of the database, so that they survive the daemon that made them and can be used and
 * taken back on every member. A use is one transaction: whoever comes first has it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct db_tx;
struct json_object;
struct request;
struct state;

struct token_spec {
	int kind;                     /* enum db_token_kind */
	const char *name;             /* Of the client or member; a fingerprint for an image. */
	const char *project;          /* NULL: none. */
	const char *description;      /* "Certificate add token". */
	const char *secret;           /* NULL: a random one. */
	const char *expiry;           /* As core.remote_token_expiry: "3H"; "" for never. */
	struct json_object *metadata; /* Borrowed: what the operation shows besides the secret. */
	const char *const *resources; /* kind, url, kind, url, NULL; or NULL. */
};

/*
 * Makes one. '*ret_operation' is how the API shows it, with metadata.secret (and expiresAt unless
 * it never expires); '*ret_url' its URL. Both owned by the caller; response_async() takes them.
 */
int token_create(struct request *req, const struct token_spec *spec, char **ret_url,
                 struct json_object **ret_operation, struct error **err);

/*
 * Uses one up. 'name' may be NULL. '*ret_metadata' (may be NULL) is what the maker gave, owned by
 * the caller. 403 if there is none such, or it is too old.
 */
int token_use(struct state *state, int kind, const char *secret, const char *name,
              struct json_object **ret_metadata, struct error **err);

/* The same in a transaction, with what the token is for: of several who bring it, one is let in. */
int token_use_in(struct db_tx *tx, int kind, const char *secret, const char *name,
                 struct error **err);

/* As token_use(), and it can still be used. */
int token_look(struct state *state, int kind, const char *secret, const char *name,
               struct json_object **ret_metadata, struct error **err);

/* As operations, without those that have expired: an array owned by the caller. */
int token_list(struct state *state, struct json_object **ret_operations, struct error **err);

/* One of them by its id: 404. 'project' may be NULL. */
int token_get(struct state *state, const char *id, struct json_object **ret_operation,
              struct error **err);

/* Takes one back: 404. */
int token_cancel(struct state *state, const char *id, struct error **err);
