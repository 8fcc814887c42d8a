#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/storage/unpack_tar.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"

static void names_are_taken_apart(void **state)
{
	static const struct {
		const char *name, *path; /* NULL: refused. */
	} cases[] = {
		{ "a", "a" },     { "./a", "a" },   { "a/", "a" },      { "a//b/./c", "a/b/c" },
		{ ".", "" },      { "./", "" },     { "...", "..." },   { "a..b", "a..b" },
		{ "", NULL },     { "/", NULL },    { "/a", NULL },     { "..", NULL },
		{ "../a", NULL }, { "a/..", NULL }, { "a/../b", NULL }, { "./..", NULL },
	};
	char path[UNPACK_TAR_PATH_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		bool is_good = unpack_tar_path(cases[i].name, path);

		if (is_good != (cases[i].path != NULL))
			fail_msg("\"%s\"", cases[i].name);
		if (is_good)
			assert_string_equal(path, cases[i].path);
	}
}

static void names_have_limits(void **state)
{
	scoped_free char *component = xcalloc(300, 1);
	scoped_free char *deep = xcalloc(5000, 1);
	char path[UNPACK_TAR_PATH_SIZE];

	(void)state;
	memset(component, 'a', 255);
	assert_true(unpack_tar_path(component, path));
	component[255] = 'a';
	assert_false(unpack_tar_path(component, path));
	for (size_t i = 0; i < 4998; i += 2)
		memcpy(deep + i, "a/", 2);
	assert_false(unpack_tar_path(deep, path));
}

static void an_image_has_three_parts(void **state)
{
	(void)state;
	assert_true(unpack_tar_is_image_path("metadata.yaml"));
	assert_true(unpack_tar_is_image_path("rootfs"));
	assert_true(unpack_tar_is_image_path("rootfs/etc"));
	assert_true(unpack_tar_is_image_path("templates/x"));
	assert_false(unpack_tar_is_image_path("rootfs.img"));
	assert_false(unpack_tar_is_image_path("metadata.yaml/x"));
	assert_false(unpack_tar_is_image_path("backup.yaml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_apart),
		cmocka_unit_test(names_have_limits),
		cmocka_unit_test(an_image_has_three_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
