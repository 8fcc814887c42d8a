/* What an operator may run on the cluster database. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/guard.h"
#include "lib/base/macro.h"

static void good_statements_are_let_through(void **state)
{
	(void)state;
	static const struct {
		const char *sql;
		bool only_reads;
	} cases[] = {
		{ "SELECT 1", true },
		{ "  -- words; here\n select 'RETURNING; x' /* ; */ ;  ", true },
		{ "SELECT date('now')", true },
		{ "WITH a AS (SELECT 1) SELECT * FROM a", true },
		{ "WITH a AS (SELECT 1) DELETE FROM config", false },
		{ "UPDATE config SET value = '1'", false },
		{ "DELETE FROM \"returning\"", false },
		{ "PRAGMA table_info(members)", true },
		{ "EXPLAIN QUERY PLAN SELECT 1", true },
		{ "CREATE TABLE x (updated INTEGER)", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		bool only_reads = !cases[i].only_reads;

		assert_int_equal(db_guard_check(cases[i].sql, &only_reads, &err), 0);
		assert_int_equal(only_reads, cases[i].only_reads);
	}
}

static void what_would_end_the_engine_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		";",
		"-- nothing",
		"INSERT INTO config VALUES ('a', 'b') RETURNING key",
		"insert into config values ('a', 'b') returning key",
		"CREATE TABLE x (a BOOLEAN)",
		"CREATE TABLE x (a DateTime)",
		"ATTACH 'x' AS y",
		"PRAGMA journal_mode=DELETE",
		"PRAGMA journal_mode",
		"PRAGMA foreign_keys = OFF",
		"BEGIN",
		"COMMIT",
		"VACUUM INTO '/tmp/x'",
		"SELECT 1; DELETE FROM config",
		"SELECT 1; COMMIT",
		"(SELECT 1)",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		bool only_reads;

		assert_int_equal(db_guard_check(cases[i], &only_reads, &err), -EINVAL);
		assert_int_equal(err->status, 400);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_statements_are_let_through),
		cmocka_unit_test(what_would_end_the_engine_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
