#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"
#include "lib/base/tree.h"
#include "lib/base/tree_copy.h"

static char root[] = "/tmp/muster-tree-XXXXXX";

/* An open directory of this name, made anew. */
static int make_dir(const char *name)
{
	scoped_free char *path = path_join(root, name, NULL);

	assert_int_equal(file_make_dirs(path, 0755), 0);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void make_file(int dir, const char *name, const char *text)
{
	scoped_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static int add_path(const struct tree_entry *entry, void *arg)
{
	strbuf_addf(arg, "%s|", entry->path);
	return strcmp(entry->name, "skipped") == 0 ? TREE_SKIP : 0;
}

static void walking_is_sorted_and_follows_nothing(void **state)
{
	(void)state;
	scoped_fd int dir = make_dir("walk");
	scoped_fd int inner = make_dir("walk/b");
	scoped_fd int skipped = make_dir("walk/skipped");
	scoped(strbuf_done) struct strbuf b = { 0 };

	make_file(dir, "a", "");
	make_file(inner, "x", "");
	make_file(skipped, "y", "");
	assert_int_equal(symlinkat("b", dir, "c"), 0);
	assert_int_equal(tree_walk(dir, add_path, &b), 0);
	assert_string_equal(b.text, "|a|b|b/x|c|skipped|");
}

static void removing_keeps_what_links_name(void **state)
{
	(void)state;
	scoped_fd int kept = make_dir("kept");
	scoped_fd int dir = make_dir("gone/a/b");
	scoped_free char *path = path_join(root, "gone", NULL);
	scoped_free char *link = path_join(root, "link", NULL);

	make_file(kept, "f", "x");
	make_file(dir, "f", "x");
	assert_int_equal(symlinkat(root, dir, "up"), 0);
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
	scoped_free char *path = path_join(root, "deep", NULL);
	int at = make_dir("deep");

	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(at, "d", 0755), 0);
		int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		if (i % 500 == 0)
			make_file(at, "f", "x");
		close(at);
		at = next;
	}
	close(at);

	scoped_fd int dir = make_dir("deep");
	uint64_t bytes;
	assert_int_equal(tree_usage(dir, &bytes), -ENAMETOOLONG);
	assert_int_equal(tree_remove(path, 0), 0);
	assert_false(file_exists(path));
}

static void fill(int dir)
{
	make_file(dir, "file", "hello");
	assert_int_equal(linkat(dir, "file", dir, "other", 0), 0);
	assert_int_equal(symlinkat("../file", dir, "link"), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(mkdirat(dir, "d", 0750), 0);

	scoped_fd int sparse = openat(dir, "d/sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(pwrite(sparse, "x", 1, 50 << 20), 1);
	assert_int_equal(fchmodat(dir, "file", 04755, 0), 0);
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1000, .tv_nsec = 5 } };
	assert_int_equal(utimensat(dir, "file", times, 0), 0);
	assert_int_equal(utimensat(dir, "d", times, 0), 0);
}

static void copies_are_the_same(void **state)
{
	(void)state;
	scoped_fd int from = make_dir("from");
	scoped_fd int to = make_dir("to");
	struct stat a, b;
	char target[32] = "";

	fill(from);
	scoped_fd int file = openat(from, "file", O_RDONLY | O_CLOEXEC);
	bool has_xattrs = fsetxattr(file, "user.note", "v", 1, 0) == 0;
	assert_int_equal(tree_copy(from, to, NULL), 0);

	assert_int_equal(fstatat(to, "file", &a, 0), 0);
	assert_int_equal(a.st_mode & 07777, 04755);
	assert_int_equal(a.st_mtim.tv_sec, 1000);
	assert_int_equal(a.st_mtim.tv_nsec, 5);
	assert_int_equal(fstatat(to, "other", &b, 0), 0);
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(readlinkat(to, "link", target, sizeof(target) - 1), 7);
	assert_string_equal(target, "../file");
	assert_int_equal(fstatat(to, "fifo", &a, 0), 0);
	assert_true(S_ISFIFO(a.st_mode));
	assert_int_equal(fstatat(to, "d", &a, 0), 0);
	assert_int_equal(a.st_mode & 07777, 0750);
	assert_int_equal(a.st_mtim.tv_sec, 1000);
	assert_int_equal(fstatat(to, "d/sparse", &a, 0), 0);
	assert_int_equal(a.st_size, (50 << 20) + 1);
	assert_true(a.st_blocks < 1000);

	char value[4] = "";
	scoped_fd int copy = openat(to, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(copy, "user.note", value, sizeof(value)), has_xattrs ? 1 : -1);
}

static void cancelled_copies_stop(void **state)
{
	(void)state;
	scoped_fd int from = make_dir("from2");
	scoped_fd int to = make_dir("to2");
	scoped(cancel_unrefp) struct cancel *c = cancel_new(NULL);
	const struct tree_copy_options options = { .cancel = c };

	cancel_fire(c);
	assert_int_equal(tree_copy(from, to, &options), -ECANCELED);
}

static void usage_counts_hard_links_once(void **state)
{
	(void)state;
	scoped_fd int dir = make_dir("usage");
	uint64_t empty = 0, one = 0, two = 0;

	assert_int_equal(tree_usage(dir, &empty), 0);
	make_file(dir, "a", "text");
	assert_int_equal(tree_usage(dir, &one), 0);
	assert_int_equal(linkat(dir, "a", dir, "b", 0), 0);
	assert_int_equal(tree_usage(dir, &two), 0);
	assert_true(one >= empty);
	assert_true(one == two);
}

static int make_root(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	return tree_remove(root, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walking_is_sorted_and_follows_nothing),
		cmocka_unit_test(removing_keeps_what_links_name),
		cmocka_unit_test(deep_trees_are_removed),
		cmocka_unit_test(copies_are_the_same),
		cmocka_unit_test(cancelled_copies_stop),
		cmocka_unit_test(usage_counts_hard_links_once),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
