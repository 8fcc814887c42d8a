/*
 * One-time tokens: rows of "tokens". Also the operations of class "token" of the API are these
 * rows, so that they survive the daemon that made them and can be used on any member.
 */
#pragma once

#include "db/db.h"

enum db_token_kind { DB_TOKEN_CLIENT = 1, DB_TOKEN_JOIN, DB_TOKEN_IMAGE, DB_TOKEN_UPLOAD };

struct db_token {
	int64_t id;
	char *uuid;    /* Also the operation's. */
	int64_t kind;  /* enum db_token_kind */
	char *name;    /* Of the client or the member to join; a fingerprint for an image,
	                * "PROJECT/FINGERPRINT" for the upload of one. */
	char *project; /* "" if none. */
	char *secret;  /* As given to create; of a row that was read, the digest of it. */
	int64_t created;
	int64_t expires; /* DATE_NONE: never. */
	char *data;      /* JSON object: what else the maker wants to know when it is used. */
};

struct db_tokens {
	struct db_token *rows;
	size_t n;
};

void db_token_done(struct db_token *row);
void db_token_list_done(struct db_tokens *rows);

/* Of one kind, or of all if it is 0; in order of creation; expired ones included. */
int db_token_list(struct db_tx *tx, int kind, struct db_tokens *ret_rows, struct error **err)
	MUST_CHECK;
int db_token_get(struct db_tx *tx, const char *uuid, struct db_token *ret_row, struct error **err)
	MUST_CHECK;
int db_token_create(struct db_tx *tx, const struct db_token *row, struct error **err) MUST_CHECK;

/*
 * Finds a token by kind, secret and (unless NULL) name. 404 if there is none, or if it has expired
 * by 'now'. Only digests of secrets are stored: rows are looked up by the beginning of it, and the
 * whole is compared in a time that tells nothing.
 */
int db_token_find(struct db_tx *tx, enum db_token_kind kind, const char *secret, const char *name,
                  int64_t now, struct db_token *ret_row, struct error **err) MUST_CHECK;

/* The same, and removes it: whoever runs this first has it. */
int db_token_use(struct db_tx *tx, enum db_token_kind kind, const char *secret, const char *name,
                 int64_t now, struct db_token *ret_row, struct error **err) MUST_CHECK;
int db_token_delete(struct db_tx *tx, const char *uuid, struct error **err) MUST_CHECK;

/* Removes what has expired by 'now'. */
int db_token_prune(struct db_tx *tx, int64_t now, struct error **err) MUST_CHECK;
