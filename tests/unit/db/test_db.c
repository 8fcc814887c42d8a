/* Transactions on one node: what is committed, how often, and what callers are told. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "db/db.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/thread.h"
#include "tests/kit/db_nodes.h"
#include "tests/kit/db_proxy.h"

static struct db_nodes *nodes;
static struct db *db;

static int make_ledger(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_exec(tx, "CREATE TABLE ledger (token INTEGER NOT NULL)", DB_NO_ARGS, err);
}

static int start(void **state)
{
	(void)state;
	nodes = db_nodes_start(1);
	db_nodes_use_proxy(nodes);
	db = db_nodes_open_ready(nodes, "test");
	CHECK(db_write(db, make_ledger, NULL, &err));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	db_free(db);
	db_nodes_stop(nodes);
	return 0;
}

struct entry {
	int64_t token;
	int result;
	int n_runs;
	int n_committed;
	int n_undone;
};

static void ended(void *arg, bool committed)
{
	struct entry *entry = arg;

	entry->n_committed += committed;
	entry->n_undone += !committed;
}

static int enter(struct db_tx *tx, void *arg, struct error **err)
{
	struct entry *entry = arg;

	entry->n_runs++;
	db_on_end(tx, ended, entry);
	int r = db_exec(tx, "INSERT INTO ledger (token) VALUES (?)", DB_ARGS(db_int(entry->token)),
	                err);
	if (r < 0)
		return r;
	if (entry->result < 0)
		return error_set(err, 412, "Refused");
	return entry->result;
}

struct count {
	int64_t token;
	int64_t n;
};

static int count(struct db_tx *tx, void *arg, struct error **err)
{
	struct count *c = arg;

	return db_get_int(tx, "SELECT COUNT(*) FROM ledger WHERE token = ?",
	                  DB_ARGS(db_int(c->token)), -1, &c->n, err);
}

static int64_t count_of(int64_t token)
{
	struct count c = { .token = token };

	CHECK(db_read(db, count, &c, &err));
	return c.n;
}

static void a_write_is_there(void **state)
{
	(void)state;
	struct entry entry = { .token = 1, .result = 7 };

	scoped(error_freep) struct error *err = NULL;
	assert_int_equal(db_write(db, enter, &entry, &err), 7);
	assert_int_equal(count_of(1), 1);
	assert_int_equal(entry.n_committed, 1);
	assert_int_equal(entry.n_undone, 0);
}

static void a_failing_callback_leaves_nothing(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct entry entry = { .token = 2, .result = -1 };

	assert_int_equal(db_write(db, enter, &entry, &err), -ESTALE);
	assert_string_equal(err->msg, "Refused");
	assert_int_equal(count_of(2), 0);
	assert_int_equal(entry.n_runs, 1);
	assert_int_equal(entry.n_committed, 0);
	assert_int_equal(entry.n_undone, 1);
}

static int write_nonsense(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_exec(tx, "INSERT INTO nowhere VALUES (1)", DB_NO_ARGS, err);
}

static int write_too_few(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_exec(tx, "INSERT INTO ledger (token) VALUES (?)", DB_NO_ARGS, err);
}

static void a_wrong_statement_is_an_error_of_ours(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(db_write(db, write_nonsense, NULL, &err), -EIO);
	assert_int_equal(err->status, 500);
	error_free(TAKE_PTR(err));
	assert_int_equal(db_write(db, write_too_few, NULL, &err), -EIO);
	error_free(TAKE_PTR(err));
	assert_int_equal(db_read(db, write_nonsense, NULL, &err), -EIO);
}

/* Whatever is lost, at whatever request of the transaction: it happens once. */
static void a_loss_anywhere_repeats_nothing(void **state)
{
	(void)state;
	static const enum db_proxy_loss losses[] = { DB_PROXY_LOSES_REQUEST,
		                                     DB_PROXY_LOSES_ANSWER };
	int64_t token = 100;
	bool tripped = true;

	for (size_t l = 0; l < COUNT_OF(losses); l++) {
		tripped = true;
		for (unsigned n = 1; tripped; n++) {
			struct entry entry = { .token = ++token };

			db_forget_leader(db);
			db_proxy_arm(n, losses[l]);
			CHECK(db_write(db, enter, &entry, &err));
			tripped = db_proxy_has_tripped();
			db_proxy_arm(0, losses[l]);
			assert_int_equal(count_of(token), 1);
			assert_int_equal(entry.n_committed, 1);
			assert_int_equal(entry.n_undone, entry.n_runs - 1);
			assert_true(n < 40);
		}
	}
}

