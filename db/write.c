/*
 * Transactions that write: one at a time, those that wait together in one.
 *
 * Writers stand in a queue, since the engine has one write lock and no queue. The one whose turn it
 * is takes those behind it along if they say that they can be (db_write_shared()): it runs their
 * callbacks in its own transaction, each within a savepoint, so that one that fails undoes nothing
 * but its own. They share a commit, which is what a write costs most: a write to disk on most
 * members, and more.
 *
 * What makes db_write() happen once: before COMMIT, each attempt writes a number that no other
 * attempt has used into this daemon's row of "marks". If the outcome of COMMIT is unknown, the next
 * attempt begins with BEGIN IMMEDIATE on the leader of the day and reads the row. It can only get
 * the write lock when the transaction in doubt is over: either its number is there, or it was
 * rolled back.
 *
 * Those who share a transaction share its mark: either all of it is there or nothing. What each of
 * them gets hangs on the transaction as a hook, so that it is told with that transaction's outcome,
 * however late that is known. Whoever was told nothing takes its own turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "db/pool.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/random.h"

#define BEGIN_WRITE "BEGIN IMMEDIATE"

enum {
	MAX_GROUP = 16,
	MAX_GROUP_SPREAD_MS = 2000, /* Between the deadlines of those who share a transaction. */
};

/* What somebody wants written, and what became of it. */
struct job {
	db_fn *fn;
	const char *first; /* A query to send with BEGIN; or NULL. */
	void *arg;
	int64_t deadline;
	bool is_alone;    /* Takes nobody along, and is taken along by nobody. */
	bool is_finished; /* By the transaction of another; 'result' and 'err' are set. */
	bool is_in_doubt;
	int result;
	struct error *err;
};

/* A writer in the queue; on the stack of its thread. */
struct db_waiter {
	struct cond turn;
	bool has_turn;
	bool was_taken; /* By the one whose turn it is; waits until that one is done. */
	bool is_done;
	struct job *job;
	struct db_waiter *next;
};

/* Those who share a transaction; the first runs it. */
struct group {
	struct db *db;
	struct job *job;
	struct db_waiter *others[MAX_GROUP];
	size_t n_others;
	bool has_savepoint;
	bool is_broken; /* The transaction was not what it should be: everybody for himself. */
};

/* What a write knows across its attempts. */
struct write {
	struct group *group;
	int64_t deadline;
	int result;                  /* Of the callback's last run. */
	int64_t marks[2];            /* First and last number used so far; [0] of 0: none. */
	bool is_in_doubt;            /* The outcome of an earlier COMMIT is unknown. */
	struct db_tx_hooks in_doubt; /* The hooks of that attempt. */
	int result_in_doubt;         /* What its callback returned. */
};

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

/* Takes 'me' out of the queue, wherever it stands. */
static void leave_queue(struct db *db, struct db_waiter *me) REQUIRES(db->mutex)
{
	struct db_waiter **at = &db->first_waiter;

	while (*at != me)
		at = &(*at)->next;
	*at = me->next;
	db->n_waiting--;
	if (db->last_waiter == &me->next)
		db->last_waiter = at;
}

/* What a job gets if the transaction that it ran in ends well. */
struct verdict {
	struct job *job;
	int result;
	struct error *err;
};

static void tell(void *arg, bool committed)
{
	struct verdict *verdict = arg;
	struct job *job = verdict->job;

	if (committed) {
		error_free(job->err);
		job->err = TAKE_PTR(verdict->err);
		job->result = verdict->result;
		job->is_finished = true;
	}
	error_free(verdict->err);
	free(verdict);
}

/* Takes the next of the queue along, if it may be. */
static bool take_along(struct group *g)
{
	struct db *db = g->db;

	mutex_lock(&db->mutex);
	struct db_waiter *next = g->n_others < MAX_GROUP ? db->first_waiter : NULL;
	if (next && (next->job->is_alone ||
	             llabs(next->job->deadline - g->job->deadline) > MAX_GROUP_SPREAD_MS))
		next = NULL;
	if (next) {
		leave_queue(db, next);
		next->was_taken = true;
		g->others[g->n_others++] = next;
	}
	mutex_unlock(&db->mutex);
	return next;
}

static int set_savepoint(struct group *g, struct db_tx *tx, struct error **err)
{
	int r = g->has_savepoint ? db_tx_control_all(tx, "RELEASE joined; SAVEPOINT joined", err)
	                         : db_tx_control(tx, "SAVEPOINT joined", err);

	g->is_broken = r < 0 && tx->failure == DB_FAILURE_NONE;
	g->has_savepoint = r == 0;
	return r;
}

