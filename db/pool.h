/*
 * What runs transactions shares: the connections to the leader, and who may use one.
 *
 * db.c keeps them and reads, write.c writes.
 */
#pragma once

#include "db/tx.h"
#include "lib/base/thread.h"

enum {
	DB_MAX_CONNECTIONS = 32,
	DB_MIN_PAUSE_MS = 1, /* Before the second attempt; then they grow. */
};

struct db_slot {
	struct db_conn *conn;
	uint64_t generation;
	int64_t given_back; /* On the monotonic clock. */
};

struct db {
	struct mutex mutex;
	struct cond changed;     /* Of what is seldom: paused, closing, a leader was found. */
	struct cond reader_free; /* A reader's connection was given back. */
	struct db_leader *leader;
	char *origin;
	uint32_t timeout_ms;
	size_t max_readers;

	char *address GUARDED; /* Of the leader, as known; NULL if not. */
	uint64_t generation GUARDED;
	bool is_searching GUARDED;

	bool is_paused GUARDED;
	bool is_closing GUARDED;
	size_t n_running GUARDED; /* Transactions that hold a connection. */

	struct db_slot idle[DB_MAX_CONNECTIONS + 1] GUARDED; /* The one used last is at the end. */
	size_t n_idle GUARDED;
	size_t n_open GUARDED; /* Idle and in use. */
	struct db_conn *in_use[DB_MAX_CONNECTIONS + 1] GUARDED;
	struct db_counts counts GUARDED;

	bool is_writing GUARDED;
	size_t n_waiting GUARDED;
	struct db_waiter *first_waiter GUARDED;
	struct db_waiter **last_waiter GUARDED;
	struct db_slot writer; /* Belongs to the writer whose turn it is. */
};

/* Counts a transaction in, once the database is not paused, and out. */
int db_pool_enter(struct db *db, int64_t deadline, struct error **err) MUST_CHECK;
void db_pool_leave(struct db *db);

/* A connection that is idle, or room for a new one. */
void db_pool_take(struct db *db, struct db_slot *slot) REQUIRES(db->mutex);
void db_pool_give(struct db *db, struct db_slot *slot);

/* Makes 'slot' a live connection of the current generation; tries until the deadline. */
int db_pool_connect(struct db *db, int64_t deadline, struct db_slot *slot, struct error **err)
	MUST_CHECK;

/* Begins and ends the use of a connection by a transaction, so that db_forget_leader() can cut it.
 */
void db_pool_use(struct db *db, struct db_conn *conn, bool on);

/* Ends a transaction without its changes; a connection that will not is not used again. */
void db_pool_roll_back(struct db *db, struct db_slot *slot, struct db_tx *tx);

bool db_pool_may_go_on(struct db *db, int64_t deadline) MUST_CHECK;

/* Waits a random time up to 'pause_ms', which grows. */
void db_pool_wait(struct db *db, int64_t *pause_ms, int64_t deadline);

/* The 503 of a database that cannot be used in time. */
int db_pool_is_late(struct error **err);

/* Runs the callback. That it looks over a failure of the database does not make it undone. */
int db_pool_run(struct db_tx *tx, db_fn *fn, void *arg, struct error **err) MUST_CHECK;