/* The same for a callback that fails when it is run again, which the loss of its answer causes. */
static int enter_once(struct db_tx *tx, void *arg, struct error **err)
{
	struct entry *entry = arg;
	int r = enter(tx, arg, err);

	return r == 0 && entry->n_runs > 1 ? error_set(err, 409, "Second run") : r;
}

static void a_loss_and_then_a_refusal_leaves_all_or_nothing(void **state)
{
	(void)state;
	int64_t token = 200;
	bool tripped = true;

	for (unsigned n = 1; tripped; n++) {
		scoped(error_freep) struct error *err = NULL;
		struct entry entry = { .token = ++token };

		db_forget_leader(db);
		db_proxy_arm(n, n % 2 ? DB_PROXY_LOSES_REQUEST : DB_PROXY_LOSES_ANSWER);
		int r = db_write(db, enter_once, &entry, &err);
		tripped = db_proxy_has_tripped();
		db_proxy_arm(0, DB_PROXY_LOSES_REQUEST);
		assert_int_equal(count_of(token), r == 0 ? 1 : 0);
		assert_int_equal(entry.n_committed, r == 0 ? 1 : 0);
		assert_true(n < 40);
	}
}

/* Each of its runs would return something else. */
static int enter_and_count(struct db_tx *tx, void *arg, struct error **err)
{
	struct entry *entry = arg;

	entry->result = entry->n_runs + 1;
	return enter(tx, arg, err);
}

static void a_commit_in_doubt_has_the_result_of_its_own_run(void **state)
{
	struct error *err = NULL;
	struct entry entry = { .token = 700 };

	(void)state;
	if (!failpoint_exists())
		skip();

	assert_int_equal(failpoint_arm("db.committed=fail@1", &err), 0);
	assert_int_equal(db_write(db, enter_and_count, &entry, &err), 1);
	assert_int_equal(failpoint_arm("", &err), 0);
	assert_int_equal(entry.n_runs, 1);
	assert_int_equal(entry.n_committed, 1);
	assert_int_equal(entry.n_undone, 0);
	assert_int_equal(count_of(700), 1);
}

static void what_fails_before_the_commit_leaves_nothing(void **state)
{
	struct error *err = NULL;
	struct entry entry = { .token = 701, .result = 3 };

	(void)state;
	if (!failpoint_exists())
		skip();

	assert_int_equal(failpoint_arm("db.commit=fail:28@1", &err), 0);
	assert_int_equal(db_write(db, enter, &entry, &err), -ENOSPC);
	error_clear(&err);
	assert_int_equal(failpoint_arm("", &err), 0);
	assert_int_equal(entry.n_undone, 1);
	assert_int_equal(count_of(701), 0);
	assert_int_equal(db_write(db, enter, &entry, &err), 3);
	assert_int_equal(count_of(701), 1);
}

enum { N_TOGETHER = 5, REFUSED = 2 };

/* Writers that come while the first one's callback runs, so that they share its transaction. */
static struct writer {
	struct entry entry;
	pthread_t thread;
	int result;
} together[N_TOGETHER];
static atomic_bool has_first_begun;
static size_t n_awaited;

static int enter_when_all_wait(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_counts counts = { 0 };

	has_first_begun = true;
	while (together[0].entry.n_runs == 0 && counts.n_waiting < n_awaited) {
		db_counts(db, &counts);
		sched_yield();
	}
	return enter(tx, arg, err);
}

static void *write_one(void *arg)
{
	struct writer *w = arg;
	scoped(error_freep) struct error *err = NULL;

	w->result = db_write_shared(db, "SELECT 1", w == together ? enter_when_all_wait : enter,
	                            &w->entry, &err);
	return NULL;
}

