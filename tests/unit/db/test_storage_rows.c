/* Storage pools with their members, volumes and their snapshots. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/members.h"
#include "db/storage_pools.h"
#include "db/storage_volumes.h"
#include "tests/kit/db_nodes.h"

static struct db_nodes *nodes;
static struct db *db;

static int prepare(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_member member = { .name = T("m2"), .address = T("2") };
	int64_t id;

	(void)arg;
	return db_member_create(tx, &member, &id, err);
}

static int start(void **state)
{
	(void)state;
	nodes = db_nodes_start(1);
	db = db_nodes_open_ready(nodes, "test");
	CHECK(db_write(db, prepare, NULL, &err));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	db_free(db);
	db_nodes_stop(nodes);
	return 0;
}

static int live_pool(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_storage_pool_member part = { .member = T("none"), .state = DB_POOL_CREATED };
	struct db_storage_pool pool = { .name = T("pool"),
		                        .driver = T("btrfs"),
		                        .state = DB_POOL_PENDING,
		                        .members = &part,
		                        .n_members = 1 };
	scoped(smap_done) struct smap config = { 0 };
	struct db_storage_pool row;
	int64_t id;

	(void)arg;
	smap_set(&pool.config, "user.x", "1");
	smap_set(&part.config, "source", "/one");
	OK(db_storage_pool_create(tx, &pool, &id, err));
	FAILS(-EEXIST, db_storage_pool_create(tx, &pool, &id, err));
	smap_clear(&part.config);
	smap_set(&part.config, "source", "/two");
	OK(db_storage_pool_set_member(tx, id, "m2", DB_POOL_PENDING, &part.config, err));
	OK(db_storage_pool_set_member(tx, id, "m2", DB_POOL_ERRORED, &part.config, err));
	FAILS(-ENOENT, db_storage_pool_set_member(tx, id, "m9", DB_POOL_ERRORED, NULL, err));
	OK(db_storage_pool_set_state(tx, id, DB_POOL_CREATED, err));
	smap_done(&pool.config);
	smap_done(&part.config);

	OK(db_storage_pool_get(tx, "pool", &row, err));
	assert_int_equal(row.state, DB_POOL_CREATED);
	assert_int_equal(row.n_members, 2);
	assert_string_equal(row.members[0].member, "m2");
	assert_int_equal(row.members[0].state, DB_POOL_ERRORED);
	assert_null(db_storage_pool_on(&row, "m3"));
	db_storage_pool_config_on(&row, "none", &config);
	assert_string_equal(smap_get(&config, "source"), "/one");
	assert_string_equal(smap_get(&config, "user.x"), "1");
	smap_set(&row.config, "user.x", "2");
	OK(db_storage_pool_update(tx, &row, err));
	OK(db_storage_pool_remove_member(tx, id, "m2", err));
	db_storage_pool_done(&row);
	OK(db_storage_pool_get(tx, "pool", &row, err));
	assert_int_equal(row.n_members, 1);
	assert_string_equal(smap_get(&row.config, "user.x"), "2");
	db_storage_pool_done(&row);
	FAILS(-ENOENT, db_storage_pool_get(tx, "none-such", &row, err));
	return 0;
}

static void pools_have_config_per_member(void **state)
{
	(void)state;
	CHECK(db_write(db, live_pool, NULL, &err));
}

static int live_volume(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_storage_volume vol = {
		.pool = T("pool"),
		.project = T("default"),
		.member = T("none"),
		.name = T("v"),
		.type = DB_VOLUME_CUSTOM,
		.created = 3,
	};
	struct db_storage_volume row;
	struct db_storage_volumes list;
	struct db_storage_volume_filter filter = { .member = "m2", .type = DB_VOLUME_CUSTOM };
	int64_t id;

	(void)arg;
	smap_set(&vol.config, "size", "1GiB");
	OK(db_storage_volume_create(tx, &vol, &id, err));
	FAILS(-EEXIST, db_storage_volume_create(tx, &vol, &id, err));
	vol.member = T("m2");
	OK(db_storage_volume_create(tx, &vol, &id, err));
	vol.member = T("");
	vol.name = T("shared");
	OK(db_storage_volume_create(tx, &vol, &id, err));
	FAILS(-EEXIST, db_storage_volume_create(tx, &vol, &id, err));
	vol.member = T("m9");
	FAILS(-ENOENT, db_storage_volume_create(tx, &vol, &id, err));
	vol.member = T("none");
	vol.pool = T("none-such");
	FAILS(-ENOENT, db_storage_volume_create(tx, &vol, &id, err));
	smap_done(&vol.config);

	FAILS(-EINVAL,
	      db_storage_volume_get(tx,
	                            &(struct db_storage_volume_filter){ .pool = "pool",
	                                                                .project = "default",
	                                                                .type = DB_VOLUME_CUSTOM,
	                                                                .name = "v" },
	                            &row, err));
	FAILS(-ENOENT,
	      db_storage_volume_get(tx,
	                            &(struct db_storage_volume_filter){ .pool = "pool",
	                                                                .project = "default",
	                                                                .type = DB_VOLUME_IMAGE,
	                                                                .name = "v",
	                                                                .member = "m2" },
	                            &row, err));
	OK(db_storage_volume_get(tx,
	                         &(struct db_storage_volume_filter){ .pool = "pool",
	                                                             .project = "default",
	                                                             .type = DB_VOLUME_CUSTOM,
	                                                             .name = "v",
	                                                             .member = "m2" },
	                         &row, err));
	assert_string_equal(row.member, "m2");
	assert_string_equal(smap_get(&row.config, "size"), "1GiB");
	smap_set(&row.config, "size", "2GiB");
	OK(db_storage_volume_update(tx, &row, err));
	OK(db_storage_volume_rename(tx, row.id, "w", err));
	OK(db_storage_volume_move(tx, row.id, NULL, NULL, "none", err));
	FAILS(-ENOENT, db_storage_volume_move(tx, row.id, "none-such", NULL, NULL, err));
	db_storage_volume_done(&row);

	OK(db_storage_volume_list(tx, &filter, &list, err));
	assert_int_equal(list.n, 1);
	assert_string_equal(list.rows[0].name, "shared");
	db_storage_volume_list_done(&list);
	OK(db_storage_volume_list(tx, NULL, &list, err));
	assert_int_equal(list.n, 3);
	OK(db_storage_volume_delete(tx, list.rows[0].id, err));
	FAILS(-ENOENT, db_storage_volume_delete(tx, list.rows[0].id, err));
	db_storage_volume_list_done(&list);
	return 0;
}

static void volumes_are_found_as_members_see_them(void **state)
{
	(void)state;
	CHECK(db_write(db, live_volume, NULL, &err));
}

static int take_snapshots(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_storage_volumes volumes;
	struct db_storage_snapshot snap = { .name = T("s"), .created = 1, .expires = DATE_NONE };
	struct db_storage_snapshot row;
	struct db_storage_snapshots list;
	struct db_storage_pool pool;
	int64_t id;

	(void)arg;
	OK(db_storage_volume_list(tx, NULL, &volumes, err));
	snap.volume_id = volumes.rows[0].id;
	smap_set(&snap.config, "size", "1GiB");
	OK(db_storage_volume_snapshot_create(tx, &snap, &id, err));
	FAILS(-EEXIST, db_storage_volume_snapshot_create(tx, &snap, &id, err));
	smap_done(&snap.config);
	OK(db_storage_volume_snapshot_list_expired(tx, INT64_MAX, &list, err));
	assert_int_equal(list.n, 0); /* It never does. */
	db_storage_volume_snapshot_list_done(&list);
	OK(db_storage_volume_snapshot_update(tx, id, "words", 9, err));
	for (int64_t now = 8; now <= 10; now++) {
		OK(db_storage_volume_snapshot_list_expired(tx, now, &list, err));
		assert_int_equal(list.n, now >= 9 && volumes.rows[0].type == DB_VOLUME_CUSTOM);
		db_storage_volume_snapshot_list_done(&list);
	}
	OK(db_storage_volume_snapshot_rename(tx, id, "t", err));
	OK(db_storage_volume_snapshot_get(tx, snap.volume_id, "t", &row, err));
	assert_int_equal(row.expires, 9);
	assert_string_equal(smap_get(&row.config, "size"), "1GiB");
	db_storage_volume_snapshot_done(&row);
	FAILS(-ENOENT, db_storage_volume_snapshot_get(tx, snap.volume_id, "s", &row, err));
	OK(db_storage_volume_snapshot_list(tx, 0, &list, err));
	assert_int_equal(list.n, 1);
	db_storage_volume_snapshot_list_done(&list);
	OK(db_storage_volume_snapshot_delete(tx, id, err));
	FAILS(-ENOENT, db_storage_volume_snapshot_delete(tx, id, err));

	OK(db_storage_pool_get(tx, "pool", &pool, err));
	FAILS(-EINVAL, db_storage_pool_delete(tx, pool.id, err));
	for (size_t i = 0; i < volumes.n; i++)
		OK(db_storage_volume_delete(tx, volumes.rows[i].id, err));
	OK(db_storage_pool_delete(tx, pool.id, err));
	FAILS(-ENOENT, db_storage_pool_delete(tx, pool.id, err));
	db_storage_pool_done(&pool);
	db_storage_volume_list_done(&volumes);
	return 0;
}

static void a_pool_with_volumes_stays(void **state)
{
	(void)state;
	CHECK(db_write(db, take_snapshots, NULL, &err));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_have_config_per_member),
		cmocka_unit_test(volumes_are_found_as_members_see_them),
		cmocka_unit_test(a_pool_with_volumes_stays),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
