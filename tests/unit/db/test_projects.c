/* Projects, against a real node. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/projects.h"
#include "tests/kit/db_nodes.h"

static struct db_nodes *nodes;
static struct db *db;

static int start(void **state)
{
	(void)state;
	nodes = db_nodes_start(1);
	db = db_nodes_open_ready(nodes, "test");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	db_free(db);
	db_nodes_stop(nodes);
	return 0;
}

static int in_default(struct db_tx *tx, void *arg, struct error **err)
{
	return db_project_get(tx, "default", arg, err);
}

static void default_project_is_there(void **state)
{
	(void)state;
	struct db_project row = { 0 };

	CHECK(db_read(db, in_default, &row, &err));
	assert_string_equal(row.name, "default");
	assert_string_equal(smap_get(&row.config, "features.images"), "true");
	db_project_done(&row);
}

static int make_twice(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_project row = { .name = arg };
	int64_t id;

	int r = db_project_create(tx, &row, &id, err);
	return r < 0 ? r : db_project_create(tx, &row, &id, err);
}

static void second_of_a_name_is_refused(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(db_write(db, make_twice, (char[]){ "p" }, &err), -EEXIST);
	assert_int_equal(err->status, 409);
	assert_string_equal(err->msg, "Project already exists");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_project_is_there),
		cmocka_unit_test(second_of_a_name_is_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
