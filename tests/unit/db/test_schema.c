/* Schemas: a fresh one, one that is there, one of a newer server. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "db/schema.h"
#include "tests/kit/db_nodes.h"

static struct db_nodes *nodes;

static int start(void **state)
{
	(void)state;
	nodes = db_nodes_start(1);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	db_nodes_stop(nodes);
	return 0;
}

static int count_schemas(struct db_tx *tx, void *arg, struct error **err)
{
	return db_get_int(tx, "SELECT COUNT(*) FROM schema", DB_NO_ARGS, -1, arg, err);
}

static void a_schema_is_made_once(void **state)
{
	(void)state;
	struct db *db = db_nodes_open_ready(nodes, "one");
	struct db *again = db_nodes_open_ready(nodes, "two");
	int64_t n;

	CHECK(db_read(db, count_schemas, &n, &err));
	assert_int_equal(n, 1);
	db_free(again);
	db_free(db);
}

static int check_keys(struct db_tx *tx, void *arg, struct error **err)
{
	int64_t n;

	(void)arg;
	/* Foreign keys are in force, and nothing violates them. */
	OK(db_get_int(tx, "SELECT COUNT(*) FROM pragma_foreign_key_check", DB_NO_ARGS, -1, &n,
	              err));
	assert_int_equal(n, 0);
	FAILS(-ENOENT, db_exec(tx,
	                       "INSERT INTO profiles (project_id, name)"
	                       " VALUES (99, 'x')",
	                       DB_NO_ARGS, err));
	return 0;
}

static void foreign_keys_are_in_force(void **state)
{
	(void)state;
	struct db *db = db_nodes_open_ready(nodes, "one");

	CHECK(db_write(db, check_keys, NULL, &err));
	db_free(db);
}

static int pretend_newer(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_exec(tx, "INSERT INTO schema (version, updated) VALUES (1000, 0)", DB_NO_ARGS,
	               err);
}

static void a_newer_schema_is_refused(void **state)
{
	(void)state;
	scoped(error_freep) struct error *newer = NULL;
	struct db *db = db_nodes_open_ready(nodes, "one");

	CHECK(db_write(db, pretend_newer, NULL, &err));
	assert_true(db_schema_ensure(db, &newer) < 0);
	assert_non_null(strstr(newer->msg, "newer"));
	db_free(db);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_schema_is_made_once),
		cmocka_unit_test(foreign_keys_are_in_force),
		cmocka_unit_test(a_newer_schema_is_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
