#include "db/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "db/row.h"
#include "lib/net/digest.h"

#define NOUN "Token"

/* So much of a digest finds its row and tells nothing of the secret. */
#define PREFIX_SIZE 8

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_token, id),
	DB_TEXT(struct db_token, uuid),
	DB_INT64(struct db_token, kind),
	DB_TEXT(struct db_token, name),
	DB_TEXT(struct db_token, project),
	DB_TEXT(struct db_token, secret),
	DB_DATE(struct db_token, created),
	DB_DATE(struct db_token, expires),
	DB_TEXT(struct db_token, data),
};
/* clang-format on */

#define SELECT_TOKENS                                                          \
	"SELECT id, uuid, kind, name, project, secret, created, expires, data" \
	"  FROM tokens"

void db_token_done(struct db_token *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
}

void db_token_list_done(struct db_tokens *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_token_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_tokens){ 0 };
}

int db_token_list(struct db_tx *tx, int kind, struct db_tokens *ret_rows, struct error **err)
{
	return db_row_list(tx, SELECT_TOKENS " WHERE ?1 = 0 OR kind = ?1 ORDER BY id",
	                   DB_ARGS(db_int(kind)), columns, ret_rows, err);
}

int db_token_get(struct db_tx *tx, const char *uuid, struct db_token *ret_row, struct error **err)
{
	struct db_token row = { 0 };

	int r = db_get(tx, SELECT_TOKENS " WHERE uuid = ?", DB_ARGS(db_text(uuid)), columns,
	               COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);

	*ret_row = row;
	return 0;
}

int db_token_create(struct db_tx *tx, const struct db_token *row, struct error **err)
{
	char digest[DIGEST_SHA256_HEX_SIZE];

	digest_sha256_hex(row->secret, strlen(row->secret), digest);
	int r = db_exec(
		tx,
		"INSERT INTO tokens (uuid, kind, name, project, secret, created, expires, data)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_text(row->uuid), db_int(row->kind), db_text(row->name),
	                db_text(row->project), db_text(digest), db_int(row->created),
	                db_date(row->expires), db_text(row->data && *row->data ? row->data : "{}")),
		err);

	return db_row_end(r, NOUN, err);
}

int db_token_find(struct db_tx *tx, enum db_token_kind kind, const char *secret, const char *name,
                  int64_t now, struct db_token *ret_row, struct error **err)
{
	scoped(db_token_list_done) struct db_tokens rows = { 0 };
	char digest[DIGEST_SHA256_HEX_SIZE], prefix[PREFIX_SIZE + 1] = "";

	digest_sha256_hex(secret, strlen(secret), digest);
	memcpy(prefix, digest, PREFIX_SIZE);
	int r = db_row_list(tx,
	                    SELECT_TOKENS " WHERE kind = ?1 AND (?2 IS NULL OR name = ?2)"
	                                  "   AND (expires IS NULL OR expires > ?3)"
	                                  "   AND substr(secret, 1, 8) = ?4",
	                    DB_ARGS(db_int(kind), name ? db_text(name) : db_null(), db_int(now),
	                            db_text(prefix)),
	                    columns, &rows, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < rows.n; i++) {
		if (!digest_equal_secret(rows.rows[i].secret, digest))
			continue;
		*ret_row = rows.rows[i];
		rows.rows[i] = (struct db_token){ 0 };
		return 0;
	}

	return db_row_end(-ENOENT, NOUN, err);
}

int db_token_use(struct db_tx *tx, enum db_token_kind kind, const char *secret, const char *name,
                 int64_t now, struct db_token *ret_row, struct error **err)
{
	scoped(db_token_done) struct db_token row = { 0 };

	int r = db_token_find(tx, kind, secret, name, now, &row, err);
	if (r == 0)
		r = db_exec(tx, "DELETE FROM tokens WHERE id = ?", DB_ARGS(db_int(row.id)), err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_token){ 0 };
	return 0;
}

int db_token_delete(struct db_tx *tx, const char *uuid, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, "DELETE FROM tokens WHERE uuid = ?", DB_ARGS(db_text(uuid)),
	                      &changes, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}

int db_token_prune(struct db_tx *tx, int64_t now, struct error **err)
{
	return db_exec(tx, "DELETE FROM tokens WHERE expires <= ?", DB_ARGS(db_int(now)), err);
}
