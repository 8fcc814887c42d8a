/*
 * Join tokens: base64 of {"server_name", "fingerprint", "addresses", "secret", "expires_at"}.
 *
 * The secret proves the joiner to the cluster, the fingerprint proves the cluster to the joiner. A
 * token is good for one join of one name. The cluster keeps it as a row (db/tokens.h), which the
 * API shows as an operation of class "token".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"

struct json_object;

struct join_token {
	char *uuid; /* Of its row and operation; NULL in one that was parsed. */
	char *server_name;
	char *fingerprint; /* SHA-256 of the cluster's certificate, hexadecimal. */
	char **addresses;  /* NULL-terminated, of the members. */
	char *secret;      /* 64 hexadecimal digits. */
	char *expires_at;  /* RFC 3339, UTC; "" for never. */
};

void join_token_done(struct join_token *token);

/* Fails with a 400 for text that is no token. Does not check the expiry. */
int join_token_parse(const char *text, struct join_token *ret_token, struct error **err);
char *join_token_format(const struct join_token *token) MUST_CHECK;

/* True if the token's time is over at 'now' (date_now()). */
bool join_token_is_expired(const struct join_token *token, int64_t now);

/* What the operation shows: {"serverName", "secret", "fingerprint", "addresses", "expiresAt"}. */
struct json_object *join_token_metadata(const struct join_token *token) MUST_CHECK;
