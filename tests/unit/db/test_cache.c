/* The cache against a real node: what it sees, when, and how much it reads. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/cache.h"
#include "db/config.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"
#include "tests/kit/db_nodes.h"

static struct db_nodes *nodes;
static struct db *db;
static struct db *other; /* As another daemon would have it. */
static struct db_cache *cache;

static int start(void **state)
{
	(void)state;
	nodes = db_nodes_start(1);
	db = db_nodes_open_ready(nodes, "one");
	other = db_nodes_open_ready(nodes, "two");
	cache = db_cache_new(db);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	db_cache_free(cache);
	db_free(db);
	db_free(other);
	db_nodes_stop(nodes);
	return 0;
}

static struct db_view *view_of(uint32_t families)
{
	struct db_view *view;

	CHECK(db_cache_view(cache, families, &view, &err));
	return view;
}

static int add_instance(struct db_tx *tx, void *arg, struct error **err)
{
	scoped(strv_freep) char **profiles = strv_new("default", NULL);
	int64_t id;
	struct db_instance row = {
		.project = (char[]){ "default" },
		.name = arg,
		.member = (char[]){ "none" },
		.architecture = (char[]){ "x86_64" },
		.created = date_now(),
		.last_used = DATE_NONE,
		.profiles = profiles,
	};

	smap_set(&row.config, "user.own", arg);
	smap_set(&db_device_add(&row.devices, "root")->config, "size", "1GiB");
	int r = db_instance_create(tx, &row, "default", &id, err);
	smap_done(&row.config);
	db_device_list_done(&row.devices);
	return r;
}

static void what_another_daemon_wrote_is_seen(void **state)
{
	(void)state;
	size_t n;
	struct db_view *before = view_of(DB_INSTANCES);

	assert_null(db_cache_instance(before, "default", "c1"));
	CHECK(db_write(other, add_instance, (char[]){ "c1" }, &err));

	struct db_view *view = view_of(DB_INSTANCES);
	const struct db_expanded *c1 = db_cache_instance(view, "default", "c1");
	assert_non_null(c1);
	assert_string_equal(c1->row.member, "none");
	assert_string_equal(c1->row.profiles[0], "default");
	assert_string_equal(smap_get(&c1->config, "user.own"), "c1");
	assert_true(c1->row.last_used == DATE_NONE);

	/* The view from before does not change. */
	db_cache_instances(before, &n);
	assert_int_equal(n, 0);
	db_cache_view_unref(before);
	db_cache_view_unref(view);
}

static int set_profile(struct db_tx *tx, void *arg, struct error **err)
{
	scoped(db_profile_done) struct db_profile now = { 0 };
	scoped(db_profile_done) struct db_profile row = { 0 };

	int r = db_profile_get(tx, "default", "default", &now, NULL, err);
	if (r == 0)
		r = db_profile_get(tx, "default", "default", &row, NULL, err);
	if (r < 0)
		return r;
	smap_set(&row.config, "limits.memory", arg);
	smap_set(&db_device_add(&row.devices, "root")->config, "pool", "default");
	smap_set(&db_device_add(&row.devices, "eth0")->config, "type", "nic");
	return db_profile_update(tx, &now, &row, err);
}

static void profiles_reach_their_instances(void **state)
{
	(void)state;

	CHECK(db_write(other, set_profile, (char[]){ "1GiB" }, &err));
	struct db_view *view = view_of(DB_INSTANCES);
	const struct db_expanded *c1 = db_cache_instance(view, "default", "c1");

	assert_string_equal(smap_get(&c1->config, "limits.memory"), "1GiB");
	assert_null(smap_get(&c1->row.config, "limits.memory"));
	assert_int_equal(c1->devices.n, 2);
	/* A device of its own replaces that of a profile. */
	assert_null(smap_get(&db_device_find(&c1->devices, "root")->config, "pool"));
	db_cache_view_unref(view);
}

