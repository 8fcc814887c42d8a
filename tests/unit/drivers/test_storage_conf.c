#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/storage/storage_conf.h"
#include "drivers/storage/storage_driver.h"
#include "lib/base/macro.h"
#include "lib/base/smap.h"

static void pools_take_their_own_keys(void **state)
{
	static const struct {
		const char *driver, *key, *value;
		bool is_good;
	} cases[] = {
		{ "dir", "source", "/srv", true },
		{ "dir", "rsync.bwlimit", "10MiB", true },
		{ "dir", "size", "1GiB", false },
		{ "btrfs", "size", "1GiB", true },
		{ "btrfs", "size", "big", false },
		{ "btrfs", "source.wipe", "true", true },
		{ "btrfs", "source.wipe", "maybe", false },
		{ "btrfs", "btrfs.mount_options", "compress=zstd", true },
		{ "btrfs", "btrfs.mount_options", "a\nb", false },
		{ "dir", "user.anything", "x", true },
		{ "dir", "volume.size", "1GiB", true },
		{ "dir", "volume.size", "x", false },
		{ "dir", "volume.bogus", "x", false },
		{ "dir", "volume.volatile.uuid", "x", false },
		{ "dir", "bogus", "1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(smap_done) struct smap config = { 0 };

		smap_set(&config, cases[i].key, cases[i].value);
		int r = storage_conf_check_pool(storage_driver_find(cases[i].driver), "p", &config,
		                                &err);
		if ((r == 0) != cases[i].is_good)
			fail_msg("%s %s=%s", cases[i].driver, cases[i].key, cases[i].value);
		if (r < 0)
			assert_int_equal(err->status, 400);
	}
}

static void volumes_take_what_suits_them(void **state)
{
	static const struct {
		enum storage_kind kind;
		enum storage_content content;
		const char *key, *value;
		bool is_good;
	} cases[] = {
		{ STORAGE_CUSTOM, STORAGE_FILESYSTEM, "size", "1GiB", true },
		{ STORAGE_CUSTOM, STORAGE_FILESYSTEM, "size", "-1", false },
		{ STORAGE_CUSTOM, STORAGE_FILESYSTEM, "security.shifted", "true", true },
		{ STORAGE_CUSTOM, STORAGE_BLOCK, "security.shifted", "true", false },
		{ STORAGE_CUSTOM, STORAGE_BLOCK, "security.shared", "true", true },
		{ STORAGE_CUSTOM, STORAGE_FILESYSTEM, "security.shared", "true", false },
		{ STORAGE_CONTAINER, STORAGE_FILESYSTEM, "snapshots.pattern", "x", false },
		{ STORAGE_CUSTOM, STORAGE_FILESYSTEM, "user.x", "y", true },
		{ STORAGE_CUSTOM, STORAGE_FILESYSTEM, "bogus", "1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(smap_done) struct smap config = { 0 };

		smap_set(&config, cases[i].key, cases[i].value);
		int r = storage_conf_check_volume(&storage_dir_driver, cases[i].kind,
		                                  cases[i].content, "v", &config, &err);
		if ((r == 0) != cases[i].is_good)
			fail_msg("case %zu: %s=%s", i, cases[i].key, cases[i].value);
	}

	scoped(error_freep) struct error *err = NULL;
	scoped(smap_done) struct smap config = { 0 };
	smap_set(&config, "bogus", "1");
	storage_conf_check_volume(&storage_dir_driver, STORAGE_CUSTOM, STORAGE_FILESYSTEM, "v",
	                          &config, &err);
	assert_string_equal(err->msg, "Invalid option for volume \"v\" option \"bogus\"");
}

static void defaults_come_from_the_pool(void **state)
{
	scoped(smap_done) struct smap pool = { 0 };
	scoped(smap_done) struct smap config = { 0 };

	(void)state;
	smap_set(&pool, "volume.size", "1GiB");
	smap_set(&pool, "volume.snapshots.expiry", "1d");
	smap_set(&pool, "volume.security.shared", "true");
	smap_set(&config, "snapshots.expiry", "2d");
	storage_conf_fill_volume(&storage_btrfs_driver, STORAGE_CUSTOM, STORAGE_FILESYSTEM, &pool,
	                         &config);
	assert_string_equal(smap_get(&config, "size"), "1GiB");
	assert_string_equal(smap_get(&config, "snapshots.expiry"), "2d");
	assert_null(smap_get(&config, "security.shared"));
	assert_int_equal(storage_conf_size(&config, NULL), 1024 * 1024 * 1024);
}

static void some_keys_belong_to_members(void **state)
{
	(void)state;
	assert_true(storage_conf_is_member_key(&storage_btrfs_driver, "source"));
	assert_true(storage_conf_is_member_key(&storage_btrfs_driver, "size"));
	assert_true(storage_conf_is_member_key(&storage_dir_driver, "volatile.initial_source"));
	assert_false(storage_conf_is_member_key(&storage_btrfs_driver, "btrfs.mount_options"));
	assert_false(storage_conf_is_member_key(&storage_btrfs_driver, "volume.size"));
	assert_false(storage_conf_is_member_key(&storage_dir_driver, "user.x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_take_their_own_keys),
		cmocka_unit_test(volumes_take_what_suits_them),
		cmocka_unit_test(defaults_come_from_the_pool),
		cmocka_unit_test(some_keys_belong_to_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
