/* Members, cluster groups and placement groups. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/images.h"
#include "db/instances.h"
#include "db/member_groups.h"
#include "db/members.h"
#include "db/placement_groups.h"
#include "lib/base/strv.h"
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

static int live_member(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_member member = { .name = T("m2"),
		                    .address = T("10.0.0.2:8443"),
		                    .state = DB_MEMBER_PENDING,
		                    .heartbeat = DATE_NONE };
	struct db_member row;
	struct db_members list;
	int64_t id;

	(void)arg;
	smap_set(&member.config, "scheduler.instance", "all");
	OK(db_member_create(tx, &member, &id, err));
	FAILS(-EEXIST, db_member_create(tx, &member, &id, err));
	smap_done(&member.config);

	OK(db_member_get(tx, "m2", &row, err));
	assert_string_equal(row.failure_domain, "default");
	assert_string_equal(row.groups[0], "default");
	assert_true(row.heartbeat == DATE_NONE);
	assert_string_equal(smap_get(&row.config, "scheduler.instance"), "all");
	strv_add(&row.roles, "ovn-chassis");
	strv_free(row.groups);
	row.groups = NULL;
	free(row.failure_domain);
	row.failure_domain = strdup("rack1");
	OK(db_member_update(tx, &row, err));
	db_member_done(&row);

	OK(db_member_set_state(tx, id, DB_MEMBER_CREATED, err));
	OK(db_member_set_address(tx, id, "10.0.0.3:8443", err));
	OK(db_member_set_versions(tx, id, 7, 8, "aarch64", err));
	OK(db_member_set_heartbeats(tx, &id, 1, 99, err));
	OK(db_member_rename(tx, "m2", "m3", err));
	FAILS(-EEXIST, db_member_rename(tx, "m3", "none", err));
	FAILS(-ENOENT, db_member_rename(tx, "m2", "m4", err));
	OK(db_member_get_by_address(tx, "10.0.0.3:8443", &row, err));
	assert_string_equal(row.name, "m3");
	assert_string_equal(row.roles[0], "ovn-chassis");
	assert_string_equal(row.groups[0], "default");
	assert_string_equal(row.failure_domain, "rack1");
	assert_int_equal(row.heartbeat, 99);
	assert_int_equal(row.schema, 7);
	db_member_done(&row);
	OK(db_member_get_by_id(tx, 1, &row, err));
	assert_string_equal(row.name, "none");
	db_member_done(&row);
	OK(db_member_list(tx, &list, err));
	assert_int_equal(list.n, 2);
	assert_string_equal(list.rows[0].name, "m3");
	db_member_list_done(&list);
	return 0;
}

static void members_are_changed_in_all_they_have(void **state)
{
	(void)state;
	CHECK(db_write(db, live_member, NULL, &err));
}

static int live_group(struct db_tx *tx, void *arg, struct error **err)
{
	scoped(strv_freep) char **both = strv_new("none", "m3", NULL);
	struct db_member_group group = { .name = T("g"), .members = both };
	struct db_member_group row;
	struct db_member_groups list;
	int64_t id;

	(void)arg;
	OK(db_member_group_create(tx, &group, &id, err));
	FAILS(-EEXIST, db_member_group_create(tx, &group, &id, err));
	OK(db_member_group_get(tx, "g", &row, err));
	assert_string_equal(row.members[0], "m3");
	assert_int_equal(strv_len(row.members), 2);
	strv_remove(row.members, "m3");
	OK(db_member_group_update(tx, &row, err));
	strv_add(&row.members, "m9");
	FAILS(-ENOENT, db_member_group_update(tx, &row, err));
	db_member_group_done(&row);
	OK(db_member_group_rename(tx, "g", "h", err));
	FAILS(-EEXIST, db_member_group_rename(tx, "h", "default", err));
	OK(db_member_group_list(tx, &list, err));
	assert_int_equal(list.n, 2);
	assert_string_equal(list.rows[1].name, "h");
	assert_int_equal(strv_len(list.rows[1].members), 1);
	db_member_group_list_done(&list);
	OK(db_member_group_delete(tx, "h", err));
	FAILS(-ENOENT, db_member_group_delete(tx, "h", err));
	return 0;
}

static void cluster_groups_hold_members(void **state)
{
	(void)state;
	CHECK(db_write(db, live_group, NULL, &err));
}

static int live_placement(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_placement_group group = { .project = T("default"), .name = T("pg") };
	struct db_placement_group row;
	struct db_placement_groups list;
	int64_t id;

	(void)arg;
	smap_set(&group.config, "policy", "spread");
	OK(db_placement_group_create(tx, &group, &id, err));
	FAILS(-EEXIST, db_placement_group_create(tx, &group, &id, err));
	group.project = T("none-such");
	FAILS(-ENOENT, db_placement_group_create(tx, &group, &id, err));
	smap_done(&group.config);
	OK(db_placement_group_get(tx, "default", "pg", &row, err));
	smap_set(&row.config, "policy", "compact");
	OK(db_placement_group_update(tx, &row, err));
	db_placement_group_done(&row);
	OK(db_placement_group_rename(tx, "default", "pg", "ph", err));
	OK(db_placement_group_list(tx, NULL, &list, err));
	assert_int_equal(list.n, 1);
	assert_string_equal(smap_get(&list.rows[0].config, "policy"), "compact");
	db_placement_group_list_done(&list);
	OK(db_placement_group_delete(tx, "default", "ph", err));
	FAILS(-ENOENT, db_placement_group_delete(tx, "default", "ph", err));
	return 0;
}

static void placement_groups_live(void **state)
{
	(void)state;
	CHECK(db_write(db, live_placement, NULL, &err));
}

static int purge(struct db_tx *tx, void *arg, struct error **err)
{
	scoped(strv_freep) char **held = strv_new("m3", NULL);
	struct db_instance instance = { .project = T("default"),
		                        .name = T("c"),
		                        .member = T("m3"),
		                        .architecture = T("x86_64") };
	struct db_image image = { .project = T("default"),
		                  .fingerprint = T("ff"),
		                  .filename = T("f"),
		                  .architecture = T("x86_64"),
		                  .members = held };
	struct db_images images;
	struct db_member row;
	int64_t id;

	(void)arg;
	OK(db_instance_create(tx, &instance, "default", &id, err));
	OK(db_image_create(tx, &image, "default", &id, err));
	image.fingerprint = T("fe");
	OK(db_image_create(tx, &image, "default", &id, err));
	OK(db_image_add_member(tx, "fe", "none", err));
	OK(db_member_get(tx, "m3", &row, err));
	FAILS(-EINVAL, db_member_delete(tx, row.id, err));
	OK(db_member_purge(tx, row.id, err));
	FAILS(-ENOENT, db_member_delete(tx, row.id, err));
	db_member_done(&row);
	FAILS(-ENOENT, db_member_get(tx, "m3", &row, err));
	OK(db_image_list(tx, NULL, &images, err));
	assert_int_equal(images.n, 1);
	assert_string_equal(images.rows[0].fingerprint, "fe");
	db_image_list_done(&images);
	return 0;
}

static void a_purge_removes_what_only_that_member_had(void **state)
{
	(void)state;
	CHECK(db_write(db, purge, NULL, &err));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_changed_in_all_they_have),
		cmocka_unit_test(cluster_groups_hold_members),
		cmocka_unit_test(placement_groups_live),
		cmocka_unit_test(a_purge_removes_what_only_that_member_had),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
