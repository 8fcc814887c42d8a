/*
 * Connections to the leader, and the two ways to run a transaction on them.
 *
 * Readers and the writer share a small pool. Writers stand in a queue, since the engine has one
 * write lock and no queue; the one whose turn it is never waits for a reader's connection. All
 * connections carry the generation of the leader that they were made for; when a connection breaks,
 * the generation is raised, and those of an older one are closed where they are found. One thread
 * at a time looks for a leader, and the others wait for what it finds.
 *
 * What makes db_write() happen once: before COMMIT, each attempt writes a number that no other
 * attempt has used into this daemon's row of "marks". If the outcome of COMMIT is unknown, the next
 * attempt begins with BEGIN IMMEDIATE on the leader of the day and reads the row. It can only get
 * the write lock when the transaction in doubt is over: either its number is there, or it was
 * rolled back.
 */
#include "db/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db/leader.h"
#include "db/tx.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/random.h"
#include "lib/base/thread.h"

#define DATABASE "db.bin"

enum {
	DEFAULT_TIMEOUT_MS = 10000,
	DEFAULT_CONNECTIONS = 4,
	DIRECT_MS = 2000, /* Time for a dial to the leader as known. */
	SEARCH_MS = 2500, /* Then the candidates are asked for anew. */
	MAX_CONNECTIONS = 32,
	IDLE_MS = 10000, /* Each connection costs the leader some 300 KB. */
	MIN_PAUSE_MS = 1,
	MAX_PAUSE_MS = 100,
};

struct slot {
	struct db_conn *conn;
	uint64_t generation;
	int64_t given_back; /* On the monotonic clock. */
};

/* A writer in the queue; on the stack of its thread. */
struct waiter {
	struct cond turn;
	bool has_turn;
	struct waiter *next;
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

	struct slot idle[MAX_CONNECTIONS + 1] GUARDED; /* The one used last is at the end. */
	size_t n_idle GUARDED;
	size_t n_open GUARDED; /* Idle and in use. */
	struct db_conn *in_use[MAX_CONNECTIONS + 1] GUARDED;

	bool is_writing GUARDED;
	struct waiter *first_waiter GUARDED;
	struct waiter **last_waiter GUARDED;
	struct slot writer; /* Belongs to the writer whose turn it is. */
};

struct db *db_new(const struct db_options *options) NO_LOCK_CHECK
{
	struct db *db = xcalloc(1, sizeof(*db));

	assert(options->origin && *options->origin);
	mutex_init(&db->mutex);
	cond_init(&db->changed);
	cond_init(&db->reader_free);
	db->last_waiter = &db->first_waiter;
	db->leader = db_leader_new(options->ops, options->ops_arg);
	db->origin = xstrdup(options->origin);
	db->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
	db->max_readers = options->n_connections ? options->n_connections : DEFAULT_CONNECTIONS;
	db->max_readers = MIN_OF(db->max_readers, (size_t)MAX_CONNECTIONS);
	return db;
}

static void close_idle(struct db *db) REQUIRES(db->mutex)
{
	for (size_t i = 0; i < db->n_idle; i++)
		db_conn_free(db->idle[i].conn);
	db->n_open -= db->n_idle;
	db->n_idle = 0;
}

void db_free(struct db *db)
{
	if (!db)
		return;

	mutex_lock(&db->mutex);
	db->is_closing = true;
	cond_broadcast(&db->changed);
	while (db->n_running > 0)
		cond_wait(&db->changed, &db->mutex);
	close_idle(db);
	char *address = db->address;
	mutex_unlock(&db->mutex);

	db_leader_free(db->leader);
	free(address);
	free(db->origin);
	mutex_done(&db->mutex);
	cond_done(&db->changed);
	cond_done(&db->reader_free);
	free(db);
}

void db_pause(struct db *db, uint32_t timeout_ms)
{
	int64_t deadline = date_deadline(timeout_ms);

	mutex_lock(&db->mutex);
	db->is_paused = true;
	while (db->n_running > 0 && thread_cond_wait_until(&db->changed, &db->mutex, deadline))
		;
	close_idle(db);
	mutex_unlock(&db->mutex);
}

