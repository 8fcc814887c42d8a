/*
 * Transactions on the cluster database, rows as structs.
 *
 * The database is an SQLite database that dqlite (or its fork cowsql) replicates; only the node
 * that leads answers SQL. A struct db hides that: it finds the leader through struct db_ops, keeps
 * a few connections to it, follows it when it changes, and runs transactions as callbacks, so that
 * they can be run again.
 *
 * Writing. db_write() runs its callback in a transaction, one at a time in this daemon and in order
 * of arrival. The callback may run several times (another member held the write lock, the leader
 * changed) and on any thread, and must therefore change nothing but the database and what 'arg'
 * holds as output. Its effect is committed exactly once: each transaction also writes a mark of its
 * own, and when the outcome of a commit is unknown, the mark is read back before anything is
 * repeated.
 *
 * Reading. db_read() runs its callback in a read transaction: all its queries see one state, at
 * least as new as the call.
 *
 * Errors of both: what the callback returned, with its 'err'; a violated constraint is a 409
 * (-EEXIST) if something of that name exists and a 404 (-ENOENT) if a row that is referred to does
 * not; no leader within the deadline is a 503 (-EAGAIN).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/date.h"
#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/smap.h"

struct db;
struct db_tx;

/* How nodes are reached. The functions are called on any thread, several at a time. */
struct db_ops {
	/*
	 * Connects to the node whose raft address is 'address', this daemon's own included, and
	 * returns a connected stream fd on which nothing was sent yet, which the caller owns, or a
	 * negative errno. It must return by 'deadline' (date_deadline()).
	 */
	int (*dial)(void *arg, const char *address, int64_t deadline);

	/*
	 * Returns the raft addresses of all nodes that may lead (voters first), as a vector that
	 * ends with NULL and is the caller's, or NULL.
	 */
	char **(*candidates)(void *arg);
};

struct db_options {
	const struct db_ops *ops; /* Borrowed for the life of the database. */
	void *ops_arg;
	const char *origin;  /* Names this daemon in the table of marks; stable, unique, not "". */
	uint32_t timeout_ms; /* Budget of a transaction, retries included; 0: 10,000. */
	uint32_t n_connections; /* Most connections that read at the same time; 0: 4. */
};

/* Makes a database; nothing is connected until it is used. Never fails. */
struct db *db_new(const struct db_options *options);

/* Waits for running transactions and closes all connections. */
void db_free(struct db *db);
DEFINE_SCOPED(struct db *, db_free);

/*
 * Closes idle connections and lets new transactions wait until db_resume(); waits up to
 * 'timeout_ms' for running ones. For planned transfers of leadership and changes of the node's
 * address.
 */
void db_pause(struct db *db, uint32_t timeout_ms);
void db_resume(struct db *db);

/*
 * Closes connections that have been idle for ten seconds, but the one used last; each costs the
 * leader 150 KB. A busy database does so by itself.
 */
void db_close_stale(struct db *db);

/* Forgets the leader: the next transaction looks for it again. */
void db_forget_leader(struct db *db);

/* The leader's raft address as known last, owned by the caller; NULL if none is known. */
char *db_leader_address(struct db *db) MUST_CHECK;

typedef int db_fn(struct db_tx *tx, void *arg, struct error **err);

int db_read(struct db *db, db_fn *fn, void *arg, struct error **err);
int db_write(struct db *db, db_fn *fn, void *arg, struct error **err);

/* The same with a budget of their own. */
int db_read_within(struct db *db, uint32_t timeout_ms, db_fn *fn, void *arg, struct error **err);
int db_write_within(struct db *db, uint32_t timeout_ms, db_fn *fn, void *arg, struct error **err);

/*
 * db_write() for a callback that reads through 'tx' alone: it may share a transaction with others
 * that wait at the same time, each within a savepoint, and sees what they have written. It begins
 * with the query 'first', without arguments, which is sent with what begins the transaction; NULL
 * for none.
 */
int db_write_shared(struct db *db, const char *first, db_fn *fn, void *arg, struct error **err);

/* What transactions have cost so far, and who waits now. */
struct db_counts {
	uint64_t n_requests; /* Messages to the engine. */
	uint64_t n_commits;
	uint64_t n_waiting; /* Writers in the queue. */
};

void db_counts(struct db *db, struct db_counts *ret_counts);

/*
 * Like db_read() without a transaction around the callback: for a single SELECT, which sees one
 * state by itself, it saves two round trips to the leader.
 */
int db_query(struct db *db, db_fn *fn, void *arg, struct error **err);

/*
 * Registers 'fn' to be called once when the attempt that 'tx' belongs to has ended: with
 * 'committed' if its changes are in the database, without if it failed or is run again. It runs on
 * a thread in db_write(), after the transaction, in the order of registration, and frees 'arg'.
 */
void db_on_end(struct db_tx *tx, void (*fn)(void *arg, bool committed), void *arg);

/* Arguments of a statement. Texts and blobs are borrowed until the call returns. */
enum db_type {
	DB_TYPE_NULL,
	DB_TYPE_INT64,
	DB_TYPE_BOOL, /* Stored as integer 0 or 1. */
	DB_TYPE_DATE, /* Nanoseconds since 1970 (lib/base/date.h); DATE_NONE is stored as NULL. */
	DB_TYPE_TEXT,
	DB_TYPE_BLOB,
	DB_TYPE_DOUBLE,
};

