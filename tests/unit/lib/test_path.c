#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/tree.h"

static void paths_are_cleaned(void **state)
{
	(void)state;
	static const struct {
		const char *path, *clean, *dir;
	} cases[] = {
		{ "", ".", "." },
		{ "/", "/", "/" },
		{ "//a//b/", "/a/b", "/a" },
		{ "a/./b", "a/b", "a" },
		{ "a/../b", "b", "." },
		{ "a/..", ".", "." },
		{ "../a", "../a", ".." },
		{ "../../a/..", "../..", ".." },
		{ "/..", "/", "/" },
		{ "/../a/../..", "/", "/" },
		{ "/a", "/a", "/" },
		{ "a", "a", "." },
		{ "a/b/../../..", "..", "." },
		{ "..a/b", "..a/b", "..a" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *clean = path_clean(cases[i].path);
		scoped_free char *dir = path_dir(cases[i].path);

		assert_string_equal(clean, cases[i].clean);
		assert_string_equal(dir, cases[i].dir);
	}

	scoped_free char *joined = path_join("/a", "", "b/", "/c", NULL);
	assert_string_equal(joined, "/a/b/c");
	assert_string_equal(path_base("/a/b"), "b");
}

static void what_is_beneath(void **state)
{
	(void)state;
	assert_true(path_is_beneath("/a", "/a/b"));
	assert_true(path_is_beneath("/a/", "/a"));
	assert_true(path_is_beneath("/", "/a"));
	assert_false(path_is_beneath("/a", "/ab"));
	assert_false(path_is_beneath("/a", "/a/../b"));
	assert_true(path_is_name("..."));
	assert_false(path_is_name(".."));
	assert_false(path_is_name("a/b"));
	assert_false(path_is_name(""));
	assert_true(path_has_dotdot("a/../b"));
	assert_true(path_has_dotdot(".."));
	assert_false(path_has_dotdot("a..b/..c"));
}

static void nothing_leads_out(void **state)
{
	(void)state;
	char root[] = "/tmp/muster-path-XXXXXX";
	const char *name;

	assert_non_null(mkdtemp(root));
	scoped_fd int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd int inner = path_make_beneath(dir, "a/b/./c", 0755);
	assert_true(inner >= 0);
	assert_int_equal(symlinkat("/etc", dir, "out"), 0);
	assert_int_equal(symlinkat("a", dir, "in"), 0);
	assert_int_equal(symlinkat("/a/b", dir, "absolute"), 0);

	scoped_fd int itself = path_open_beneath(dir, "/", O_RDONLY, 0);
	assert_true(itself >= 0);
	scoped_fd int file = path_open_beneath(dir, "/a/b/f", O_WRONLY | O_CREAT, 0640);
	assert_true(file >= 0);
	assert_int_equal(path_open_beneath(dir, "out/passwd", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_beneath(dir, "in/b", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_beneath(dir, "../x", O_RDONLY, 0), -EXDEV);
	assert_int_equal(path_open_beneath(dir, "a/../../x", O_RDONLY, 0), -EXDEV);
	assert_int_equal(path_open_in_root(dir, "out/passwd", O_RDONLY, 0), -ENOENT);
	scoped_fd int followed = path_open_in_root(dir, "absolute/f", O_RDONLY, 0);
	assert_true(followed >= 0);
	scoped_fd int parent = path_open_parent(dir, "a/b/new", &name);
	assert_true(parent >= 0);
	assert_string_equal(name, "new");
	assert_int_equal(path_open_parent(dir, "a/..", &name), -EINVAL);
	assert_int_equal(path_open_parent(dir, "out/new", &name), -ELOOP);
	assert_int_equal(path_make_beneath(dir, "out/x", 0755), -ELOOP);
	assert_int_equal(path_make_beneath(dir, "../x", 0755), -EINVAL);
	assert_int_equal(tree_remove(root, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_cleaned),
		cmocka_unit_test(what_is_beneath),
		cmocka_unit_test(nothing_leads_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