void db_resume(struct db *db)
{
	mutex_lock(&db->mutex);
	db->is_paused = false;
	cond_broadcast(&db->changed);
	mutex_unlock(&db->mutex);
}

void db_forget_leader(struct db *db)
{
	mutex_lock(&db->mutex);
	free(db->address);
	db->address = NULL;
	db->generation++;
	for (size_t i = 0; i < COUNT_OF(db->in_use); i++)
		if (db->in_use[i])
			db_conn_cut(db->in_use[i]);
	mutex_unlock(&db->mutex);
}

char *db_leader_address(struct db *db)
{
	mutex_lock(&db->mutex);
	char *address = db->address ? xstrdup(db->address) : NULL;
	mutex_unlock(&db->mutex);
	return address;
}

/* A connection of this generation broke: what was known of the leader is no longer worth much. */
static void lose(struct db *db, struct slot *slot)
{
	mutex_lock(&db->mutex);
	if (slot->generation == db->generation) {
		free(db->address);
		db->address = NULL;
		db->generation++;
	}
	mutex_unlock(&db->mutex);

	db_conn_free(slot->conn);
	slot->conn = NULL;
}

/*
 * Waits for another thread's search, or becomes the one that searches (returns NULL), or returns
 * the address as known.
 */
static int know_leader(struct db *db, int64_t deadline, char **ret_address,
                       uint64_t *ret_generation, struct error **err)
{
	bool in_time = true;

	mutex_lock(&db->mutex);
	while (!db->address && db->is_searching && in_time)
		in_time = thread_cond_wait_until(&db->changed, &db->mutex, deadline);
	*ret_address = db->address ? xstrdup(db->address) : NULL;
	*ret_generation = db->generation;
	if (!*ret_address && in_time)
		db->is_searching = true;
	mutex_unlock(&db->mutex);

	if (!*ret_address && !in_time)
		return error_set(err, 503, "The database has no leader");
	return 0;
}

static int search_leader(struct db *db, int64_t deadline, struct slot *slot, struct error **err)
{
	char *address = NULL;
	int64_t until = MIN_OF(deadline, date_deadline(SEARCH_MS));

	int r = db_leader_connect(db->leader, until, &slot->conn, &address, err);

	mutex_lock(&db->mutex);
	db->is_searching = false;
	if (r == 0) {
		free(db->address);
		db->address = address;
		slot->generation = ++db->generation;
	}
	cond_broadcast(&db->changed);
	mutex_unlock(&db->mutex);
	return r;
}

/* Connects 'slot' to the leader, once. */
static int connect_once(struct db *db, int64_t deadline, struct slot *slot, struct error **err)
{
	scoped_free char *address = NULL;

	int r = know_leader(db, deadline, &address, &slot->generation, err);
	if (r < 0)
		return r;
	if (address)
		r = db_leader_connect_to(db->leader, address,
		                         MIN_OF(deadline, date_deadline(DIRECT_MS)), &slot->conn,
		                         err);
	else
		r = search_leader(db, deadline, slot, err);
	if (r == 0)
		r = db_conn_open_database(slot->conn, deadline, DATABASE, err);
	if (r < 0)
		lose(db, slot);
	return r;
}

/* Waits a random time up to 'pause_ms', which grows. */
static void wait_a_bit(struct db *db, int64_t *pause_ms, int64_t deadline)
{
	int64_t ms = 1 + (int64_t)random_below((uint64_t)*pause_ms);
	int64_t until = MIN_OF(deadline, date_deadline(ms));

	mutex_lock(&db->mutex);
	while (!db->is_closing && thread_cond_wait_until(&db->changed, &db->mutex, until))
		;
	mutex_unlock(&db->mutex);
	*pause_ms = MIN_OF(*pause_ms * 2, (int64_t)MAX_PAUSE_MS);
}

static bool may_go_on(struct db *db, int64_t deadline)
{
	mutex_lock(&db->mutex);
	bool may = !db->is_closing;
	mutex_unlock(&db->mutex);
	return may && date_left(deadline) != 0;
}

