/*
 * A transaction while its callback runs: a connection, a deadline, what failed, what to call after.
 *
 * Shared by db.c, which runs transactions, and tx.c, which runs their statements.
 */
#pragma once

#include "db/conn.h"
#include "db/db.h"
#include "lib/base/array.h"

struct db_tx_hook {
	void (*fn)(void *arg, bool committed);
	void *arg;
};

struct db_tx_hooks {
	struct db_tx_hook *items;
	size_t n_items;
	size_t capacity;
};

/* The queries of something that will be asked for again, so that they can be announced then. */
struct db_trail {
	struct db_note {
		const char *sql; /* A literal. */
		struct db_value values[5];
		size_t n_values;
	} notes[6];
	size_t n;
};

struct db_tx {
	struct db_conn *conn;
	int64_t deadline;
	bool has_begun;
	bool may_write;
	bool has_written;
	enum db_failure failure; /* The first one that makes the attempt worthless. */
	struct db_tx_hooks hooks;
	struct db_trail *trail; /* Where queries are noted; or NULL. */
};

/* The table that db_write() needs; also in the schema. */
#define DB_TX_MARKS \
	"CREATE TABLE IF NOT EXISTS marks (origin TEXT NOT NULL PRIMARY KEY, mark INTEGER NOT NULL)"

/* Writes the mark and commits, in one message, the second only after the first. */
int db_tx_commit(struct db_tx *tx, const char *origin, int64_t mark, struct error **err) MUST_CHECK;

/* BEGIN or BEGIN IMMEDIATE. */
int db_tx_begin(struct db_tx *tx, const char *sql, struct error **err) MUST_CHECK;

/* Runs a statement that is not the callback's: BEGIN and the like. */
int db_tx_control(struct db_tx *tx, const char *sql, struct error **err) MUST_CHECK;

/* The same for several statements, up to the first that fails. */
int db_tx_control_all(struct db_tx *tx, const char *sql, struct error **err) MUST_CHECK;

/* Announces what was noted. */
void db_tx_announce(struct db_tx *tx, const struct db_trail *trail);

/* Calls the hooks and forgets them. */
void db_tx_call_hooks(struct db_tx_hooks *hooks, bool committed);
