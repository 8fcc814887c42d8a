/* Instances, their snapshots and their moves, against a real node. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "db/instance_snapshots.h"
#include "db/instances.h"
#include "db/members.h"
#include "db/profiles.h"
#include "db/projects.h"
#include "db/storage_pools.h"
#include "db/storage_volumes.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "tests/kit/db_nodes.h"

static struct db_nodes *nodes;
static struct db *db;

static int prepare(struct db_tx *tx, void *arg, struct error **err)
{
	int64_t id;
	struct db_project project = { .name = T("p") };
	struct db_profile profile = { .project = T("p"), .name = T("default") };
	struct db_profile extra = { .project = T("default"), .name = T("extra") };
	struct db_member member = { .name = T("m2"), .address = T("10.0.0.2:8443") };

	(void)arg;
	OK(db_project_create(tx, &project, &id, err));
	OK(db_profile_create(tx, &profile, &id, err));
	OK(db_profile_create(tx, &extra, &id, err));
	OK(db_member_create(tx, &member, &id, err));
	return 0;
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

static struct db_instance new_instance(char *project, char *name)
{
	struct db_instance row = {
		.project = project,
		.name = name,
		.member = (char *)"none",
		.architecture = (char *)"x86_64",
		.created = 1234567890,
		.last_used = DATE_NONE,
	};

	row.profiles = strv_new("default", NULL);
	smap_set(&row.config, "user.a", "1");
	smap_set(&row.config, "user.b", "2");
	smap_set(&db_device_add(&row.devices, "root")->config, "type", "disk");
	db_device_add(&row.devices, "empty");
	return row;
}

/* Of a row whose texts are not its own. */
static void free_new(struct db_instance *row)
{
	strv_free(row->profiles);
	smap_done(&row->config);
	db_device_list_done(&row->devices);
}

static int create_and_change(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_instance c1 = new_instance(T("default"), T("c1"));
	struct db_instance row;
	int64_t id;
	int64_t n;

	(void)arg;
	OK(db_instance_create(tx, &c1, "default", &id, err));
	FAILS(-EEXIST, db_instance_create(tx, &c1, "default", &id, err));
	c1.project = T("none-such");
	FAILS(-ENOENT, db_instance_create(tx, &c1, "default", &id, err));
	free_new(&c1);

	OK(db_instance_get(tx, "default", "c1", &row, err));
	assert_string_equal(row.member, "none");
	assert_true(row.created == 1234567890);
	assert_true(row.last_used == DATE_NONE);
	assert_string_equal(row.profiles[0], "default");
	assert_int_equal(row.devices.n, 2);
	assert_non_null(db_device_find(&row.devices, "empty"));
	assert_string_equal(smap_get(&row.config, "user.b"), "2");

	smap_set(&row.config, "user.b", "3");
	smap_unset(&row.config, "user.a");
	db_device_remove(&row.devices, "empty");
	strv_add(&row.profiles, "extra");
	row.ephemeral = true;
	OK(db_instance_update(tx, &row, "default", err));
	db_instance_done(&row);
	OK(db_instance_get(tx, "default", "c1", &row, err));
	assert_true(row.ephemeral);
	assert_int_equal(row.config.n_entries, 1);
	assert_int_equal(row.devices.n, 1);
	assert_string_equal(row.profiles[1], "extra");
	assert_int_equal(row.profile_ids[0], 1);

	strv_add(&row.profiles, "missing");
	FAILS(-ENOENT, db_instance_update(tx, &row, "default", err));
	strv_remove(row.profiles, "missing");
	strv_add(&row.profiles, "extra");
	FAILS(-EINVAL, db_instance_update(tx, &row, "default", err));
	db_instance_done(&row);
	FAILS(-ENOENT, db_instance_get(tx, "default", "c2", &row, err));
	OK(db_instance_count_on(tx, 1, &n, err));
	assert_int_equal(n, 1);
	return 0;
}

static void instances_are_created_and_changed(void **state)
{
	(void)state;
	CHECK(db_write(db, create_and_change, NULL, &err));
}