/* Makes 'slot' a live connection of the current generation; tries until the deadline. */
static int ensure_connected(struct db *db, int64_t deadline, struct slot *slot, struct error **err)
{
	int64_t pause = MIN_PAUSE_MS;

	mutex_lock(&db->mutex);
	bool is_old = slot->generation != db->generation;
	mutex_unlock(&db->mutex);
	if (slot->conn && is_old) {
		db_conn_free(slot->conn);
		slot->conn = NULL;
	}

	while (!slot->conn) {
		int r = connect_once(db, deadline, slot, err);
		if (r == 0)
			break;
		if (!may_go_on(db, deadline))
			return r;
		error_free(*err);
		*err = NULL;
		wait_a_bit(db, &pause, deadline);
	}

	return 0;
}

static int closing_or_late(struct error **err)
{
	return error_set(err, 503, "The database is not available in time");
}

/* Counts a transaction in, once the database is not paused. */
static int enter(struct db *db, int64_t deadline, struct error **err)
{
	bool in_time = true;

	mutex_lock(&db->mutex);
	while (db->is_paused && !db->is_closing && in_time)
		in_time = thread_cond_wait_until(&db->changed, &db->mutex, deadline);
	bool may = !db->is_paused && !db->is_closing;
	if (may)
		db->n_running++;
	mutex_unlock(&db->mutex);
	return may ? 0 : closing_or_late(err);
}

static void leave(struct db *db)
{
	mutex_lock(&db->mutex);
	db->n_running--;
	if (db->is_paused || db->is_closing)
		cond_broadcast(&db->changed);
	mutex_unlock(&db->mutex);
}

/* So that db_forget_leader() can cut it. */
static void set_in_use(struct db *db, struct db_conn *conn, bool on)
{
	mutex_lock(&db->mutex);
	for (size_t i = 0; i < COUNT_OF(db->in_use); i++) {
		if (db->in_use[i] == (on ? NULL : conn)) {
			db->in_use[i] = on ? conn : NULL;
			break;
		}
	}
	mutex_unlock(&db->mutex);
}

/* Runs the callback. That it looks over a failure of the database does not make it undone. */
static int run_callback(struct db_tx *tx, db_fn *fn, void *arg, struct error **err)
{
	int r = fn(tx, arg, err);

	if (r >= 0 && tx->failure != DB_FAILURE_NONE)
		return error_set(err, 503, "The database failed during a transaction");
	return r;
}

/* Ends a transaction without its changes; a connection that will not is not used again. */
static void roll_back(struct db *db, struct slot *slot, struct db_tx *tx)
{
	scoped(error_freep) struct error *err = NULL;

	if (!db_conn_is_broken(slot->conn) &&
	    (!tx->has_begun || db_tx_control(tx, "ROLLBACK", &err) == 0))
		return;
	if (db_conn_is_broken(slot->conn)) {
		lose(db, slot);
	} else {
		db_conn_free(slot->conn);
		slot->conn = NULL;
	}
}

/* A connection that is idle, or room for a new one. */
static void take_slot(struct db *db, struct slot *slot) REQUIRES(db->mutex)
{
	if (db->n_idle > 0) {
		*slot = db->idle[--db->n_idle];
	} else {
		*slot = (struct slot){ 0 };
		db->n_open++;
	}
}

static int take_reader(struct db *db, int64_t deadline, struct slot *slot, struct error **err)
{
	bool in_time = true;

	mutex_lock(&db->mutex);
	while (db->n_idle == 0 && db->n_open >= db->max_readers && in_time)
		in_time = thread_cond_wait_until(&db->reader_free, &db->mutex, deadline);
	bool has_slot = db->n_idle > 0 || db->n_open < db->max_readers;
	if (has_slot)
		take_slot(db, slot);
	mutex_unlock(&db->mutex);

	return has_slot ? 0 : closing_or_late(err);
}

/* Takes the connection that was idle longest out of the pool, if it was idle for long. */
static struct db_conn *take_stale(struct db *db) REQUIRES(db->mutex)
{
	struct db_conn *conn = db->idle[0].conn;

	if (db->n_idle < 2 || date_monotonic() - db->idle[0].given_back < IDLE_MS)
		return NULL;

