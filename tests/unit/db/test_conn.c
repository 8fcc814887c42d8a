/* The client against a false node that says what the test wants, in pieces, too little, or wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/conn.h"
#include "db/wire.h"
#include "lib/base/fd.h"
#include "lib/base/thread.h"
#include "tests/kit/db_nodes.h"
#include "tests/kit/wire_answers.h"

/* What the false node does: answers the i-th request with the i-th answer. */
struct script {
	struct strbuf answers[4];
	size_t n;
	size_t cut;       /* The last answer ends after so many bytes, then the node is gone. */
	bool is_in_bytes; /* Sent one by one. */
	int fd;
	pthread_t thread;
};

static bool read_request(int fd)
{
	uint8_t head[8];
	char body[4096];

	if (fd_read_full(fd, head, sizeof(head)) != sizeof(head))
		return false;
	size_t size = ((size_t)head[0] | (size_t)head[1] << 8) * 8;
	return fd_read_full(fd, body, size) == (ssize_t)size;
}

static void *act(void *arg)
{
	struct script *s = arg;
	char hello[8];
	bool goes_on = fd_read_full(s->fd, hello, sizeof(hello)) == sizeof(hello);

	for (size_t i = 0; i < s->n && goes_on; i++) {
		size_t size = i + 1 == s->n ? s->cut : s->answers[i].size;
		size_t step = s->is_in_bytes ? 1 : size;

		goes_on = read_request(s->fd);
		for (size_t at = 0; goes_on && at < size; at += step)
			goes_on = fd_write_full(s->fd, s->answers[i].text + at, step) == 0;
	}
	close(s->fd);
	return NULL;
}

static struct db_conn *begin(struct script *s)
{
	struct db_conn *conn;
	int pair[2];

	assert_int_equal(fd_socketpair(SOCK_STREAM, pair), 0);
	s->fd = pair[1];
	assert_int_equal(thread_start(&s->thread, "node", 0, act, s), 0);
	CHECK(db_conn_open(pair[0], date_deadline(5000), &conn, &err));
	return conn;
}

static void end(struct script *s, struct db_conn *conn)
{
	db_conn_free(conn);
	pthread_join(s->thread, NULL);
}

static void script_done(struct script *s)
{
	for (size_t i = 0; i < COUNT_OF(s->answers); i++)
		strbuf_done(&s->answers[i]);
}

static void add_words(struct script *s, uint8_t type, const uint64_t *words, size_t n)
{
	wire_answers_put(&s->answers[s->n++], type, words, n * sizeof(*words));
	s->cut = s->answers[s->n - 1].size;
}

static void add_stmt(struct script *s, uint64_t n_args)
{
	add_words(s, WIRE_STMT, (uint64_t[]){ UINT64_C(1) << 32, n_args }, 2);
}

static int exec(struct db_conn *conn, int64_t *ret_id, struct error **err)
{
	return db_conn_exec(conn, date_deadline(5000), "INSERT", DB_NO_ARGS, ret_id, NULL, err);
}

static void answers_in_pieces_are_put_together(void **state)
{
	(void)state;
	struct script s = { .is_in_bytes = true };
	int64_t id = 0;

	add_stmt(&s, 0);
	add_words(&s, WIRE_RESULT, (uint64_t[]){ 42, 1 }, 2);
	struct db_conn *conn = begin(&s);
	CHECK(exec(conn, &id, &err));
	assert_int_equal(id, 42);
	end(&s, conn);
	script_done(&s);
}

