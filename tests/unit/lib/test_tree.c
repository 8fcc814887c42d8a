#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"
#include "lib/base/tree.h"
#include "tests/kit/tree_kit.h"

static int add_path(const struct tree_entry *entry, void *arg)
{
	strbuf_addf(arg, "%s|", entry->path);
	return strcmp(entry->name, "skipped") == 0 ? TREE_SKIP : 0;
}

static void walking_is_sorted_and_follows_nothing(void **state)
{
	(void)state;
	scoped_fd int dir = tree_kit_dir("walk");
	scoped_fd int inner = tree_kit_dir("walk/b");
	scoped_fd int skipped = tree_kit_dir("walk/skipped");
	scoped(strbuf_done) struct strbuf b = { 0 };

	tree_kit_file(dir, "a", "");
	tree_kit_file(inner, "x", "");
	tree_kit_file(skipped, "y", "");
	assert_int_equal(symlinkat("b", dir, "c"), 0);
	assert_int_equal(tree_walk(dir, add_path, &b), 0);
	assert_string_equal(b.text, "|a|b|b/x|c|skipped|");
}

static int add_visit(const struct tree_entry *entry, void *arg)
{
	strbuf_addf(arg, "+%s|", entry->path);
	return strcmp(entry->name, "skipped") == 0 ? TREE_SKIP : 0;
}

static int add_leave(const struct tree_entry *entry, int fd, void *arg)
{
	struct stat named, st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fstatat(entry->dir, *entry->name ? entry->name : ".", &named, 0), 0);
	assert_true(st.st_ino == named.st_ino && st.st_ino == entry->st->st_ino);
	strbuf_addf(arg, "-%s|", entry->path);
	return 0;
}

static void directories_are_left_after_what_is_in_them(void **state)
{
	(void)state;
	scoped_fd int dir = tree_kit_dir("leave");
	scoped_fd int inner = tree_kit_dir("leave/a/b");
	scoped_fd int skipped = tree_kit_dir("leave/skipped");
	scoped(strbuf_done) struct strbuf b = { 0 };
	const struct tree_visitor visitor = { add_visit, add_leave, &b };

	tree_kit_file(inner, "x", "");
	tree_kit_file(skipped, "y", "");
	tree_kit_file(dir, "z", "");
	assert_int_equal(tree_walk_with(dir, &visitor), 0);
	assert_string_equal(b.text, "+|+a|+a/b|+a/b/x|-a/b|-a|+skipped|+z|-|");
}

static int rename_away(const struct tree_entry *entry, void *arg)
{
	/* From the deep end, so that the way back is another. */
	if (strcmp(entry->name, "f") == 0)
		assert_int_equal(renameat(*(int *)arg, "1/1/1/1", *(int *)arg, "moved"), 0);
	return 0;
}

static void a_way_back_that_changed_is_not_taken(void **state)
{
	(void)state;
	scoped_fd int dir = tree_kit_dir("back");
	scoped(strbuf_done) struct strbuf path = { 0 };

	strbuf_add(&path, "back");
	for (int i = 0; i < 100; i++)
		strbuf_add(&path, "/1");
	scoped_fd int deep = tree_kit_dir(path.text);
	tree_kit_file(deep, "f", "");
	assert_int_equal(tree_walk(dir, rename_away, &dir), -ESTALE);
}

static void removing_keeps_what_links_name(void **state)
{
	(void)state;
	scoped_fd int kept = tree_kit_dir("kept");
	scoped_fd int dir = tree_kit_dir("gone/a/b");
	scoped_free char *path = path_join(tree_kit_root(), "gone", NULL);
	scoped_free char *link = path_join(tree_kit_root(), "link", NULL);

	tree_kit_file(kept, "f", "x");
	tree_kit_file(dir, "f", "x");
	assert_int_equal(symlinkat(tree_kit_root(), dir, "up"), 0);
	assert_int_equal(symlink("kept", link), 0);
	assert_int_equal(tree_remove(path, TREE_KEEP_ROOT), 0);
	assert_true(file_is_dir(path));
	assert_int_equal(tree_remove(path, 0), 0);
	assert_false(file_exists(path));
	assert_int_equal(tree_remove(path, 0), 0);
	assert_int_equal(tree_remove(link, TREE_KEEP_ROOT), -ENOTDIR);
	assert_int_equal(tree_remove(link, 0), 0);
	assert_int_equal(faccessat(kept, "f", F_OK, 0), 0);
	assert_int_equal(tree_remove("/", 0), -EINVAL);
}

static void deep_trees_are_removed(void **state)
{
	(void)state;
	scoped_free char *path = path_join(tree_kit_root(), "deep", NULL);
	int at = tree_kit_dir("deep");

	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(at, "d", 0755), 0);
		int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		if (i % 500 == 0)
			tree_kit_file(at, "f", "x");
		close(at);
		at = next;
	}
	close(at);

	/* Its owner knows which names the removal will take. */
	scoped_fd int dir = tree_kit_dir("deep");
	for (int i = 0; i < 40; i++) {
		scoped_free char *name = xasprintf("deep/.removed-%d-%d", (int)getpid(), i);
		close(tree_kit_dir(name));
		scoped_free char *file = xasprintf("%s/f", strchr(name, '.'));
		tree_kit_file(dir, file, "x");
	}
	uint64_t bytes;
	assert_int_equal(tree_usage(dir, &bytes), 0);
	assert_int_equal(tree_remove(path, 0), 0);
	assert_false(file_exists(path));
}

static void usage_counts_hard_links_once(void **state)
{
	(void)state;
	scoped_fd int dir = tree_kit_dir("usage");
	uint64_t empty = 0, one = 0, two = 0;

	assert_int_equal(tree_usage(dir, &empty), 0);
	tree_kit_file(dir, "a", "text");
	assert_int_equal(tree_usage(dir, &one), 0);
	assert_int_equal(linkat(dir, "a", dir, "b", 0), 0);
	assert_int_equal(tree_usage(dir, &two), 0);
	assert_true(one >= empty);
	assert_true(one == two);
}

static void size_is_what_a_copy_carries(void **state)
{
	(void)state;
	scoped_fd int dir = tree_kit_dir("size");
	uint64_t size = 1;

	assert_int_equal(tree_size(dir, DEADLINE_NEVER, &size), 0);
	assert_int_equal(size, 0);
	tree_kit_file(dir, "a", "text");
	assert_int_equal(linkat(dir, "a", dir, "b", 0), 0);
	assert_int_equal(symlinkat("a", dir, "c"), 0);
	tree_kit_file(dir, "d", "more");
	assert_int_equal(tree_size(dir, DEADLINE_NEVER, &size), 0);
	assert_int_equal(size, 8);
	assert_int_equal(tree_size(dir, date_deadline(60000), &size), 0);
	assert_int_equal(tree_size(dir, date_deadline(0), &size), -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walking_is_sorted_and_follows_nothing),
		cmocka_unit_test(directories_are_left_after_what_is_in_them),
		cmocka_unit_test(a_way_back_that_changed_is_not_taken),
		cmocka_unit_test(removing_keeps_what_links_name),
		cmocka_unit_test(deep_trees_are_removed),
		cmocka_unit_test(usage_counts_hard_links_once),
		cmocka_unit_test(size_is_what_a_copy_carries),
	};

	return cmocka_run_group_tests(tests, tree_kit_start, tree_kit_stop);
}