	db->n_open--;
	db->n_idle--;
	memmove(&db->idle[0], &db->idle[1], db->n_idle * sizeof(db->idle[0]));
	return conn;
}

static void give_slot(struct db *db, struct slot *slot)
{
	mutex_lock(&db->mutex);
	if (slot->conn && !db->is_paused && !db->is_closing && slot->generation == db->generation &&
	    db->n_idle < db->max_readers) {
		slot->given_back = date_monotonic();
		db->idle[db->n_idle++] = *slot;
		slot->conn = NULL;
	} else {
		db->n_open--;
	}
	struct db_conn *stale = take_stale(db);
	cond_signal(&db->reader_free);
	mutex_unlock(&db->mutex);

	db_conn_free(TAKE_PTR(slot->conn));
	db_conn_free(stale);
}

void db_close_stale(struct db *db)
{
	struct db_conn *stale;

	do {
		mutex_lock(&db->mutex);
		stale = take_stale(db);
		mutex_unlock(&db->mutex);
		db_conn_free(stale);
	} while (stale);
}

static int read_on(struct db *db, struct slot *slot, const char *begin, int64_t deadline, db_fn *fn,
                   void *arg, struct error **err)
{
	int64_t pause = MIN_PAUSE_MS;

	for (;;) {
		int r = ensure_connected(db, deadline, slot, err);
		if (r < 0)
			return r;

		struct db_tx tx = { .conn = slot->conn, .deadline = deadline };
		set_in_use(db, tx.conn, true);
		r = begin ? db_tx_begin(&tx, begin, err) : 0;
		if (r == 0)
			r = run_callback(&tx, fn, arg, err);
		set_in_use(db, tx.conn, false);
		enum db_failure failure = tx.failure;
		roll_back(db, slot, &tx);
		db_tx_call_hooks(&tx.hooks, r >= 0);
		if (failure == DB_FAILURE_NONE || !may_go_on(db, deadline))
			return r;

		error_free(*err);
		*err = NULL;
		wait_a_bit(db, &pause, deadline);
	}
}

static int read_with(struct db *db, uint32_t timeout_ms, const char *begin, db_fn *fn, void *arg,
                     struct error **err)
{
	int64_t deadline = date_deadline(timeout_ms);
	struct slot slot = { 0 };

	int r = enter(db, deadline, err);
	if (r < 0)
		return r;
	r = take_reader(db, deadline, &slot, err);
	if (r == 0) {
		r = read_on(db, &slot, begin, deadline, fn, arg, err);
		give_slot(db, &slot);
	}

	leave(db);
	return r;
}

int db_read(struct db *db, db_fn *fn, void *arg, struct error **err)
{
	return read_with(db, db->timeout_ms, "BEGIN", fn, arg, err);
}

int db_read_within(struct db *db, uint32_t timeout_ms, db_fn *fn, void *arg, struct error **err)
{
	return read_with(db, timeout_ms, "BEGIN", fn, arg, err);
}

int db_query(struct db *db, db_fn *fn, void *arg, struct error **err)
{
	return read_with(db, db->timeout_ms, NULL, fn, arg, err);
}

/* What a write knows across its attempts. */
struct write {
	db_fn *fn;
	void *arg;
	int64_t deadline;
	int result;                  /* Of the callback's last run. */
	int64_t marks[2];            /* First and last number used so far; [0] of 0: none. */
	bool is_in_doubt;            /* The outcome of an earlier COMMIT is unknown. */
	struct db_tx_hooks in_doubt; /* The hooks of that attempt. */
	int result_in_doubt;         /* What its callback returned. */
};

static int put_mark(struct db *db, struct db_tx *tx, int64_t mark, struct error **err)
{
	return db_exec(tx,
	               "INSERT INTO marks (origin, mark) VALUES (?, ?)"
	               " ON CONFLICT (origin) DO UPDATE SET mark = excluded.mark",
	               DB_ARGS(db_text(db->origin), db_int(mark)), err);
}