/* Config goes to the engine as JSON, and must come back as it was. */
static int keep_odd_texts(struct db_tx *tx, void *arg, struct error **err)
{
	static const char *const odd[] = {
		"",
		" ",
		"null",
		"5",
		"{\"a\": [1]}",
		"\"",
		"\\",
		"\\u0041",
		"a/b",
		"%s",
		"'; --",
		"\n\t\r\x01\x7f",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	};
	struct db_instance c = new_instance(T("default"), T("odd"));
	scoped(smap_done) struct smap changes = { 0 };
	scoped_free char *large = xmalloc(100001);
	struct db_instance row;
	int64_t id;

	(void)arg;
	memset(large, 'x', 100000);
	large[100000] = '\0';
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		scoped_free char *key = xasprintf("user.%zu", i);
		scoped_free char *odd_key = xasprintf("user.%s", odd[i]);

		smap_set(&c.config, key, odd[i]);
		smap_set(&c.config, odd_key, "v");
		smap_set(&db_device_add(&c.devices, *odd[i] ? odd[i] : "-")->config, odd_key,
		         odd[i]);
	}
	smap_set(&c.config, "user.large", large);
	OK(db_instance_create(tx, &c, "default", &id, err));
	OK(db_instance_get(tx, "default", "odd", &row, err));
	assert_true(smap_equals(&row.config, &c.config));
	assert_true(db_device_equal(&row.devices, &c.devices));
	db_instance_done(&row);

	SMAP_FOREACH (e, &c.config)
		smap_set(&changes, e->key, strcmp(e->key, "user.large") == 0 ? "small" : "");
	OK(db_instance_patch_config(tx, id, &changes, err));
	OK(db_instance_get(tx, "default", "odd", &row, err));
	assert_int_equal(row.config.n_entries, 1);
	assert_string_equal(smap_get(&row.config, "user.large"), "small");
	db_instance_done(&row);
	OK(db_instance_delete(tx, id, err));
	free_new(&c);
	return 0;
}

static void odd_texts_are_kept(void **state)
{
	(void)state;
	CHECK(db_write(db, keep_odd_texts, NULL, &err));
}

static int change_parts(struct db_tx *tx, void *arg, struct error **err)
{
	scoped(smap_done) struct smap changes = { 0 };
	struct db_instance c3 = new_instance(T("p"), T("c3"));
	struct db_instance row;
	int64_t id;

	(void)arg;
	OK(db_instance_create(tx, &c3, "p", &id, err));
	free_new(&c3);
	smap_set(&changes, "user.a", "");
	smap_set(&changes, "volatile.x", "y");
	OK(db_instance_patch_config(tx, id, &changes, err));
	OK(db_instance_set_last_used(tx, id, 77, err));
	OK(db_instance_set_stateful(tx, id, true, err));
	OK(db_instance_rename(tx, id, "c4", err));
	OK(db_instance_set_project(tx, id, "default", "default", err));
	OK(db_instance_get(tx, "default", "c4", &row, err));
	assert_true(row.stateful);
	assert_int_equal(row.last_used, 77);
	assert_null(smap_get(&row.config, "user.a"));
	assert_string_equal(smap_get(&row.config, "volatile.x"), "y");
	assert_int_equal(row.profile_ids[0], 1);
	db_instance_done(&row);
	FAILS(-EEXIST, db_instance_rename(tx, id, "c1", err));
	FAILS(-ENOENT, db_instance_rename(tx, 999, "c9", err));
	FAILS(-ENOENT, db_instance_set_project(tx, id, "none-such", "default", err));
	OK(db_instance_delete(tx, id, err));
	FAILS(-ENOENT, db_instance_delete(tx, id, err));
	FAILS(-EINVAL, db_profile_delete(tx, "default", "extra", err));
	return 0;
}

static void parts_are_changed_alone(void **state)
{
	(void)state;
	CHECK(db_write(db, change_parts, NULL, &err));
}

static int list_some(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_instance a = new_instance(T("p"), T("a"));
	struct db_instances list;
	struct db_instance_filter filter = { .member = "none" };
	int64_t id;

	(void)arg;
	OK(db_instance_create(tx, &a, "p", &id, err));
	free_new(&a);
	OK(db_instance_list(tx, NULL, &list, err));
	assert_int_equal(list.n, 2);
	assert_string_equal(list.rows[0].project, "default");
	assert_string_equal(list.rows[1].name, "a");
	assert_string_equal(smap_get(&list.rows[1].config, "user.a"), "1");
	assert_string_equal(smap_get(&list.rows[0].config, "user.b"), "3");
	assert_int_equal(list.rows[1].devices.n, 2);
	db_instance_list_done(&list);
	OK(db_instance_list(tx, &filter, &list, err));
	assert_int_equal(list.n, 2);
	db_instance_list_done(&list);
	filter = (struct db_instance_filter){ .project = "p", .name = "a", .id = id };
	OK(db_instance_list(tx, &filter, &list, err));
	assert_int_equal(list.n, 1);
	assert_string_equal(smap_get(&list.rows[0].config, "user.b"), "2");
	db_instance_list_done(&list);
	filter.member = "m2";
	OK(db_instance_list(tx, &filter, &list, err));
	assert_int_equal(list.n, 0);
	return 0;
}

static void lists_hold_all_parts_of_each(void **state)
{
	(void)state;
	CHECK(db_write(db, list_some, NULL, &err));
}