/* All but one succeed. */
static void write_together(int64_t *token)
{
	has_first_begun = false;
	n_awaited = N_TOGETHER - 1;
	for (size_t i = 0; i < N_TOGETHER; i++) {
		struct writer *w = &together[i];

		*w = (struct writer){ .entry = { .token = ++*token,
			                         .result = i == REFUSED ? -1 : (int)i } };
		assert_int_equal(thread_start(&w->thread, "writer", 0, write_one, w), 0);
		while (!has_first_begun)
			sched_yield();
	}
	for (size_t i = 0; i < N_TOGETHER; i++)
		pthread_join(together[i].thread, NULL);
}

static void check_together(void)
{
	for (size_t i = 0; i < N_TOGETHER; i++) {
		const struct entry *entry = &together[i].entry;
		int n = i == REFUSED ? 0 : 1;

		assert_int_equal(together[i].result, i == REFUSED ? -ESTALE : (int)i);
		assert_int_equal(count_of(entry->token), n);
		assert_int_equal(entry->n_committed, n);
		assert_int_equal(entry->n_undone, entry->n_runs - n);
	}
}

static void those_who_wait_share_a_commit(void **state)
{
	(void)state;
	struct db_counts before;
	struct db_counts after;
	int64_t token = 1000;

	db_counts(db, &before);
	write_together(&token);
	db_counts(db, &after);
	check_together();
	assert_int_equal(after.n_commits - before.n_commits, 1);
}

static void a_loss_anywhere_repeats_nothing_of_those_who_share(void **state)
{
	(void)state;
	int64_t token = 2000;
	bool tripped = true;

	for (unsigned n = 1; tripped || n % 2 == 0; n++) {
		db_forget_leader(db);
		db_proxy_arm((n + 1) / 2, n % 2 ? DB_PROXY_LOSES_REQUEST : DB_PROXY_LOSES_ANSWER);
		write_together(&token);
		tripped = db_proxy_has_tripped();
		db_proxy_arm(0, DB_PROXY_LOSES_REQUEST);
		check_together();
		assert_true(n < 120);
	}
}

static int ruin(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_exec(tx, "ROLLBACK", DB_NO_ARGS, err);
}

static void *write_ruin(void *arg)
{
	scoped(error_freep) struct error *err = NULL;

	*(int *)arg = db_write_shared(db, "SELECT 1", ruin, NULL, &err);
	return NULL;
}

/* As some errors of the engine do: the transaction is gone and nobody has said so. */
static void one_that_ends_the_transaction_harms_only_itself(void **state)
{
	(void)state;
	pthread_t thread;
	int result = 0;
	int64_t token = 3000;

	together[0] = (struct writer){ .entry = { .token = ++token } };
	together[1] = (struct writer){ .entry = { .token = ++token } };
	has_first_begun = false;
	n_awaited = 2;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
			thread_start(&together[i].thread, "writer", 0, write_one, &together[i]), 0);
		while (!has_first_begun)
			sched_yield();
		if (i == 0)
			assert_int_equal(thread_start(&thread, "ruin", 0, write_ruin, &result), 0);
	}
	for (size_t i = 0; i < 2; i++)
		pthread_join(together[i].thread, NULL);
	pthread_join(thread, NULL);
	assert_true(result < 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(together[i].result, 0);
		assert_int_equal(count_of(together[i].entry.token), 1);
	}
}

static void reads_survive_losses(void **state)
{
	(void)state;
	bool tripped = true;

	for (unsigned n = 1; tripped; n++) {
		db_forget_leader(db);
		db_proxy_arm(n, n % 2 ? DB_PROXY_LOSES_REQUEST : DB_PROXY_LOSES_ANSWER);
		assert_int_equal(count_of(1), 1);
		tripped = db_proxy_has_tripped();
	}
	db_proxy_arm(0, DB_PROXY_LOSES_REQUEST);
}

enum { N_THREADS = 8, N_EACH = 20 };

static void *enter_many(void *arg)
{
	struct db *mine = db_nodes_open(nodes, arg);

	for (size_t i = 0; i < N_EACH; i++) {
		struct entry entry = { .token = 300 };

		CHECK(db_write(i % 2 ? mine : db, enter, &entry, &err));
	}
	db_free(mine);
	return NULL;
}

static void writers_of_many_daemons_all_get_through(void **state)
{
	(void)state;
	static char names[N_THREADS][2] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	pthread_t threads[N_THREADS];

	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(thread_start(&threads[i], "enter", 0, enter_many, names[i]), 0);
	for (size_t i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count_of(300), N_THREADS * N_EACH);
}