/* Whether an earlier attempt of this write is in the database after all. 1 if so. */
static int is_committed(struct db *db, struct write *w, struct db_tx *tx, struct error **err)
{
	int64_t mark;

	/* What is in doubt may be the making of the schema. */
	int r = db_tx_control(tx, DB_TX_MARKS, err);
	if (r < 0)
		return r;
	r = db_get_int(tx, "SELECT mark FROM marks WHERE origin = ?", DB_ARGS(db_text(db->origin)),
	               0, &mark, err);
	if (r < 0)
		return r;

	return mark >= w->marks[0] && mark <= w->marks[1];
}

/* A number for the next attempt. Those of one write are a range that begins at random. */
static int64_t new_mark(struct write *w)
{
	if (w->marks[0] == 0) {
		w->marks[0] = (int64_t)(random_u64() >> 2 | 1);
		w->marks[1] = w->marks[0];
	} else {
		w->marks[1]++;
	}

	return w->marks[1];
}

enum outcome {
	OUTCOME_DONE,  /* Committed, or failed for good: the result is what the caller gets. */
	OUTCOME_AGAIN, /* Nothing happened. */
	OUTCOME_DOUBT,
};

/* What a failed step means as long as COMMIT was not sent. */
static enum outcome outcome_before_commit(const struct db_tx *tx)
{
	return tx->failure == DB_FAILURE_NONE ? OUTCOME_DONE : OUTCOME_AGAIN;
}

static int commit(struct db *db, struct write *w, struct db_tx *tx, enum outcome *ret_outcome,
                  struct error **err)
{
	int r = put_mark(db, tx, new_mark(w), err);
	if (r < 0) {
		*ret_outcome = outcome_before_commit(tx);
		return r;
	}

	*ret_outcome = OUTCOME_DONE;
	r = FAILPOINT("db.commit", NULL, "Before a transaction is committed", err);
	if (r < 0)
		return r;
	r = db_tx_control(tx, "COMMIT", err);
	if (r < 0 && tx->failure == DB_FAILURE_UNKNOWN)
		*ret_outcome = OUTCOME_DOUBT;
	else
		*ret_outcome = outcome_before_commit(tx);
	if (r < 0)
		return r;
	/* As if the answer had not come. */
	r = FAILPOINT("db.committed", NULL, "When a transaction is committed, before that is known",
	              err);
	if (r < 0) {
		tx->failure = DB_FAILURE_UNKNOWN;
		*ret_outcome = OUTCOME_DOUBT;
	}
	return r;
}

/* Nothing may be in doubt any more: calls the hooks of the attempt that was. */
static void settle(struct write *w, bool committed)
{
	w->is_in_doubt = false;
	db_tx_call_hooks(&w->in_doubt, committed);
}