static void what_did_not_change_is_the_same_row(void **state)
{
	(void)state;
	struct db_view *before = view_of(DB_INSTANCES);

	CHECK(db_write(other, add_instance, (char[]){ "a2" }, &err));
	struct db_view *view = view_of(DB_INSTANCES);
	size_t n;
	const struct db_expanded *const *rows = db_cache_instances(view, &n);

	assert_int_equal(n, 2);
	assert_string_equal(rows[0]->row.name, "a2");
	assert_ptr_equal(rows[1], db_cache_instance(before, "default", "c1"));
	db_cache_view_unref(before);
	db_cache_view_unref(view);
}

static int rename_project(struct db_tx *tx, void *arg, struct error **err)
{
	const char *const *names = arg;

	return db_project_rename(tx, names[0], names[1], err);
}

static int drop_instance(struct db_tx *tx, void *arg, struct error **err)
{
	scoped(db_instance_done) struct db_instance row = { 0 };

	int r = db_instance_get(tx, "default", arg, &row, err);
	return r < 0 ? r : db_instance_delete(tx, row.id, err);
}

static void names_of_others_are_kept_right(void **state)
{
	(void)state;
	struct db_view *view = view_of(DB_INSTANCES | DB_PROJECTS);

	db_cache_view_unref(view);
	CHECK(db_write(other, rename_project, (const char *[]){ "default", "moved" }, &err));
	view = view_of(DB_INSTANCES | DB_PROJECTS);
	assert_non_null(db_cache_instance(view, "moved", "c1"));
	assert_null(db_cache_instance(view, "default", "c1"));
	db_cache_view_unref(view);
	CHECK(db_write(other, rename_project, (const char *[]){ "moved", "default" }, &err));
}

static void what_is_gone_is_gone(void **state)
{
	(void)state;

	CHECK(db_write(other, drop_instance, (char[]){ "a2" }, &err));
	struct db_view *view = view_of(DB_INSTANCES);
	assert_null(db_cache_instance(view, "default", "a2"));
	assert_non_null(db_cache_instance(view, "default", "c1"));
	db_cache_view_unref(view);
}

static void every_family_can_be_read(void **state)
{
	(void)state;
	struct db_view *view = view_of((1U << DB_N_FAMILIES) - 1);

	assert_int_equal(db_cache_members(view)->n, 1);
	assert_string_equal(db_cache_member(view, "none")->groups[0], "default");
	assert_non_null(db_cache_member_group(view, "default"));
	assert_non_null(db_cache_project(view, "default"));
	assert_int_equal(db_cache_config(view)->n_entries, 0);
	assert_int_equal(db_cache_snapshots(view)->n, 0);
	assert_int_equal(db_cache_images(view)->n, 0);
	assert_int_equal(db_cache_pools(view)->n, 0);
	assert_int_equal(db_cache_volumes(view)->n, 0);
	assert_int_equal(db_cache_placement_groups(view)->n, 0);
	assert_int_equal(db_cache_certificates(view)->n, 0);
	assert_int_equal(db_cache_warnings(view)->n, 0);
	assert_null(db_cache_certificate(view, "ff"));
	db_cache_view_unref(view);
}

enum { N_WRITERS = 4, N_WRITES = 25 };

static int set_key(struct db_tx *tx, void *arg, struct error **err)
{
	const char *const *pair = arg;

	return db_config_set(tx, pair[0], pair[1], err);
}

/* Writes through one db or the other, and must see each write in a view asked for after it. */
static void *write_and_look(void *arg)
{
	size_t who = (size_t)(uintptr_t)arg;
	scoped_free char *key = xasprintf("user.%zu", who);

	for (size_t i = 0; i < N_WRITES; i++) {
		scoped_free char *value = xasprintf("%zu", i);

		CHECK(db_write(who % 2 ? db : other, set_key, (const char *[]){ key, value },
		               &err));
		struct db_view *view = view_of(DB_CONFIG);
		if (strcmp(smap_get_or(db_cache_config(view), key, ""), value) != 0)
			abort();
		db_cache_view_unref(view);
	}

	return NULL;
}

