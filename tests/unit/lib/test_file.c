#include <errno.h>
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

static char dir[] = "/tmp/muster-file-XXXXXX";

static void files_are_replaced_whole(void **state)
{
	(void)state;
	scoped_free char *path = path_join(dir, "f", NULL);
	scoped_free char *text = NULL;
	size_t size = 0;
	struct stat st;

	assert_int_equal(file_replace(path, "one", 3, 0600), 0);
	assert_int_equal(file_replace(path, "second", 6, 0640), 0);
	assert_int_equal(file_read(path, 100, &text, &size), 0);
	assert_string_equal(text, "second");
	assert_int_equal(size, 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_read(path, 5, &text, NULL), -EFBIG);
	assert_int_equal(file_read("/no/such", 5, &text, NULL), -ENOENT);
	assert_int_equal(file_replace("/no/such", "", 0, 0600), -ENOENT);

	scoped_free char *proc = NULL;
	assert_int_equal(file_read("/proc/self/status", 1 << 16, &proc, NULL), 0);
	assert_true(strlen(proc) > 100);
}

static void directories_are_made(void **state)
{
	(void)state;
	scoped_free char *path = path_join(dir, "a/b/c", NULL);
	scoped_free char *below = path_join(dir, "f/g", NULL);

	assert_int_equal(file_make_dirs(path, 0700), 0);
	assert_int_equal(file_make_dirs(path, 0700), 0);
	assert_true(file_is_dir(path));
	assert_int_equal(file_make_dirs(below, 0700), -ENOTDIR);
}

static void writing_and_appending(void **state)
{
	(void)state;
	scoped_free char *path = path_join(dir, "g", NULL);
	scoped_free char *text = NULL;

	assert_int_equal(file_put(path, "x"), -ENOENT);
	assert_int_equal(file_append(path, "ab", 2, 0600), 0);
	assert_int_equal(file_append(path, "cd", 2, 0600), 0);
	assert_int_equal(file_putf(path, "%d", 7), 0);
	assert_int_equal(file_read(path, 100, &text, NULL), 0);
	assert_string_equal(text, "7bcd");
}

static void one_lock_at_a_time(void **state)
{
	(void)state;
	scoped_free char *path = path_join(dir, "lock", NULL);
	scoped_fd int first = file_lock(path, 0600);

	assert_true(first >= 0);
	assert_int_equal(file_lock(path, 0600), -EWOULDBLOCK);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return tree_remove(dir, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_replaced_whole),
		cmocka_unit_test(directories_are_made),
		cmocka_unit_test(writing_and_appending),
		cmocka_unit_test(one_lock_at_a_time),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