static void a_gone_node_is_told_in_time(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct entry entry = { .token = 400 };
	int64_t before = date_monotonic();

	db_nodes_refuse(nodes, 0, true);
	db_forget_leader(db);
	assert_int_equal(db_write_within(db, 300, enter, &entry, &err), -EAGAIN);
	assert_int_equal(err->status, 503);
	assert_true(date_monotonic() - before < 2000);
	db_nodes_refuse(nodes, 0, false);
	assert_int_equal(count_of(400), 0);
}

static void a_paused_database_waits(void **state)
{
	(void)state;
	scoped(error_freep) struct error *late = NULL;
	struct entry entry = { .token = 500 };

	db_pause(db, 1000);
	assert_int_equal(db_write_within(db, 100, enter, &entry, &late), -EAGAIN);
	db_resume(db);
	CHECK(db_write(db, enter, &entry, &err));
	assert_int_equal(count_of(500), 1);
}

static int get_values(const struct db_row *row, void *arg, struct error **err)
{
	size_t size;

	(void)err;
	assert_int_equal(db_row_n_columns(row), 5);
	assert_string_equal(db_row_name(row, 0), "a");
	assert_int_equal(db_row_int(row, 0), INT64_MIN + 1);
	assert_string_equal(db_row_text(row, 1), "");
	assert_true(db_row_double(row, 2) > 1.4 && db_row_double(row, 2) < 1.6);
	assert_int_equal(db_row_type(row, 3), DB_TYPE_NULL);
	const char *blob = db_row_blob(row, 4, &size);
	assert_int_equal(size, 3);
	assert_memory_equal(blob, "x\0y", 3);
	++*(int *)arg;
	return 0;
}

static int echo(struct db_tx *tx, void *arg, struct error **err)
{
	return db_each(
		tx, "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e",
		DB_ARGS(db_int(INT64_MIN + 1), db_text(NULL),
	                ((struct db_value){ .type = DB_TYPE_DOUBLE, .d = 1.5 }), db_null(),
	                ((struct db_value){ .type = DB_TYPE_BLOB, .size = 3, .blob = "x\0y" })),
		get_values, arg, err);
}

static void values_come_back_as_they_went(void **state)
{
	(void)state;
	int n = 0;

	CHECK(db_query(db, echo, &n, &err));
	assert_int_equal(n, 1);
}

static int count_rows(const struct db_row *row, void *arg, struct error **err)
{
	int64_t *n = arg;

	(void)err;
	assert_int_equal(strlen(db_row_text(row, 1)), 1000);
	return ++*n == 4000 ? 5 : 0;
}

static int many(struct db_tx *tx, void *arg, struct error **err)
{
	return db_each(
		tx,
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
		" SELECT i, printf('%01000d', i) FROM n",
		DB_ARGS(db_int(5000)), count_rows, arg, err);
}

static void long_results_come_in_parts_and_may_be_left(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	int64_t n = 0;

	assert_int_equal(db_query(db, many, &n, &err), 5);
	assert_int_equal(n, 4000);
	assert_int_equal(count_of(1), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_is_there),
		cmocka_unit_test(a_failing_callback_leaves_nothing),
		cmocka_unit_test(a_wrong_statement_is_an_error_of_ours),
		cmocka_unit_test(a_loss_anywhere_repeats_nothing),
		cmocka_unit_test(a_loss_and_then_a_refusal_leaves_all_or_nothing),
		cmocka_unit_test(a_commit_in_doubt_has_the_result_of_its_own_run),
		cmocka_unit_test(what_fails_before_the_commit_leaves_nothing),
		cmocka_unit_test(those_who_wait_share_a_commit),
		cmocka_unit_test(a_loss_anywhere_repeats_nothing_of_those_who_share),
		cmocka_unit_test(one_that_ends_the_transaction_harms_only_itself),
		cmocka_unit_test(reads_survive_losses),
		cmocka_unit_test(writers_of_many_daemons_all_get_through),
		cmocka_unit_test(a_gone_node_is_told_in_time),
		cmocka_unit_test(a_paused_database_waits),
		cmocka_unit_test(values_come_back_as_they_went),
		cmocka_unit_test(long_results_come_in_parts_and_may_be_left),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