static void a_view_shows_all_that_was_answered_before(void **state)
{
	(void)state;
	pthread_t threads[N_WRITERS];

	for (size_t i = 0; i < N_WRITERS; i++)
		assert_int_equal(
			thread_start(&threads[i], "look", 0, write_and_look, (void *)(uintptr_t)i),
			0);
	for (size_t i = 0; i < N_WRITERS; i++)
		pthread_join(threads[i], NULL);
}

static int add_thousand(struct db_tx *tx, void *arg, struct error **err)
{
	int r = 0;

	(void)arg;
	for (size_t i = 0; r == 0 && i < 1000; i++) {
		scoped_free char *name = xasprintf("t%zu", i);

		r = add_instance(tx, name, err);
	}
	return r;
}

/* Times are told, and held to bounds that only a query per row would break. */
static void a_thousand_instances_cost_little(void **state)
{
	(void)state;
	CHECK(db_write(other, add_thousand, NULL, &err));

	int64_t t0 = date_monotonic_ns();
	struct db_view *all = view_of(DB_INSTANCES);
	int64_t t1 = date_monotonic_ns();
	struct db_view *again = view_of(DB_INSTANCES);
	int64_t t2 = date_monotonic_ns();
	CHECK(db_write(other, add_instance, (char[]){ "one-more" }, &err));
	int64_t t3 = date_monotonic_ns();
	struct db_view *more = view_of(DB_INSTANCES);
	int64_t t4 = date_monotonic_ns();
	size_t n;

	db_cache_instances(more, &n);
	assert_int_equal(n, 1002);
	print_message("all %lld us, unchanged %lld us, one changed %lld us\n",
	              (long long)(t1 - t0) / 1000, (long long)(t2 - t1) / 1000,
	              (long long)(t4 - t3) / 1000);
	assert_true(t4 - t3 < 100 * 1000000LL);
	db_cache_view_unref(all);
	db_cache_view_unref(again);
	db_cache_view_unref(more);
}

/* A ticket is good for what a check has found since, and never for what came before it. */
static void tickets_share_a_check(void **state)
{
	(void)state;
	uint64_t early = db_cache_ticket(cache), late;
	struct db_view *view, *again;
	size_t n_before, n_after;

	assert_int_equal(db_cache_ticket(cache), early);
	CHECK(db_cache_view_since(cache, early, DB_INSTANCES, &view, &err));
	db_cache_instances(view, &n_before);

	/* Another's write is not looked for again, until somebody comes later. */
	CHECK(db_write(other, add_instance, (char[]){ "ticket" }, &err));
	late = db_cache_ticket(cache);
	assert_true(late > early);
	CHECK(db_cache_view_since(cache, early, DB_INSTANCES, &again, &err));
	assert_null(db_cache_instance(again, "default", "ticket"));
	db_cache_view_unref(again);
	CHECK(db_cache_view_since(cache, late, DB_INSTANCES, &again, &err));
	assert_non_null(db_cache_instance(again, "default", "ticket"));
	db_cache_instances(again, &n_after);
	assert_int_equal(n_after, n_before + 1);
	db_cache_view_unref(again);

	/* A family that the check did not look at, and rows that were dropped, are read. */
	CHECK(db_cache_view_since(cache, late, DB_WARNINGS, &again, &err));
	db_cache_view_unref(again);
	db_cache_drop(cache);
	CHECK(db_cache_view_since(cache, early, DB_INSTANCES, &again, &err));
	assert_non_null(db_cache_instance(again, "default", "ticket"));
	db_cache_view_unref(again);
	db_cache_view_unref(view);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_another_daemon_wrote_is_seen),
		cmocka_unit_test(profiles_reach_their_instances),
		cmocka_unit_test(what_did_not_change_is_the_same_row),
		cmocka_unit_test(names_of_others_are_kept_right),
		cmocka_unit_test(what_is_gone_is_gone),
		cmocka_unit_test(every_family_can_be_read),
		cmocka_unit_test(a_view_shows_all_that_was_answered_before),
		cmocka_unit_test(a_thousand_instances_cost_little),
		cmocka_unit_test(tickets_share_a_check),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
