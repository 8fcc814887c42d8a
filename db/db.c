/*
 * Connections to the leader, and transactions that read.
 *
 * Readers and the writer share a small pool. Writers stand in a queue, since the engine has one
 * write lock and no queue; the one whose turn it is never waits for a reader's connection. All
 * connections carry the generation of the leader that they were made for; when a connection breaks,
 * the generation is raised, and those of an older one are closed where they are found. One thread
 * at a time looks for a leader, and the others wait for what it finds.
 */
#include "db/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db/leader.h"
#include "db/pool.h"
#include "lib/base/alloc.h"
#include "lib/base/random.h"

#define DATABASE "db.bin"

enum {
	DEFAULT_TIMEOUT_MS = 10000,
	DEFAULT_CONNECTIONS = 4,
	DIRECT_MS = 2000, /* Time for a dial to the leader as known. */
	SEARCH_MS = 2500, /* Then the candidates are asked for anew. */
	IDLE_MS = 10000,  /* Each connection costs the leader some 300 KB. */
	MAX_PAUSE_MS = 100,
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
	db->max_readers = MIN_OF(db->max_readers, (size_t)DB_MAX_CONNECTIONS);
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
static void lose(struct db *db, struct db_slot *slot)
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

static int search_leader(struct db *db, int64_t deadline, struct db_slot *slot, struct error **err)
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
static int connect_once(struct db *db, int64_t deadline, struct db_slot *slot, struct error **err)
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

void db_pool_wait(struct db *db, int64_t *pause_ms, int64_t deadline)
{
	int64_t ms = 1 + (int64_t)random_below((uint64_t)*pause_ms);
	int64_t until = MIN_OF(deadline, date_deadline(ms));

	mutex_lock(&db->mutex);
	while (!db->is_closing && thread_cond_wait_until(&db->changed, &db->mutex, until))
		;
	mutex_unlock(&db->mutex);
	*pause_ms = MIN_OF(*pause_ms * 2, (int64_t)MAX_PAUSE_MS);
}

bool db_pool_may_go_on(struct db *db, int64_t deadline)
{
	mutex_lock(&db->mutex);
	bool may = !db->is_closing;
	mutex_unlock(&db->mutex);
	return may && date_left(deadline) != 0;
}

int db_pool_connect(struct db *db, int64_t deadline, struct db_slot *slot, struct error **err)
{
	int64_t pause = DB_MIN_PAUSE_MS;

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
		if (!db_pool_may_go_on(db, deadline))
			return r;
		error_free(*err);
		*err = NULL;
		db_pool_wait(db, &pause, deadline);
	}

	return 0;
}

int db_pool_is_late(struct error **err)
{
	return error_set(err, 503, "The database is not available in time");
}

int db_pool_enter(struct db *db, int64_t deadline, struct error **err)
{
	bool in_time = true;

	mutex_lock(&db->mutex);
	while (db->is_paused && !db->is_closing && in_time)
		in_time = thread_cond_wait_until(&db->changed, &db->mutex, deadline);
	bool may = !db->is_paused && !db->is_closing;
	if (may)
		db->n_running++;
	mutex_unlock(&db->mutex);
	return may ? 0 : db_pool_is_late(err);
}

void db_pool_leave(struct db *db)
{
	mutex_lock(&db->mutex);
	db->n_running--;
	if (db->is_paused || db->is_closing)
		cond_broadcast(&db->changed);
	mutex_unlock(&db->mutex);
}

void db_pool_use(struct db *db, struct db_conn *conn, bool on)
{
	uint64_t n = db_conn_n_requests(conn);

	db_conn_forget_ahead(conn);
	mutex_lock(&db->mutex);
	db->counts.n_requests += on ? -n : n;
	for (size_t i = 0; i < COUNT_OF(db->in_use); i++) {
		if (db->in_use[i] == (on ? NULL : conn)) {
			db->in_use[i] = on ? conn : NULL;
			break;
		}
	}
	mutex_unlock(&db->mutex);
}

int db_pool_run(struct db_tx *tx, db_fn *fn, void *arg, struct error **err)
{
	int r = fn(tx, arg, err);

	if (r >= 0 && tx->failure != DB_FAILURE_NONE)
		return error_set(err, 503, "The database failed during a transaction");
	return r;
}

void db_pool_roll_back(struct db *db, struct db_slot *slot, struct db_tx *tx)
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

void db_pool_take(struct db *db, struct db_slot *slot)
{
	if (db->n_idle > 0) {
		*slot = db->idle[--db->n_idle];
	} else {
		*slot = (struct db_slot){ 0 };
		db->n_open++;
	}
}

static int take_reader(struct db *db, int64_t deadline, struct db_slot *slot, struct error **err)
{
	bool in_time = true;

	mutex_lock(&db->mutex);
	while (db->n_idle == 0 && db->n_open >= db->max_readers && in_time)
		in_time = thread_cond_wait_until(&db->reader_free, &db->mutex, deadline);
	bool has_slot = db->n_idle > 0 || db->n_open < db->max_readers;
	if (has_slot)
		db_pool_take(db, slot);
	mutex_unlock(&db->mutex);

	return has_slot ? 0 : db_pool_is_late(err);
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

void db_pool_give(struct db *db, struct db_slot *slot)
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

static int read_on(struct db *db, struct db_slot *slot, const char *begin, int64_t deadline,
                   db_fn *fn, void *arg, struct error **err)
{
	int64_t pause = DB_MIN_PAUSE_MS;

	for (;;) {
		int r = db_pool_connect(db, deadline, slot, err);
		if (r < 0)
			return r;

		struct db_tx tx = { .conn = slot->conn, .deadline = deadline };
		db_pool_use(db, tx.conn, true);
		r = begin ? db_tx_begin(&tx, begin, err) : 0;
		if (r == 0)
			r = db_pool_run(&tx, fn, arg, err);
		db_pool_use(db, tx.conn, false);
		enum db_failure failure = tx.failure;
		db_pool_roll_back(db, slot, &tx);
		db_tx_call_hooks(&tx.hooks, r >= 0);
		if (failure == DB_FAILURE_NONE || !db_pool_may_go_on(db, deadline))
			return r;

		error_free(*err);
		*err = NULL;
		db_pool_wait(db, &pause, deadline);
	}
}

static int read_with(struct db *db, uint32_t timeout_ms, const char *begin, db_fn *fn, void *arg,
                     struct error **err)
{
	int64_t deadline = date_deadline(timeout_ms);
	struct db_slot slot = { 0 };

	int r = db_pool_enter(db, deadline, err);
	if (r < 0)
		return r;
	r = take_reader(db, deadline, &slot, err);
	if (r == 0) {
		r = read_on(db, &slot, begin, deadline, fn, arg, err);
		db_pool_give(db, &slot);
	}

	db_pool_leave(db);
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

void db_counts(struct db *db, struct db_counts *ret_counts)
{
	mutex_lock(&db->mutex);
	*ret_counts = db->counts;
	ret_counts->n_waiting = db->n_waiting;
	mutex_unlock(&db->mutex);
}