/* Ends the savepoint: if it is not there, something has rolled back the whole transaction. */
static int end_savepoint(struct group *g, struct db_tx *tx, bool is_kept, struct error **err)
{
	if (!g->has_savepoint)
		return 0;

	int r = is_kept ? db_tx_control(tx, "RELEASE joined", err)
	                : db_tx_control_all(tx, "ROLLBACK TO joined; RELEASE joined", err);
	g->is_broken = r < 0 && tx->failure == DB_FAILURE_NONE;
	g->has_savepoint = false;
	return r;
}

/* Runs the callback of one that was taken along. Fails only if the whole transaction has. */
static int run_other(struct group *g, struct db_tx *tx, struct job *job, struct error **err)
{
	int r = set_savepoint(g, tx, err);
	if (r < 0)
		return r;

	struct verdict *verdict = xcalloc(1, sizeof(*verdict));
	struct db_tx inner = *tx;

	inner.hooks = (struct db_tx_hooks){ 0 };
	verdict->job = job;
	verdict->result = job->fn(&inner, job->arg, &verdict->err);
	bool is_kept = verdict->result >= 0;
	tx->has_written = inner.has_written;
	tx->failure = inner.failure;
	if (tx->failure != DB_FAILURE_NONE)
		r = error_set(err, 503, "The database failed during a transaction");
	else if (!is_kept)
		r = end_savepoint(g, tx, false, err);

	for (size_t i = 0; i < inner.hooks.n_items && is_kept; i++)
		db_on_end(tx, inner.hooks.items[i].fn, inner.hooks.items[i].arg);
	if (is_kept)
		ARRAY_DONE(&inner.hooks);
	else
		db_tx_call_hooks(&inner.hooks, false);
	db_on_end(tx, tell, verdict);
	return r;
}

