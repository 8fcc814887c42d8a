#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/storage/storage_layout.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"

static void names_on_disk_carry_their_project(void **state)
{
	static const struct {
		enum storage_kind kind;
		const char *project, *name, *disk_name;
	} cases[] = {
		{ STORAGE_CONTAINER, "default", "c1", "c1" },
		{ STORAGE_CONTAINER, "web", "c1", "web_c1" },
		{ STORAGE_CUSTOM, "default", "v", "default_v" },
		{ STORAGE_CUSTOM, "web", "v", "web_v" },
		{ STORAGE_IMAGE, "web", "abcd", "abcd" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *name =
			storage_layout_disk_name(cases[i].kind, cases[i].project, cases[i].name);

		assert_string_equal(name, cases[i].disk_name);
	}
}

static void paths_are_those_of_lxd(void **state)
{
	scoped_free char *pool = storage_layout_pool_path("/var/lib/muster", "p");
	scoped_free char *vol = storage_layout_volume_path(pool, STORAGE_CONTAINER, "c1", NULL);
	scoped_free char *snap = storage_layout_volume_path(pool, STORAGE_CUSTOM, "web_v", "s0");
	scoped_free char *snaps = storage_layout_snapshots_path(pool, STORAGE_VM, "v1");

	(void)state;
	assert_string_equal(pool, "/var/lib/muster/storage-pools/p");
	assert_string_equal(vol, "/var/lib/muster/storage-pools/p/containers/c1");
	assert_string_equal(snap, "/var/lib/muster/storage-pools/p/custom-snapshots/web_v/s0");
	assert_string_equal(snaps, "/var/lib/muster/storage-pools/p/virtual-machines-snapshots/v1");
}

static void words_are_those_of_the_api(void **state)
{
	enum storage_kind kind;
	enum storage_content content;

	(void)state;
	assert_true(storage_layout_parse_kind("virtual-machine", &kind));
	assert_int_equal(kind, STORAGE_VM);
	assert_false(storage_layout_parse_kind("bogus", &kind));
	assert_true(storage_layout_parse_content("iso", &content));
	assert_string_equal(storage_layout_content_name(content), "iso");
	assert_false(storage_layout_parse_content("", &content));
}

static void names_that_may_not_be(void **state)
{
	static const char *const bad[] = {
		"",    ".",   "..",   "a/b", "a b", "-rf",  "a\nb",     "a\tb",  "a?b",
		"a&b", "a%b", "a\"b", "a'b", "a*b", "a\\b", "\xff\xfe", "a\x7f",
	};
	static const char *const good[] = { "a", "a.b", "snap0", "v_1", "a-b", "\xc3\xa9" };
	scoped_free char *long_name = xcalloc(300, 1);

	(void)state;
	memset(long_name, 'a', 256);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		scoped(error_freep) struct error *err = NULL;

		assert_true(storage_layout_check_name("volume name", bad[i], &err) < 0);
		assert_int_equal(err->status, 400);
	}
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		scoped(error_freep) struct error *err = NULL;

		assert_int_equal(storage_layout_check_name("volume name", good[i], &err), 0);
	}

	scoped(error_freep) struct error *err = NULL;
	assert_true(storage_layout_check_name("volume name", long_name, &err) < 0);

	scoped(error_freep) struct error *slash = NULL;
	storage_layout_check_name("volume name", "x/y", &slash);
	assert_string_equal(slash->msg, "Invalid volume name \"x/y\": Cannot contain slashes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_on_disk_carry_their_project),
		cmocka_unit_test(paths_are_those_of_lxd),
		cmocka_unit_test(words_are_those_of_the_api),
		cmocka_unit_test(names_that_may_not_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
