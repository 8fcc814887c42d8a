/* Images with properties, aliases, profiles and the members that hold them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/images.h"
#include "db/members.h"
#include "db/projects.h"
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

static int live(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_image image = {
		.project = T("default"),
		.fingerprint = T("abc1"),
		.filename = T("f"),
		.architecture = T("x86_64"),
		.size = 10,
		.created = DATE_NONE,
		.expires = DATE_NONE,
		.uploaded = 5,
		.last_used = DATE_NONE,
	};
	struct db_image row;
	int64_t id;

	(void)arg;
	image.profiles = strv_new("default", NULL);
	image.members = strv_new("none", NULL);
	smap_set(&image.properties, "os", "busybox");
	OK(db_image_create(tx, &image, "default", &id, err));
	FAILS(-EEXIST, db_image_create(tx, &image, "default", &id, err));
	strv_free(image.profiles);
	image.profiles = NULL;
	image.fingerprint = T("abe3");
	OK(db_image_create(tx, &image, "default", &id, err));
	strv_free(image.members);
	smap_done(&image.properties);

	OK(db_image_get(tx, "default", "abc1", &row, err));
	assert_string_equal(row.members[0], "none");
	assert_string_equal(row.profiles[0], "default");
	assert_string_equal(smap_get(&row.properties, "os"), "busybox");
	assert_true(row.created == DATE_NONE);
	assert_int_equal(row.uploaded, 5);
	OK(db_image_alias_create(tx, "default", "bb", "words", row.id, err));
	OK(db_image_alias_create(tx, "default", "aa", "", row.id, err));
	FAILS(-EEXIST, db_image_alias_create(tx, "default", "bb", "", id, err));
	FAILS(-ENOENT, db_image_alias_create(tx, "none-such", "bb", "", id, err));
	smap_set(&row.properties, "os", "other");
	row.public = true;
	OK(db_image_update(tx, &row, "default", err));
	OK(db_image_set_last_used(tx, row.id, 9, err));
	db_image_done(&row);

	OK(db_image_get(tx, "default", "abe3", &row, err));
	strv_add(&row.profiles, "missing");
	FAILS(-ENOENT, db_image_update(tx, &row, "default", err));
	db_image_done(&row);

	FAILS(-EINVAL, db_image_find(tx, "default", "ab", &row, err));
	FAILS(-ENOENT, db_image_find(tx, "default", "b", &row, err));
	OK(db_image_find(tx, "default", "abc", &row, err));
	assert_true(row.public);
	assert_int_equal(row.last_used, 9);
	assert_string_equal(smap_get(&row.properties, "os"), "other");
	assert_int_equal(row.aliases.n, 2);
	assert_string_equal(row.aliases.rows[0].name, "aa");
	db_image_done(&row);
	return 0;
}

static void images_have_all_their_parts(void **state)
{
	(void)state;
	CHECK(db_write(db, live, NULL, &err));
}

static int use_aliases(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_image_aliases list;
	struct db_image_alias alias;
	struct db_images images;

	(void)arg;
	OK(db_image_list(tx, NULL, &images, err));
	assert_int_equal(images.n, 2);
	assert_int_equal(images.rows[0].aliases.n, 2);
	assert_int_equal(images.rows[1].aliases.n, 0);
	assert_string_equal(images.rows[1].members[0], "none");
	OK(db_image_alias_get(tx, "default", "bb", &alias, err));
	assert_string_equal(alias.fingerprint, "abc1");
	OK(db_image_alias_update(tx, alias.id, "new", images.rows[1].id, err));
	OK(db_image_alias_rename(tx, alias.id, "cc", err));
	FAILS(-EEXIST, db_image_alias_rename(tx, alias.id, "aa", err));
	db_image_alias_done(&alias);
	OK(db_image_alias_get(tx, "default", "cc", &alias, err));
	assert_string_equal(alias.fingerprint, "abe3");
	assert_string_equal(alias.description, "new");
	OK(db_image_alias_list(tx, "default", &list, err));
	assert_int_equal(list.n, 2);
	db_image_alias_list_done(&list);
	OK(db_image_alias_delete(tx, alias.id, err));
	FAILS(-ENOENT, db_image_alias_delete(tx, alias.id, err));
	FAILS(-ENOENT, db_image_alias_get(tx, "default", "cc", &alias, err));
	db_image_alias_done(&alias);
	db_image_list_done(&images);
	return 0;
}

static void aliases_lead_to_their_images(void **state)
{
	(void)state;
	CHECK(db_write(db, use_aliases, NULL, &err));
}

static int count_members(struct db_tx *tx, int64_t *ret_n, struct error **err)
{
	return db_get_int(tx, "SELECT COUNT(*) FROM images_members WHERE fingerprint = 'abc1'",
	                  DB_NO_ARGS, -1, ret_n, err);
}

static int hold(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_member member = { .name = T("m2"), .address = T("2") };
	struct db_project project = { .name = T("p") };
	struct db_image image = { .project = T("p"),
		                  .fingerprint = T("abc1"),
		                  .filename = T("f"),
		                  .architecture = T("x86_64") };
	struct db_image row;
	int64_t id;
	int64_t n;

	(void)arg;
	OK(db_member_create(tx, &member, &id, err));
	OK(db_project_create(tx, &project, &id, err));
	OK(db_image_add_member(tx, "abc1", "m2", err));
	OK(db_image_add_member(tx, "abc1", "m2", err));
	FAILS(-ENOENT, db_image_add_member(tx, "abc1", "m9", err));
	OK(db_image_create(tx, &image, "p", &id, err));
	OK(db_image_get(tx, "p", "abc1", &row, err));
	assert_int_equal(strv_len(row.members), 2);
	db_image_done(&row);
	OK(db_image_remove_member(tx, "abc1", "none", err));

	/* The members are forgotten with the last image of the fingerprint. */
	OK(db_image_delete(tx, id, err));
	OK(count_members(tx, &n, err));
	assert_int_equal(n, 1);
	OK(db_image_get(tx, "default", "abc1", &row, err));
	OK(db_image_delete(tx, row.id, err));
	FAILS(-ENOENT, db_image_delete(tx, row.id, err));
	db_image_done(&row);
	OK(count_members(tx, &n, err));
	assert_int_equal(n, 0);
	return 0;
}

static void members_hold_the_files_of_a_fingerprint(void **state)
{
	(void)state;
	CHECK(db_write(db, hold, NULL, &err));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_have_all_their_parts),
		cmocka_unit_test(aliases_lead_to_their_images),
		cmocka_unit_test(members_hold_the_files_of_a_fingerprint),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
