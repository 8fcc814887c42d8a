/* The member's own database: what is set is there after it was closed. */
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/local.h"
#include "lib/base/alloc.h"
#include "tests/kit/db_nodes.h"

static char path[] = "/tmp/muster-local-XXXXXX";

static int start(void **state)
{
	(void)state;
	int fd = mkstemp(path);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	return unlink(path);
}

static struct db_local *open_it(void)
{
	struct db_local *local;

	CHECK(db_local_open(path, &local, &err));
	return local;
}

static void the_origin_stays(void **state)
{
	(void)state;
	struct db_local *local = open_it();
	scoped_free char *origin = xstrdup(db_local_origin(local));

	assert_int_equal(strlen(origin), 36);
	db_local_close(local);
	local = open_it();
	assert_string_equal(db_local_origin(local), origin);
	db_local_close(local);
}

static void the_raft_identity_stays(void **state)
{
	(void)state;
	struct db_local *local = open_it();
	struct db_local_raft raft = { 0 };

	CHECK(db_local_get_raft(local, &raft, &err));
	assert_int_equal(raft.id, 0);
	assert_string_equal(raft.address, "");
	assert_false(raft.clustered);
	db_local_raft_done(&raft);
	raft = (struct db_local_raft){ .id = UINT64_MAX,
		                       .address = T("10.0.0.1:8443"),
		                       .clustered = true };
	CHECK(db_local_set_raft(local, &raft, &err));
	db_local_close(local);
	local = open_it();
	CHECK(db_local_get_raft(local, &raft, &err));
	assert_true(raft.id == UINT64_MAX);
	assert_string_equal(raft.address, "10.0.0.1:8443");
	assert_true(raft.clustered);
	db_local_raft_done(&raft);
	db_local_close(local);
}

static void nodes_are_replaced_as_a_whole(void **state)
{
	(void)state;
	struct db_local *local = open_it();
	struct db_local_raft_node nodes[] = {
		{ .id = 2, .address = T("b"), .name = T("m2"), .role = ENGINE_SPARE },
		{ .id = 1, .address = T("a"), .role = ENGINE_VOTER },
	};
	struct db_local_raft_nodes list;
	scoped(error_freep) struct error *same = NULL;

	CHECK(db_local_replace_raft_nodes(local, nodes, 2, &err));
	CHECK(db_local_list_raft_nodes(local, &list, &err));
	assert_int_equal(list.n, 2);
	assert_string_equal(list.rows[0].address, "a");
	assert_string_equal(list.rows[1].name, "m2");
	assert_int_equal(list.rows[1].role, ENGINE_SPARE);
	db_local_raft_nodes_done(&list);

	/* Refused, and all as before. */
	nodes[1].id = 2;
	assert_true(db_local_replace_raft_nodes(local, nodes, 2, &same) < 0);
	CHECK(db_local_list_raft_nodes(local, &list, &err));
	assert_int_equal(list.n, 2);
	db_local_raft_nodes_done(&list);
	CHECK(db_local_replace_raft_nodes(local, NULL, 0, &err));
	CHECK(db_local_list_raft_nodes(local, &list, &err));
	assert_int_equal(list.n, 0);
	db_local_raft_nodes_done(&list);
	db_local_close(local);
}

static void config_and_patches_stay(void **state)
{
	(void)state;
	struct db_local *local = open_it();
	struct smap config = { 0 };
	bool has;

	CHECK(db_local_set_config(local, "core.https_address", ":8443", &err));
	CHECK(db_local_set_config(local, "user.x", "1", &err));
	CHECK(db_local_set_config(local, "user.x", NULL, &err));
	CHECK(db_local_has_patch(local, "one", &has, &err));
	assert_false(has);
	CHECK(db_local_add_patch(local, "one", &err));
	CHECK(db_local_add_patch(local, "one", &err));
	db_local_close(local);
	local = open_it();
	CHECK(db_local_get_config(local, &config, &err));
	assert_int_equal(config.n_entries, 1);
	assert_string_equal(smap_get(&config, "core.https_address"), ":8443");
	CHECK(db_local_has_patch(local, "one", &has, &err));
	assert_true(has);
	smap_clear(&config);
	smap_set(&config, "user.y", "2");
	CHECK(db_local_replace_config(local, &config, &err));
	smap_done(&config);
	CHECK(db_local_get_config(local, &config, &err));
	assert_int_equal(config.n_entries, 1);
	assert_string_equal(smap_get(&config, "user.y"), "2");
	smap_done(&config);
	db_local_close(local);
}

static void a_newer_file_is_refused(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct db_local *local;
	sqlite3 *base;

	assert_int_equal(sqlite3_open(path, &base), SQLITE_OK);
	sqlite3_exec(base, "PRAGMA user_version = 1000", NULL, NULL, NULL);
	sqlite3_close(base);
	assert_true(db_local_open(path, &local, &err) < 0);
	assert_non_null(strstr(err->msg, "newer"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_origin_stays),
		cmocka_unit_test(the_raft_identity_stays),
		cmocka_unit_test(nodes_are_replaced_as_a_whole),
		cmocka_unit_test(config_and_patches_stay),
		cmocka_unit_test(a_newer_file_is_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
