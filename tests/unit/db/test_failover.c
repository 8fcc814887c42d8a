/*
 * Three nodes lose their leader, again and again, while others write: what was answered is there
 * once, what failed is there at most once, and it goes on soon.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/conn.h"
#include "lib/base/alloc.h"
#include "lib/base/thread.h"
#include "tests/kit/db_nodes.h"

enum { N_DBS = 3, N_WRITERS = 9, MAX_WRITES = 20000, ROUNDS = 2, PATIENCE_MS = 60000 };

struct writer {
	pthread_t thread;
	struct db *db;
	int64_t first_token;
	size_t n;
	bool acked[MAX_WRITES];
};

static struct db_nodes *nodes;
static struct db *dbs[N_DBS];
static struct writer writers[N_WRITERS];
static atomic_bool is_over;
static atomic_long n_acked;

static int make_ledger(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_exec(tx, "CREATE TABLE ledger (token INTEGER NOT NULL)", DB_NO_ARGS, err);
}

static int start(void **state)
{
	static const char *const names[] = { "one", "two", "three" };

	(void)state;
	nodes = db_nodes_start(3);
	for (size_t i = 0; i < N_DBS; i++)
		dbs[i] = db_nodes_open_ready(nodes, names[i]);
	CHECK(db_write(dbs[0], make_ledger, NULL, &err));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_DBS; i++)
		db_free(dbs[i]);
	db_nodes_stop(nodes);
	return 0;
}

static int enter(struct db_tx *tx, void *arg, struct error **err)
{
	return db_exec(tx, "INSERT INTO ledger (token) VALUES (?)",
	               DB_ARGS(db_int(*(int64_t *)arg)), err);
}

static void *write_on(void *arg)
{
	struct writer *w = arg;

	for (w->n = 0; w->n < MAX_WRITES && !is_over; w->n++) {
		scoped(error_freep) struct error *err = NULL;
		int64_t token = w->first_token + (int64_t)w->n;

		w->acked[w->n] = db_write_shared(w->db, "SELECT 1", enter, &token, &err) == 0;
		n_acked += w->acked[w->n];
	}

	return NULL;
}

/* Waits until 'n' more writes were answered; returns how long that took, in milliseconds. */
static int64_t wait_for_acks(long n)
{
	int64_t begin = date_monotonic();
	long goal = n_acked + n;

	while (n_acked < goal && date_monotonic() - begin < 20000) {
		struct mutex m = MUTEX_INIT;
		struct cond c = COND_INIT;

		mutex_lock(&m);
		thread_cond_wait_until(&c, &m, date_deadline(5));
		mutex_unlock(&m);
	}
	assert_true(n_acked >= goal);
	return date_monotonic() - begin;
}

static void begin_writing(void)
{
	static int64_t first_token = 1;

	is_over = false;
	for (size_t i = 0; i < N_WRITERS; i++) {
		writers[i] = (struct writer){ .db = dbs[i % N_DBS], .first_token = first_token };
		first_token += MAX_WRITES;
		assert_int_equal(
			thread_start(&writers[i].thread, "writer", 0, write_on, &writers[i]), 0);
	}
	wait_for_acks(20);
}

struct found {
	int64_t first_token;
	uint8_t times[MAX_WRITES];
};

static int count_token(const struct db_row *row, void *arg, struct error **err)
{
	struct found *found = arg;

	(void)err;
	found->times[db_row_int(row, 0) - found->first_token]++;
	return 0;
}

static int read_ledger(struct db_tx *tx, void *arg, struct error **err)
{
	struct found *found = arg;

	return db_each(tx, "SELECT token FROM ledger WHERE token >= ? AND token < ?",
	               DB_ARGS(db_int(found->first_token), db_int(found->first_token + MAX_WRITES)),
	               count_token, found, err);
}

static void end_writing_and_check(void)
{
	size_t missing = 0;
	size_t doubled = 0;
	size_t total = 0;

	is_over = true;
	for (size_t i = 0; i < N_WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	for (size_t i = 0; i < N_WRITERS; i++) {
		scoped_free struct found *found = xcalloc(1, sizeof(*found));

		found->first_token = writers[i].first_token;
		CHECK(db_read(dbs[i % N_DBS], read_ledger, found, &err));
		for (size_t j = 0; j < writers[i].n; j++) {
			missing += writers[i].acked[j] && found->times[j] == 0;
			doubled += found->times[j] > 1;
			total += writers[i].acked[j];
		}
	}

	print_message("%zu answered, %zu missing, %zu doubled\n", total, missing, doubled);
	assert_int_equal(missing, 0);
	assert_int_equal(doubled, 0);
}

static int leader_index(void)
{
	scoped_free char *address = NULL;

	for (int i = 0; i < 1000 && !address; i++) {
		address = db_leader_address(dbs[0]);
		if (!address)
			wait_for_acks(1);
	}
	return db_nodes_index(address);
}

static void a_lost_leader_is_replaced(void **state)
{
	(void)state;
	begin_writing();
	for (int i = 0; i < ROUNDS; i++) {
		int lost = leader_index();

		db_nodes_kill(nodes, (size_t)lost);
		int64_t ms = wait_for_acks(3);
		print_message("node %d lost, written again after %lld ms\n", lost + 1,
		              (long long)ms);
		wait_for_acks(50);
		db_nodes_revive(nodes, (size_t)lost);
		wait_for_acks(50);
	}
	end_writing_and_check();
}

static void transfer(void)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(db_conn_freep) struct db_conn *conn = NULL;
	int64_t deadline = date_deadline(5000);
	int leader = leader_index();
	int fd = db_nodes_dial(nodes, leader);

	if (fd < 0 || db_conn_open(fd, deadline, &conn, &err) < 0)
		return;
	/* It may fail: another election, or the leader has changed already. */
	if (db_conn_transfer(conn, deadline, (uint64_t)(leader + 1) % 3 + 1, &err) < 0)
		wait_for_acks(1);
}

static void planned_transfers_disturb_little(void **state)
{
	(void)state;
	begin_writing();
	for (int i = 0; i < 6; i++) {
		transfer();
		wait_for_acks(30);
	}
	end_writing_and_check();
}

static int look(struct db_tx *tx, void *arg, struct error **err)
{
	int64_t n;

	(void)arg;
	return db_get_int(tx, "SELECT COUNT(*) FROM ledger", DB_NO_ARGS, 0, &n, err);
}

static void without_a_majority_nothing_is_written(void **state)
{
	(void)state;
	scoped(error_freep) struct error *late = NULL;
	int64_t token = INT64_C(1) << 40;

	db_nodes_kill(nodes, 0);
	db_nodes_kill(nodes, 1);
	assert_int_equal(db_write_within(dbs[2], 1500, enter, &token, &late), -EAGAIN);
	db_nodes_revive(nodes, 0);
	db_nodes_revive(nodes, 1);
	CHECK(db_read_within(dbs[2], PATIENCE_MS, look, NULL, &err));
	token++;
	CHECK(db_write_within(dbs[2], PATIENCE_MS, enter, &token, &err));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_leader_is_replaced),
		cmocka_unit_test(planned_transfers_disturb_little),
		cmocka_unit_test(without_a_majority_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