struct db_value {
	enum db_type type;
	uint32_t size; /* Of a blob. */
	union {
		int64_t i;
		double d;
		const char *s;
		const void *blob;
	};
};

struct db_args {
	const struct db_value *values;
	size_t n;
};

#define db_int(v) ((struct db_value){ .type = DB_TYPE_INT64, .i = (v) })
#define db_bool(v) ((struct db_value){ .type = DB_TYPE_INT64, .i = (v) ? 1 : 0 })
#define db_null() ((struct db_value){ .type = DB_TYPE_NULL })

static inline struct db_value db_date(int64_t date)
{
	return (struct db_value){ .type = date == DATE_NONE ? DB_TYPE_NULL : DB_TYPE_INT64,
		                  .i = date };
}

/* Texts: db_text(NULL) is "", db_text_or_null(NULL) and db_text_or_null("") are NULL. */
static inline struct db_value db_text(const char *s)
{
	return (struct db_value){ .type = DB_TYPE_TEXT, .s = s ? s : "" };
}

static inline struct db_value db_text_or_null(const char *s)
{
	return s && *s ? db_text(s) : db_null();
}

#define DB_ARGS(...)                                                       \
	((struct db_args){                                                 \
		.values = (const struct db_value[]){ __VA_ARGS__ },        \
		.n = COUNT_OF(((const struct db_value[]){ __VA_ARGS__ })), \
	})
#define DB_NO_ARGS ((struct db_args){ .values = NULL, .n = 0 })

/*
 * Says where a result column goes: the i-th row of the table is the i-th column of the SELECT. A
 * NULL becomes 0, false, DATE_NONE or "". Text fields are 'char *' and become owned by the row.
 */
struct db_column {
	enum db_type type;
	size_t offset;
};

/* clang-format off */
#define DB_INT64(row, field) { DB_TYPE_INT64, offsetof(row, field) }
#define DB_BOOL(row, field)  { DB_TYPE_BOOL, offsetof(row, field) }
#define DB_DATE(row, field)  { DB_TYPE_DATE, offsetof(row, field) }
#define DB_TEXT(row, field)  { DB_TYPE_TEXT, offsetof(row, field) }
/* clang-format on */

/*
 * Reads exactly one row into 'ret_row', which is set to zero first. Without a row it is -ENOENT and
 * a 404 "Not found".
 */
int db_get(struct db_tx *tx, const char *sql, struct db_args args, const struct db_column *columns,
           size_t n_columns, void *ret_row, struct error **err) MUST_CHECK;

/* An array of rows as db_list() makes it. */
struct db_rows {
	void *items; /* n times row_size bytes, from malloc; NULL if there are none. */
	size_t n;
	size_t row_size;
};

int db_list(struct db_tx *tx, const char *sql, struct db_args args, const struct db_column *columns,
            size_t n_columns, struct db_rows *ret_rows, struct error **err) MUST_CHECK;

/* A row of a result while a db_row_fn runs; all is borrowed from it. */
struct db_row;
typedef int db_row_fn(const struct db_row *row, void *arg, struct error **err);

size_t db_row_n_columns(const struct db_row *row);
const char *db_row_name(const struct db_row *row, size_t column);
enum db_type db_row_type(const struct db_row *row, size_t column);
int64_t db_row_int(const struct db_row *row, size_t column);      /* 0 if it is no number. */
double db_row_double(const struct db_row *row, size_t column);    /* 0 if it is no number. */
const char *db_row_text(const struct db_row *row, size_t column); /* "" if it is no text. */
const void *db_row_blob(const struct db_row *row, size_t column, size_t *ret_size);

/*
 * Calls 'fn' for each row; ends with its return value if that is not 0. 'fn' must not use 'tx'.
 * 'sql' may be any SELECT.
 */
int db_each(struct db_tx *tx, const char *sql, struct db_args args, db_row_fn *fn, void *arg,
            struct error **err) MUST_CHECK;

/*
 * Announces a query that 'tx' will ask next, after those announced before: they are sent together
 * and cost one wait. Nothing is lost but time if something else is asked instead.
 */
void db_ahead(struct db_tx *tx, const char *sql, struct db_args args);

/* A single integer: 0 and *ret_value = 'fallback' without a row. */
int db_get_int(struct db_tx *tx, const char *sql, struct db_args args, int64_t fallback,
               int64_t *ret_value, struct error **err) MUST_CHECK;

/* Runs INSERT, UPDATE or DELETE (of any number of rows, also none). */
int db_exec(struct db_tx *tx, const char *sql, struct db_args args, struct error **err) MUST_CHECK;

/* The same, and says how many rows were changed (by the statement itself, not by cascades). */
int db_exec_count(struct db_tx *tx, const char *sql, struct db_args args, int64_t *ret_changes,
                  struct error **err) MUST_CHECK;

/* Runs an INSERT of one row and says its id. */
int db_insert(struct db_tx *tx, const char *sql, struct db_args args, int64_t *ret_id,
              struct error **err) MUST_CHECK;
