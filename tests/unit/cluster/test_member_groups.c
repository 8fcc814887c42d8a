/* The rules of cluster groups, on a real database of one node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/member_groups.h"
#include "db/db.h"
#include "db/member_groups.h"
#include "db/members.h"
#include "lib/base/macro.h"
#include "lib/base/strv.h"
#include "tests/kit/db_nodes.h"

struct fixture {
	struct db_nodes *nodes;
	struct db *db;
};

static int add_member(struct db_tx *tx, void *arg, struct error **err)
{
	const struct db_member row = { .name = arg,
		                       .address = arg,
		                       .description = (char *)"",
		                       .architecture = (char *)"x86_64",
		                       .failure_domain = (char *)"default" };
	int64_t id = 0;

	return db_member_create(tx, &row, &id, err);
}

static int make_fixture(void **state)
{
	static struct fixture f;

	f.nodes = db_nodes_start(1);
	f.db = db_nodes_open_ready(f.nodes, "test");
	CHECK(db_write(f.db, add_member, (char *)"m2", &err));
	CHECK(db_write(f.db, add_member, (char *)"m3", &err));
	*state = &f;

	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *f = *state;

	db_free(f->db);
	db_nodes_stop(f->nodes);
	return 0;
}

/* A change, and the status that it ends with (0: success). */
struct change {
	enum { CREATE, UPDATE, RENAME, DELETE } kind;
	const char *name;
	const char *new_name;
	char **members;
	int status;
	const char *message;
};

static int apply(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *change = arg;

	switch (change->kind) {
	case CREATE:
		return member_groups_create(tx, change->name, "", change->members, err);
	case UPDATE:
		return member_groups_update(tx, change->name, NULL, change->members, err);
	case RENAME:
		return member_groups_rename(tx, change->name, change->new_name, err);
	case DELETE:
		return member_groups_delete(tx, change->name, err);
	}

	return 0;
}

static void changes_keep_to_the_rules(void **state)
{
	struct fixture *f = *state;
	char *m2[] = { (char *)"m2", NULL }, *nobody[] = { NULL },
	     *stranger[] = { (char *)"m9", NULL };
	char *m2_m3[] = { (char *)"m2", (char *)"m3", NULL };
	const struct change changes[] = {
		{ CREATE, "a b", NULL, NULL, 400, "Cluster group names may not contain spaces" },
		{ CREATE, "a/b", NULL, NULL, 400, "Cluster group names may not contain slashes" },
		{ CREATE, "", NULL, NULL, 400, "No name provided" },
		{ CREATE, "g1", NULL, m2, 0, NULL },
		{ CREATE, "g1", NULL, NULL, 409, "Cluster group \"g1\" already exists" },
		{ CREATE, "g2", NULL, stranger, 404, "Cluster member \"m9\" not found" },
		{ UPDATE, "g1", NULL, m2_m3, 0, NULL },
		{ UPDATE, "none", NULL, m2_m3, 404, "ClusterGroup not found" },
		{ DELETE, "g1", NULL, NULL, 400, "Only empty cluster groups can be removed" },
		{ DELETE, "default", NULL, NULL, 403, "The \"default\" group cannot be deleted" },
		{ RENAME, "default", "g3", NULL, 403, "The \"default\" group cannot be renamed" },
		{ RENAME, "g1", "default", NULL, 409, "Cluster group \"default\" already exists" },
		{ RENAME, "g1", "g3", NULL, 0, NULL },
		{ UPDATE, "default", NULL, nobody, 400, NULL }, /* "none" has no other group. */
		{ UPDATE, "g3", NULL, nobody, 0, NULL },
		{ DELETE, "g3", NULL, NULL, 0, NULL },
		{ DELETE, "g3", NULL, NULL, 404, "ClusterGroup not found" },
	};

	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		scoped(error_freep) struct error *err = NULL;
		int r = db_write(f->db, apply, (void *)&changes[i], &err);

		if ((r < 0 ? err->status : 0) != changes[i].status)
			fail_msg("Change %zu: %s", i, r < 0 ? err->msg : "success");
		if (changes[i].message)
			assert_string_equal(err->msg, changes[i].message);
	}
}

static int check_groups(struct db_tx *tx, void *arg, struct error **err)
{
	return member_groups_check_of_member(tx, arg, err);
}

static void a_member_needs_groups_that_exist(void **state)
{
	struct fixture *f = *state;
	char *known[] = { (char *)"default", NULL }, *none[] = { NULL };
	char *unknown[] = { (char *)"default", (char *)"nope", NULL };
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(db_read(f->db, check_groups, known, &err), 0);
	assert_true(db_read(f->db, check_groups, none, &err) < 0);
	assert_string_equal(err->msg, "Cluster members need to belong to at least one group");
	error_clear(&err);
	assert_true(db_read(f->db, check_groups, unknown, &err) < 0);
	assert_int_equal(err->status, 404);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changes_keep_to_the_rules, make_fixture,
		                                free_fixture),
		cmocka_unit_test_setup_teardown(a_member_needs_groups_that_exist, make_fixture,
		                                free_fixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