/* One attempt, from BEGIN to COMMIT, on a connection that is there. */
static int write_once(struct db *db, struct write *w, struct db_tx *tx, enum outcome *ret_outcome,
                      struct error **err)
{
	*ret_outcome = OUTCOME_AGAIN;
	int r = db_tx_begin(tx, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	if (w->is_in_doubt) {
		r = is_committed(db, w, tx, err);
		if (r < 0)
			return r;
		if (r > 0) {
			*ret_outcome = OUTCOME_DONE;
			settle(w, true);
			w->result = w->result_in_doubt;
			return w->result;
		}
	}

	w->result = run_callback(tx, w->fn, w->arg, err);
	/* With an earlier attempt in doubt, a commit of our own makes sure that it never comes. */
	if (w->result < 0 || (!tx->has_written && !w->is_in_doubt)) {
		*ret_outcome = outcome_before_commit(tx);
		return w->result;
	}

	r = commit(db, w, tx, ret_outcome, err);
	return r < 0 ? r : w->result;
}

/*
 * The callback failed for good while an earlier attempt was in doubt: a commit that changes the
 * mark alone makes sure that the earlier one stays away. If that fails too, the caller is told.
 */
static int fence(struct db *db, struct db_tx *tx)
{
	scoped(error_freep) struct error *err = NULL;

	if (db_tx_begin(tx, "BEGIN IMMEDIATE", &err) < 0 ||
	    put_mark(db, tx, (int64_t)(random_u64() >> 2), &err) < 0)
		return -EIO;
	return db_tx_control(tx, "COMMIT", &err);
}

/* Ends an attempt on its connection and decides over its hooks. */
static void end_attempt(struct db *db, struct write *w, struct db_tx *tx, enum outcome outcome,
                        bool succeeded)
{
	bool committed = succeeded && outcome == OUTCOME_DONE && tx->has_written;

	if (!committed)
		roll_back(db, &db->writer, tx);
	if (outcome == OUTCOME_DOUBT) {
		settle(w, false);
		w->is_in_doubt = true;
		w->in_doubt = tx->hooks;
		w->result_in_doubt = w->result;
		return;
	}

	db_tx_call_hooks(&tx->hooks, succeeded && outcome == OUTCOME_DONE);
	if (committed && w->is_in_doubt)
		settle(w, false);
	if (outcome != OUTCOME_DONE || !w->is_in_doubt || !db->writer.conn)
		return;
	if (fence(db, tx) == 0)
		settle(w, false);
	else
		roll_back(db, &db->writer, tx);
}

static int write_on(struct db *db, struct write *w, struct error **err)
{
	int64_t pause = MIN_PAUSE_MS;

	for (;;) {
		enum outcome outcome;
		int r = ensure_connected(db, w->deadline, &db->writer, err);
		if (r < 0)
			return r;

		struct db_tx tx = { .conn = db->writer.conn,
			            .deadline = w->deadline,
			            .may_write = true };
		set_in_use(db, tx.conn, true);
		r = write_once(db, w, &tx, &outcome, err);
		set_in_use(db, tx.conn, false);
		end_attempt(db, w, &tx, outcome, r >= 0);
		if (outcome == OUTCOME_DONE || !may_go_on(db, w->deadline))
			return r;

		error_free(*err);
		*err = NULL;
		wait_a_bit(db, &pause, w->deadline);
	}
}

/* Takes 'me' out of the queue, wherever it stands. */
static void leave_queue(struct db *db, struct waiter *me) REQUIRES(db->mutex)
{
	struct waiter **at = &db->first_waiter;

	while (*at != me)
		at = &(*at)->next;
	*at = me->next;
	if (db->last_waiter == &me->next)
		db->last_waiter = at;
}

static int take_turn(struct db *db, int64_t deadline, struct error **err)
{
	struct waiter me = { .turn = COND_INIT };
	bool in_time = true;

	mutex_lock(&db->mutex);
	if (!db->is_writing) {
		db->is_writing = true;
		me.has_turn = true;
	} else {
		*db->last_waiter = &me;
		db->last_waiter = &me.next;
		while (!me.has_turn && in_time)
			in_time = thread_cond_wait_until(&me.turn, &db->mutex, deadline);
		if (!me.has_turn)
			leave_queue(db, &me);
	}
	mutex_unlock(&db->mutex);

	cond_done(&me.turn);
	return me.has_turn ? 0 : closing_or_late(err);
}

static void pass_turn(struct db *db)
{
	mutex_lock(&db->mutex);
	struct waiter *next = db->first_waiter;
	if (next) {
		leave_queue(db, next);
		next->has_turn = true;
		cond_signal(&next->turn);
	} else {
		db->is_writing = false;
	}
	mutex_unlock(&db->mutex);
}

int db_write_within(struct db *db, uint32_t timeout_ms, db_fn *fn, void *arg, struct error **err)
{
	struct write w = { .fn = fn, .arg = arg, .deadline = date_deadline(timeout_ms) };

	int r = enter(db, w.deadline, err);
	if (r < 0)
		return r;
	r = take_turn(db, w.deadline, err);
	if (r == 0) {
		mutex_lock(&db->mutex);
		take_slot(db, &db->writer);
		mutex_unlock(&db->mutex);
		r = write_on(db, &w, err);
		give_slot(db, &db->writer);
		pass_turn(db);
	}
	leave(db);

	if (w.is_in_doubt) {
		settle(&w, false);
		return error_wrap(err, "It is not known whether the change was made");
	}
	return r;
}

int db_write(struct db *db, db_fn *fn, void *arg, struct error **err)
{
	return db_write_within(db, db->timeout_ms, fn, arg, err);
}