/* The first runs as if it were alone: if it fails, nothing of the others was done yet. */
static int run_group(struct db_tx *tx, struct write *w, struct error **err)
{
	struct group *g = w->group;

	g->has_savepoint = false;
	int result = db_pool_run(tx, g->job->fn, g->job->arg, err);
	if (result < 0 || g->job->is_alone)
		return result;

	/* Whoever is in doubt stays among those who were there. */
	for (size_t i = 0; i < g->n_others || (!w->is_in_doubt && take_along(g)); i++) {
		int r = run_other(g, tx, g->others[i]->job, err);
		if (r < 0)
			return r;
	}

	int r = end_savepoint(g, tx, true, err);
	return r < 0 ? r : result;
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
	*ret_outcome = OUTCOME_DONE;
	int r = FAILPOINT("db.commit", NULL, "Before a transaction is committed", err);
	if (r < 0)
		return r;
	r = db_tx_commit(tx, db->origin, new_mark(w), err);

	mutex_lock(&db->mutex);
	db->counts.n_commits += r == 0;
	mutex_unlock(&db->mutex);
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
	if (w->group->job->first && !w->is_in_doubt) {
		db_conn_ahead(tx->conn, tx->deadline, DB_AHEAD_EXEC, BEGIN_WRITE, DB_NO_ARGS);
		db_ahead(tx, w->group->job->first, DB_NO_ARGS);
	}

	int r = db_tx_begin(tx, BEGIN_WRITE, err);
	if (r < 0)
		return r;
	if (w->is_in_doubt) {
		r = FAILPOINT("db.doubt", NULL,
		              "Before it is looked whether an earlier attempt was committed", err);
		if (r == 0)
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

	w->result = run_group(tx, w, err);
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

	int r = db_tx_begin(tx, BEGIN_WRITE, &err);

	return r < 0 ? r : db_tx_commit(tx, db->origin, (int64_t)(random_u64() >> 2), &err);
}

/* Ends an attempt on its connection and decides over its hooks. */
static void end_attempt(struct db *db, struct write *w, struct db_tx *tx, enum outcome outcome,
                        bool succeeded)
{
	bool committed = succeeded && outcome == OUTCOME_DONE && tx->has_written;

	if (!committed)
		db_pool_roll_back(db, &db->writer, tx);
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
		db_pool_roll_back(db, &db->writer, tx);
}

static int write_on(struct db *db, struct write *w, struct error **err)
{
	int64_t pause = DB_MIN_PAUSE_MS;

	for (;;) {
		enum outcome outcome;
		int r = db_pool_connect(db, w->deadline, &db->writer, err);
		if (r < 0)
			return r;

		struct db_tx tx = { .conn = db->writer.conn,
			            .deadline = w->deadline,
			            .may_write = true };
		db_pool_use(db, tx.conn, true);
		r = write_once(db, w, &tx, &outcome, err);
		db_pool_use(db, tx.conn, false);
		end_attempt(db, w, &tx, outcome, r >= 0);
		if (outcome == OUTCOME_DONE || !db_pool_may_go_on(db, w->deadline))
			return r;

		error_free(*err);
		*err = NULL;
		db_pool_wait(db, &pause, w->deadline);
	}
}

/* Waits for the turn: 1 once it is ours, 0 if another has done the job meanwhile. */
static int take_turn(struct db *db, struct job *job, struct error **err)
{
	struct db_waiter me = { .turn = COND_INIT, .job = job };
	bool in_time = true;

	mutex_lock(&db->mutex);
	if (!db->is_writing) {
		db->is_writing = true;
		me.has_turn = true;
	} else {
		db->n_waiting++;
		*db->last_waiter = &me;
		db->last_waiter = &me.next;
		while (!me.has_turn && !me.is_done && (in_time || me.was_taken)) {
			if (me.was_taken)
				cond_wait(&me.turn, &db->mutex);
			else
				in_time =
					thread_cond_wait_until(&me.turn, &db->mutex, job->deadline);
		}
		if (!me.has_turn && !me.was_taken)
			leave_queue(db, &me);
	}
	mutex_unlock(&db->mutex);

	cond_done(&me.turn);
	if (me.is_done)
		return 0;
	return me.has_turn ? 1 : db_pool_is_late(err);
}

/* Wakes those who were taken along, and the next in the queue. */
static void pass_turn(struct db *db, struct group *g, bool is_in_doubt)
{
	mutex_lock(&db->mutex);
	for (size_t i = 0; i < g->n_others; i++) {
		struct db_waiter *other = g->others[i];

		other->job->is_in_doubt = is_in_doubt && !other->job->is_finished;
		other->job->is_alone = g->is_broken;
		other->is_done = true;
		cond_signal(&other->turn);
	}
	struct db_waiter *next = db->first_waiter;
	if (next) {
		leave_queue(db, next);
		next->has_turn = true;
		cond_signal(&next->turn);
	} else {
		db->is_writing = false;
	}
	mutex_unlock(&db->mutex);
}

/* Runs a transaction for the job and those who wait, in its turn. */
static int take_lead(struct db *db, struct job *job, struct error **err)
{
	struct group group = { .db = db, .job = job };
	struct write w = { .group = &group, .deadline = job->deadline };

	mutex_lock(&db->mutex);
	db_pool_take(db, &db->writer);
	mutex_unlock(&db->mutex);
	int r = write_on(db, &w, err);
	if (group.is_broken && !w.is_in_doubt) {
		error_free(TAKE_PTR(*err));
		job->is_alone = true;
		r = write_on(db, &w, err);
	}
	db_pool_give(db, &db->writer);

	bool is_in_doubt = w.is_in_doubt;
	if (is_in_doubt)
		settle(&w, false);
	pass_turn(db, &group, is_in_doubt);
	job->is_in_doubt = is_in_doubt;
	return r;
}

static int run_job(struct db *db, struct job *job, struct error **err)
{
	int r = db_pool_enter(db, job->deadline, err);
	if (r < 0)
		return r;

	do {
		r = take_turn(db, job, err);
		if (r > 0) {
			r = take_lead(db, job, err);
			break;
		}
		if (job->is_finished) {
			r = job->result;
			*err = TAKE_PTR(job->err);
		}
	} while (r == 0 && !job->is_finished && !job->is_in_doubt);
	db_pool_leave(db);

	if (job->is_in_doubt) {
		if (!*err)
			r = error_set(err, 503, "The database has no leader");
		return error_wrap(err, "It is not known whether the change was made");
	}
	return r;
}

int db_write_within(struct db *db, uint32_t timeout_ms, db_fn *fn, void *arg, struct error **err)
{
	struct job job = {
		.fn = fn, .arg = arg, .deadline = date_deadline(timeout_ms), .is_alone = true
	};

	return run_job(db, &job, err);
}

int db_write(struct db *db, db_fn *fn, void *arg, struct error **err)
{
	return db_write_within(db, db->timeout_ms, fn, arg, err);
}

int db_write_shared(struct db *db, const char *first, db_fn *fn, void *arg, struct error **err)
{
	struct job job = {
		.fn = fn, .first = first, .arg = arg, .deadline = date_deadline(db->timeout_ms)
	};

	return run_job(db, &job, err);
}