static void an_answer_that_ends_early_is_a_doubt(void **state)
{
	(void)state;

	for (size_t cut = 0; cut < 24; cut++) {
		scoped(error_freep) struct error *err = NULL;
		struct script s = { 0 };

		add_stmt(&s, 0);
		add_words(&s, WIRE_RESULT, (uint64_t[]){ 42, 1 }, 2);
		s.cut = cut;
		struct db_conn *conn = begin(&s);
		assert_true(exec(conn, NULL, &err) < 0);
		assert_int_equal(db_conn_failure(conn), DB_FAILURE_UNKNOWN);
		assert_true(db_conn_is_broken(conn));

		/* And it stays so, without asking. */
		error_free(TAKE_PTR(err));
		assert_true(exec(conn, NULL, &err) < 0);
		assert_int_equal(db_conn_failure(conn), DB_FAILURE_NOT_LEADER);
		end(&s, conn);
		script_done(&s);
	}
}

static void failures_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		uint64_t code;
		const char *text;
		enum db_failure failure;
		int status;
		bool is_broken;
	} cases[] = {
		{ 5, "database is locked", DB_FAILURE_BUSY, 503, false },
		{ 517, "database is locked", DB_FAILURE_BUSY, 503, false },
		{ 7, "no more rows available", DB_FAILURE_UNKNOWN, 503, true },
		{ 7, "out of memory", DB_FAILURE_SQL, 500, false },
		{ 10, "disk I/O error", DB_FAILURE_UNKNOWN, 503, true },
		{ 778, "disk I/O error", DB_FAILURE_UNKNOWN, 503, true },
		{ 4, "stopping", DB_FAILURE_UNKNOWN, 503, true },
		{ 12, "no database opened", DB_FAILURE_NOT_LEADER, 503, true },
		{ 10250, "not leader", DB_FAILURE_NOT_LEADER, 503, true },
		{ 10506, "disk I/O error", DB_FAILURE_UNKNOWN, 503, true },
		{ 1, "syntax error", DB_FAILURE_SQL, 500, false },
		{ 1005, "malformed tuple", DB_FAILURE_SQL, 500, false },
		{ 787, "FOREIGN KEY constraint failed", DB_FAILURE_SQL, 404, false },
		{ 1299, "NOT NULL constraint failed", DB_FAILURE_SQL, 404, false },
		{ 1555, "UNIQUE constraint failed", DB_FAILURE_SQL, 409, false },
		{ 2067, "UNIQUE constraint failed", DB_FAILURE_SQL, 409, false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		struct script s = { 0 };

		add_stmt(&s, 0);
		wire_answers_put_failure(&s.answers[s.n++], cases[i].code, cases[i].text);
		s.cut = s.answers[1].size;
		struct db_conn *conn = begin(&s);
		assert_true(exec(conn, NULL, &err) < 0);
		assert_int_equal(db_conn_failure(conn), cases[i].failure);
		assert_int_equal(err->status, cases[i].status);
		assert_int_equal(db_conn_is_broken(conn), cases[i].is_broken);
		end(&s, conn);
		script_done(&s);
	}
}

static void an_answer_of_another_type_is_a_doubt(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct script s = { 0 };

	add_stmt(&s, 0);
	add_words(&s, WIRE_EMPTY, (uint64_t[]){ 0 }, 1);
	struct db_conn *conn = begin(&s);
	assert_int_equal(exec(conn, NULL, &err), -EBADMSG);
	assert_int_equal(db_conn_failure(conn), DB_FAILURE_UNKNOWN);
	end(&s, conn);
	script_done(&s);
}

static void a_silent_node_costs_the_deadline_only(void **state)
{
	(void)state;
	scoped(error_freep) struct error *late = NULL;
	int pair[2];
	struct db_conn *conn;
	uint64_t id;
	char *address;

	assert_int_equal(fd_socketpair(SOCK_STREAM, pair), 0);
	CHECK(db_conn_open(pair[0], date_deadline(5000), &conn, &err));
	assert_int_equal(db_conn_leader(conn, date_deadline(30), &id, &address, &late), -ETIMEDOUT);
	assert_true(db_conn_is_broken(conn));
	db_conn_free(conn);
	close(pair[1]);
}

static int count(const struct db_row *row, void *arg, struct error **err)
{
	(void)row;
	(void)err;
	++*(int *)arg;
	return 0;
}