static int move_once(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_storage_pool pool = { .name = T("pool"), .driver = T("dir") };
	struct db_storage_volume vol = {
		.pool = T("pool"),
		.project = T("default"),
		.member = T("none"),
		.name = T("c1"),
		.type = DB_VOLUME_CONTAINER,
	};
	struct db_storage_volume moved;
	struct db_instance row;
	int64_t id;

	(void)arg;
	OK(db_storage_pool_create(tx, &pool, &id, err));
	OK(db_storage_volume_create(tx, &vol, &id, err));
	OK(db_instance_get(tx, "default", "c1", &row, err));
	OK(db_instance_commit_move(tx, row.id, row.epoch, "m2", err));
	FAILS(-EEXIST, db_instance_commit_move(tx, row.id, row.epoch, "none", err));
	FAILS(-ENOENT, db_instance_commit_move(tx, row.id, row.epoch + 1, "m9", err));
	id = row.id;
	int64_t epoch = row.epoch;
	db_instance_done(&row);
	OK(db_instance_get_by_id(tx, id, &row, err));
	assert_string_equal(row.member, "m2");
	assert_int_equal(row.epoch, epoch + 1);
	db_instance_done(&row);
	OK(db_storage_volume_get(tx,
	                         &(struct db_storage_volume_filter){ .pool = "pool",
	                                                             .project = "default",
	                                                             .type = DB_VOLUME_CONTAINER,
	                                                             .name = "c1",
	                                                             .member = "m2" },
	                         &moved, err));
	assert_string_equal(moved.member, "m2");
	db_storage_volume_done(&moved);
	return 0;
}

static void a_move_happens_in_one_epoch_only(void **state)
{
	(void)state;
	CHECK(db_write(db, move_once, NULL, &err));
}

static int take_snapshots(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_instance row;
	struct db_instance_snapshot snap = {
		.name = T("s1"),
		.architecture = T("x86_64"),
		.created = 5,
		.last_used = DATE_NONE,
		.expires = 100,
	};
	struct db_instance_snapshot got;
	struct db_instance_snapshots list;
	int64_t id;

	(void)arg;
	OK(db_instance_get(tx, "default", "c1", &row, err));
	snap.instance_id = row.id;
	snap.config = row.config;
	snap.devices = row.devices;
	snap.profiles = row.profiles;
	OK(db_instance_snapshot_create(tx, &snap, &id, err));
	FAILS(-EEXIST, db_instance_snapshot_create(tx, &snap, &id, err));
	snap.name = T("s0");
	snap.expires = DATE_NONE;
	OK(db_instance_snapshot_create(tx, &snap, &id, err));

	OK(db_instance_snapshot_get(tx, row.id, "s1", &got, err));
	assert_string_equal(got.project, "default");
	assert_string_equal(got.instance, "c1");
	assert_string_equal(smap_get(&got.config, "user.b"), "3");
	assert_string_equal(got.profiles[1], "extra");
	assert_int_equal(got.devices.n, 1);
	assert_int_equal(got.expires, 100);
	OK(db_instance_snapshot_update(tx, got.id, "words", 200, err));
	OK(db_instance_snapshot_rename(tx, got.id, "s2", err));
	FAILS(-EEXIST, db_instance_snapshot_rename(tx, got.id, "s0", err));
	db_instance_snapshot_done(&got);

	OK(db_instance_snapshot_list(tx, row.id, &list, err));
	assert_int_equal(list.n, 2);
	assert_string_equal(list.rows[0].name, "s2");
	assert_string_equal(list.rows[0].description, "words");
	assert_true(list.rows[1].expires == DATE_NONE);
	db_instance_snapshot_list_done(&list);
	OK(db_instance_snapshot_list(tx, 0, &list, err));
	assert_int_equal(list.n, 2);
	assert_string_equal(smap_get(&list.rows[1].config, "user.b"), "3");
	db_instance_snapshot_list_done(&list);
	OK(db_instance_snapshot_list_expired(tx, "m2", 199, &list, err));
	assert_int_equal(list.n, 0);
	OK(db_instance_snapshot_list_expired(tx, "m2", 200, &list, err));
	assert_int_equal(list.n, 1);
	OK(db_instance_snapshot_delete(tx, list.rows[0].id, err));
	FAILS(-ENOENT, db_instance_snapshot_delete(tx, list.rows[0].id, err));
	db_instance_snapshot_list_done(&list);
	OK(db_instance_delete(tx, row.id, err));
	OK(db_instance_snapshot_list(tx, row.id, &list, err));
	assert_int_equal(list.n, 0);
	db_instance_done(&row);
	return 0;
}

static void snapshots_go_with_their_instance(void **state)
{
	(void)state;
	CHECK(db_write(db, take_snapshots, NULL, &err));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(instances_are_created_and_changed),
		cmocka_unit_test(odd_texts_are_kept),
		cmocka_unit_test(parts_are_changed_alone),
		cmocka_unit_test(lists_hold_all_parts_of_each),
		cmocka_unit_test(a_move_happens_in_one_epoch_only),
		cmocka_unit_test(snapshots_go_with_their_instance),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