static int query(struct db_conn *conn, int *n, struct error **err)
{
	return db_conn_query(conn, date_deadline(5000), "SELECT", DB_NO_ARGS, count, n, err);
}

static void put_rows(struct script *s, size_t i, size_t n_rows, bool has_more)
{
	static const struct db_value values[] = { { .type = DB_TYPE_INT64 },
		                                  { .type = DB_TYPE_NULL } };
	struct strbuf body = { 0 };

	wire_answers_put_rows(&body, values, 1, n_rows, has_more);
	wire_answers_put(&s->answers[i], WIRE_ROWS, body.text, body.size);
	strbuf_done(&body);
}

static void rows_in_several_messages_are_one_result(void **state)
{
	(void)state;
	struct script s = { .is_in_bytes = true };
	int n = 0;

	add_stmt(&s, 0);
	put_rows(&s, 1, 2, true);
	put_rows(&s, 1, 0, true);
	put_rows(&s, 1, 1, false);
	s.n = 2;
	s.cut = s.answers[1].size;
	struct db_conn *conn = begin(&s);
	CHECK(query(conn, &n, &err));
	assert_int_equal(n, 3);
	end(&s, conn);
	script_done(&s);
}

static void a_failure_amid_rows_fails_the_query(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct script s = { 0 };
	int n = 0;

	add_stmt(&s, 0);
	put_rows(&s, 1, 2, true);
	wire_answers_put_failure(&s.answers[1], 10250, "not leader");
	s.n = 2;
	s.cut = s.answers[1].size;
	struct db_conn *conn = begin(&s);
	assert_int_equal(query(conn, &n, &err), -EAGAIN);
	assert_int_equal(db_conn_failure(conn), DB_FAILURE_NOT_LEADER);
	assert_int_equal(n, 2);
	end(&s, conn);
	script_done(&s);
}

static void the_number_of_arguments_is_checked_here(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct script s = { 0 };

	add_stmt(&s, 1);
	struct db_conn *conn = begin(&s);
	assert_int_equal(exec(conn, NULL, &err), -EIO);
	assert_int_equal(db_conn_failure(conn), DB_FAILURE_SQL);
	assert_false(db_conn_is_broken(conn));
	end(&s, conn);
	script_done(&s);
}

static void nodes_are_listed_with_their_roles(void **state)
{
	(void)state;
	struct script s = { 0 };
	struct strbuf body = { 0 };
	struct db_conn_nodes list;

	bytes_put_le64(&body, 2);
	for (uint64_t i = 0; i < 2; i++) {
		bytes_put_le64(&body, i + 1);
		wire_put_text(&body, i ? "10.0.0.2:8443" : "10.0.0.1:8443");
		bytes_put_le64(&body, i * 2);
	}
	wire_answers_put(&s.answers[s.n++], WIRE_SERVERS, body.text, body.size);
	s.cut = s.answers[0].size;
	struct db_conn *conn = begin(&s);
	CHECK(db_conn_cluster(conn, date_deadline(5000), &list, &err));
	assert_int_equal(list.n, 2);
	assert_string_equal(list.rows[1].address, "10.0.0.2:8443");
	assert_int_equal(list.rows[1].role, ENGINE_SPARE);
	db_conn_nodes_done(&list);
	end(&s, conn);
	strbuf_done(&body);
	script_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_in_pieces_are_put_together),
		cmocka_unit_test(an_answer_that_ends_early_is_a_doubt),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(an_answer_of_another_type_is_a_doubt),
		cmocka_unit_test(a_silent_node_costs_the_deadline_only),
		cmocka_unit_test(rows_in_several_messages_are_one_result),
		cmocka_unit_test(a_failure_amid_rows_fails_the_query),
		cmocka_unit_test(the_number_of_arguments_is_checked_here),
		cmocka_unit_test(nodes_are_listed_with_their_roles),
	};

	engine_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
