/*
 * Copies of trees against their originals and against what rsync makes of them: everything that a
 * name, an owner, a time or an attribute can be.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"
#include "lib/base/tree.h"
#include "lib/base/tree_copy.h"
#include "tests/kit/tree_kit.h"

#define DEPTH 3000
#define BIG (300 * 1024)

static void add_content(struct strbuf *b, const struct tree_entry *entry)
{
	scoped_free char *text = NULL;
	size_t size = 0;

	assert_int_equal(file_read_at(entry->dir, entry->name, 64 << 20, &text, &size), 0);
	uint64_t sum = 0;
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + (unsigned char)text[i];
	strbuf_addf(b, " content=%llx", (unsigned long long)sum);
}

static void add_xattrs(struct strbuf *b, const char *path)
{
	scoped(strv_freep) char **lines = NULL;
	char names[4096], value[4096];
	ssize_t size = llistxattr(path, names, sizeof(names));

	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		scoped(strbuf_done) struct strbuf line = { 0 };
		ssize_t n = lgetxattr(path, name, value, sizeof(value));

		strbuf_addf(&line, " %s=", name);
		for (ssize_t i = 0; i < n; i++)
			strbuf_addf(&line, "%02x", (unsigned char)value[i]);
		strv_add(&lines, strbuf_text(&line));
	}
	strv_sort(lines);
	STRV_FOREACH (line, lines)
		strbuf_add(b, line);
}

/* One line with all that is to be kept. */
static int describe(const struct tree_entry *entry, void *arg)
{
	struct strbuf *b = arg;
	const struct stat *st = entry->st;
	char path[FD_PATH_SIZE + NAME_MAX + 2], fd_name[FD_PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", fd_path(entry->dir, fd_name), entry->name);
	strbuf_addf(b, "%s mode=%o owner=%u:%u mtime=%lld.%09ld", entry->path, st->st_mode,
	            st->st_uid, st->st_gid, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (!S_ISDIR(st->st_mode))
		strbuf_addf(b, " size=%lld links=%u dev=%llx", (long long)st->st_size,
		            (unsigned int)st->st_nlink, (unsigned long long)st->st_rdev);
	if (S_ISREG(st->st_mode)) {
		add_content(b, entry);
		strbuf_addf(b, " sparse=%d", (long long)st->st_blocks * 512 < st->st_size);
	}
	if (S_ISLNK(st->st_mode)) {
		char target[PATH_MAX];
		ssize_t n = readlinkat(entry->dir, entry->name, target, sizeof(target));

		strbuf_addf(b, " target=%.*s", (int)n, target);
	}
	if (*entry->name)
		add_xattrs(b, path);
	strbuf_add_char(b, '\n');
	return 0;
}

static char *description(int dir)
{
	struct strbuf b = { 0 };

	assert_int_equal(tree_walk(dir, describe, &b), 0);
	return strbuf_take(&b);
}

static void set_times(int dir, const char *name, int64_t sec, long nsec)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = sec, .tv_nsec = nsec } };

	assert_int_equal(utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Where the filesystem has none of the kind there is nothing to copy. */
static void set_xattr(const char *in, const char *file, const char *name, const void *value,
                      size_t size)
{
	scoped_free char *path = path_join(tree_kit_root(), in, file, NULL);

	(void)!lsetxattr(path, name, value, size, 0);
}

static void make_sparse(int dir, const char *name)
{
	scoped_fd int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "middle", 6, 5 << 20), 6);
	assert_int_equal(ftruncate(fd, 20 << 20), 0);
}

static void make_big(int dir, const char *name)
{
	scoped_free char *data = malloc(BIG + 1);
	scoped_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_non_null(data);
	for (int i = 0; i < BIG; i++)
		data[i] = (char)(i * 7 % 251);
	assert_int_equal(fd_write_full(fd, data, BIG), 0);
}

static void make_socket(const char *in, const char *name)
{
	scoped_free char *path = path_join(tree_kit_root(), in, name, NULL);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	scoped_fd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* What only root can make. */
static void fill_as_root(int dir, const char *in)
{
	/* A user entry for 1234 beside the usual ones; a capability of version 3 with a root. */
	static const uint8_t acl[] = { 2,    0,    0,    0, 1,    0,    6,    0,    0xff,
		                       0xff, 0xff, 0xff, 2, 0,    7,    0,    0xd2, 4,
		                       0,    0,    4,    0, 4,    0,    0xff, 0xff, 0xff,
		                       0xff, 16,   0,    7, 0,    0xff, 0xff, 0xff, 0xff,
		                       32,   0,    0,    0, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t capability[] = { 1, 0, 0, 3, 0, 4, 0, 0, 0,    0,    0,    0,
		                              0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x42, 0x0f, 0 };

	assert_int_equal(mkdirat(dir, "d/closed", 0), 0);
	assert_int_equal(mknodat(dir, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(mknodat(dir, "whiteout", S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(mknodat(dir, "disk", S_IFBLK | 0640, makedev(7, 9)), 0);
	assert_int_equal(fchownat(dir, "file", 1000000, 1000001, 0), 0);
	assert_int_equal(fchmodat(dir, "file", 06755, 0), 0);
	assert_int_equal(fchownat(dir, "link", 5, 6, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fchownat(dir, "d", 7, 8, 0), 0);
	assert_int_equal(fchmodat(dir, "d", 03770, 0), 0);
	set_xattr(in, "file", "trusted.overlay.opaque", "y", 1);
	set_xattr(in, "file", "system.posix_acl_access", acl, sizeof(acl));
	set_xattr(in, "d", "system.posix_acl_default", acl, sizeof(acl));
	set_xattr(in, "null", "system.posix_acl_access", acl, sizeof(acl));
	set_xattr(in, "other", "trusted.empty", "", 0);
	set_xattr(in, "link", "trusted.on-a-link", "v", 1);
	set_xattr(in, "big", "security.capability", capability, sizeof(capability));
}

static void fill(int dir, const char *in)
{
	char long_name[NAME_MAX + 1], target[300];

	memset(long_name, 'n', NAME_MAX);
	long_name[NAME_MAX] = '\0';
	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	tree_kit_file(dir, "file", "hello");
	tree_kit_file(dir, "empty", "");
	tree_kit_file(dir, "other", "names");
	tree_kit_file(dir, long_name, "long");
	tree_kit_file(dir, "\xff\xfe odd\n\t\"'\\*?$", "odd bytes");
	tree_kit_file(dir, "-rf", "an option");
	make_big(dir, "big");
	make_sparse(dir, "sparse");
	assert_int_equal(mkdirat(dir, "d", 0750), 0);
	assert_int_equal(mkdirat(dir, "d/below", 0700), 0);
	assert_int_equal(linkat(dir, "other", dir, "d/second", 0), 0);
	assert_int_equal(linkat(dir, "other", dir, "d/below/third", 0), 0);
	assert_int_equal(symlinkat("../file", dir, "link"), 0);
	assert_int_equal(linkat(dir, "link", dir, "link-too", 0), 0);
	assert_int_equal(symlinkat(target, dir, "d/dangling"), 0);
	assert_int_equal(symlinkat("/", dir, "d/out"), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0604), 0);
	set_xattr(in, "d/second", "user.note", "of all names", 12);
	if (geteuid() == 0)
		fill_as_root(dir, in);
	set_times(dir, "file", 1000, 5);
	set_times(dir, "link", 2000, 999999999);
	set_times(dir, "fifo", -5, 1);
	set_times(dir, "d/below", 4000, 7);
	set_times(dir, "d", 3000, 8);
	set_times(dir, ".", 5000, 9);
}

static void assert_copied(int from, int to)
{
	scoped_free char *original = description(from);
	scoped_free char *copy = description(to);

	/* Line by line: cmocka cuts long texts off. */
	scoped(strv_freep) char **wanted = strv_split(original, '\n');
	scoped(strv_freep) char **found = strv_split(copy, '\n');
	for (size_t i = 0; wanted[i] && found[i]; i++)
		assert_string_equal(found[i], wanted[i]);
	assert_int_equal(strv_len(found), strv_len(wanted));
}

static void copies_are_the_same(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("from");
	scoped_fd int to = tree_kit_dir("to");
	const struct tree_copy_options options = { .keep_owner = geteuid() == 0 };

	fill(from, "from");
	if (options.keep_owner) {
		make_socket("from", "socket");
		set_times(from, ".", 5000, 9);
	}
	assert_int_equal(tree_copy(from, to, &options), 0);
	assert_copied(from, to);
}

static void copies_are_what_rsync_makes(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("rsync-from");
	scoped_fd int to = tree_kit_dir("rsync-to");
	scoped_fd int reference = tree_kit_dir("rsync-reference");
	scoped_free char *source = xasprintf("%s/rsync-from/", tree_kit_root());
	scoped_free char *target = path_join(tree_kit_root(), "rsync-reference", NULL);
	const struct tree_copy_options options = { .keep_owner = true };

	if (geteuid() != 0 || !command_exists("rsync"))
		skip();
	fill(from, "rsync-from");
	const char *argv[] = { "rsync",     "-aHAXS",     "--numeric-ids",
		               "--devices", "--specials", "--modify-window=-1",
		               source,      target,       NULL };
	scoped(command_done) struct command c = { .argv = argv };
	scoped(error_freep) struct error *err = NULL;
	assert_int_equal(command_check(&c, &err), 0);
	assert_int_equal(tree_copy(from, to, &options), 0);
	assert_copied(reference, to);
}

static void holes_stay_holes(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("holes-from");
	scoped_fd int to = tree_kit_dir("holes-to");
	struct stat a, b;

	make_sparse(from, "sparse");
	assert_int_equal(tree_copy(from, to, NULL), 0);
	assert_int_equal(fstatat(from, "sparse", &a, 0), 0);
	assert_int_equal(fstatat(to, "sparse", &b, 0), 0);
	assert_true(b.st_size == a.st_size && b.st_blocks <= a.st_blocks);
}

static void grow(uint64_t bytes, void *arg)
{
	const int *fd = arg;
	struct stat st;

	assert_int_equal(fstat(*fd, &st), 0);
	if (st.st_size < 100 << 20)
		assert_int_equal(pwrite(*fd, "x", 1, st.st_size + (1 << 20)), 1);
}

/* Sparse or not, a file has the size that it was found with. */
static void files_that_grow_are_copied_once(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("growing");
	scoped_fd int to = tree_kit_dir("growing-copy");
	struct stat a, b;

	make_sparse(from, "sparse");
	assert_int_equal(fstatat(from, "sparse", &a, 0), 0);
	scoped_fd int fd = openat(from, "sparse", O_WRONLY | O_CLOEXEC);
	const struct tree_copy_options options = { .progress = grow, .arg = &fd };
	assert_int_equal(tree_copy(from, to, &options), 0);
	assert_int_equal(fstatat(to, "sparse", &b, 0), 0);
	assert_int_equal(b.st_size, a.st_size);
}

static void others_copy_what_they_may(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("plain-from");
	scoped_fd int to = tree_kit_dir("plain-to");
	struct stat st;

	fill(from, "plain-from");
	make_socket("plain-from", "socket");
	assert_int_equal(tree_copy(from, to, NULL), 0);
	assert_int_equal(fstatat(to, "file", &st, 0), 0);
	assert_true(st.st_uid == geteuid());
	assert_int_equal(fstatat(to, "fifo", &st, 0), 0);
	assert_int_equal(fstatat(to, "socket", &st, 0), -1);
	assert_int_equal(fstatat(to, "null", &st, 0), -1);
}

static void *copy_deep(void *arg)
{
	const int *fds = arg;
	const struct tree_copy_options options = { .keep_owner = geteuid() == 0 };

	assert_int_equal(tree_copy(fds[0], fds[1], &options), 0);
	return NULL;
}

static void deep_trees_are_copied_on_a_small_stack(void **state)
{
	(void)state;
	int at = tree_kit_dir("deep");
	char name[32];

	for (int i = 0; i < DEPTH; i++) {
		snprintf(name, sizeof(name), "directory-%d", i);
		assert_int_equal(mkdirat(at, name, 0755), 0);
		int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		if (i == DEPTH - 1) {
			tree_kit_file(next, "f", "x");
			assert_int_equal(linkat(next, "f", next, "g", 0), 0);
		}
		close(at);
		at = next;
	}
	close(at);

	scoped_fd int from = tree_kit_dir("deep");
	scoped_fd int to = tree_kit_dir("deep-copy");
	int fds[2] = { from, to };
	pthread_t thread;
	assert_int_equal(thread_start(&thread, "copy", 0, copy_deep, fds), 0);
	pthread_join(thread, NULL);
	assert_copied(from, to);
}

struct mischief {
	int dir;
	atomic_bool is_over;
};

/* Keeps exchanging a directory, a link out of the tree and files for each other. */
static void *change(void *arg)
{
	struct mischief *m = arg;

	while (!m->is_over) {
		renameat2(m->dir, "d", m->dir, "out", RENAME_EXCHANGE);
		renameat2(m->dir, "out", m->dir, "f", RENAME_EXCHANGE);
		renameat2(m->dir, "p", m->dir, "f", RENAME_EXCHANGE);
		unlinkat(m->dir, "g", 0);
		mkdirat(m->dir, "e", 0755);
		close(openat(m->dir, "e/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		unlinkat(m->dir, "e/x", 0);
		unlinkat(m->dir, "e", AT_REMOVEDIR);
		close(openat(m->dir, "g", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	return NULL;
}

static int find_secret(const struct tree_entry *entry, void *arg)
{
	if (strcmp(entry->name, "secret") == 0)
		*(bool *)arg = true;
	return 0;
}

static void trees_that_change_are_copied_and_never_left(void **state)
{
	(void)state;
	scoped_fd int outside = tree_kit_dir("outside");
	scoped_fd int from = tree_kit_dir("changing");
	scoped_fd int inner = tree_kit_dir("changing/d");
	struct mischief m = { .dir = from };
	pthread_t thread;

	tree_kit_file(outside, "secret", "x");
	tree_kit_file(from, "f", "f");
	tree_kit_file(inner, "y", "y");
	assert_int_equal(symlinkat("../outside", from, "out"), 0);
	assert_int_equal(mkfifoat(from, "p", 0600), 0);
	assert_int_equal(thread_start(&thread, "mischief", 0, change, &m), 0);
	for (int i = 0; i < 300; i++) {
		scoped_fd int to = tree_kit_dir("changing-copy");
		scoped_free char *path = path_join(tree_kit_root(), "changing-copy", NULL);
		bool has_secret = false;

		assert_int_equal(tree_copy(from, to, NULL), 0);
		assert_int_equal(tree_walk(to, find_secret, &has_secret), 0);
		assert_false(has_secret);
		assert_int_equal(tree_remove(path, 0), 0);
	}
	m.is_over = true;
	pthread_join(thread, NULL);
}

static void copy_content(int from, int to)
{
	assert_int_equal(
		tree_copy(from, to,
	                  &(const struct tree_copy_options){ .keep_owner = geteuid() == 0 }),
		0);
}

static void overwrite(int dir, const char *name, const char *text)
{
	scoped_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	/* So that nothing but the bytes tells it from what it was. */
	const struct timespec times[2] = { st.st_atim, st.st_mtim };
	assert_int_equal(futimens(fd, times), 0);
}

static bool is_one_file(int a, int b, const char *name)
{
	struct stat st, other;

	assert_int_equal(fstatat(a, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fstatat(b, name, &other, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_dev == other.st_dev && st.st_ino == other.st_ino;
}

static void what_is_the_same_is_taken(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("like-from");
	scoped_fd int like = tree_kit_dir("like-old");
	scoped_fd int to = tree_kit_dir("like-to");
	scoped_free char *like_path = path_join(tree_kit_root(), "like-old", NULL);
	const struct tree_copy_options options = { .keep_owner = geteuid() == 0 };

	fill(from, "like-from");
	tree_kit_file(from, "forged", "good");
	tree_kit_file(from, "mode", "mode");
	tree_kit_file(from, "gone", "gone");
	assert_int_equal(symlinkat("a", from, "plain-link"), 0);
	assert_int_equal(symlinkat("a", from, "forged-link"), 0);
	set_times(from, "forged-link", 7, 7);
	scoped_fd int deep = tree_kit_dir("like-from/only/in/it");
	tree_kit_file(deep, "f", "f");
	scoped_fd int both = tree_kit_dir("like-from/z");
	tree_kit_file(both, "f", "f");
	copy_content(from, like);
	overwrite(like, "forged", "evil");
	assert_int_equal(fchmodat(like, "mode", 0777, 0), 0);
	assert_int_equal(unlinkat(like, "forged-link", 0), 0);
	assert_int_equal(symlinkat("b", like, "forged-link"), 0);
	set_times(like, "forged-link", 7, 7);
	assert_int_equal(unlinkat(like, "gone", 0), 0);
	tree_kit_file(like, "more", "more");
	scoped_free char *only = path_join(like_path, "only", NULL);
	assert_int_equal(tree_remove(only, 0), 0);

	assert_int_equal(tree_copy_like(from, to, like, &options), 0);
	assert_true(is_one_file(like, to, "empty"));
	assert_true(is_one_file(like, to, "z/f"));
	assert_true(is_one_file(like, to, "fifo"));
	assert_true(is_one_file(like, to, "plain-link"));
	assert_false(is_one_file(like, to, "forged-link"));
	assert_false(is_one_file(like, to, "link")); /* Has attributes, and two names. */
	assert_false(is_one_file(like, to, "forged"));
	assert_false(is_one_file(like, to, "mode"));
	assert_false(is_one_file(like, to, "other"));
	assert_int_equal(tree_remove(like_path, 0), 0);
	assert_copied(from, to);
}

static void count_progress(uint64_t bytes, void *arg)
{
	*(uint64_t *)arg = bytes;
}

static void progress_counts_bytes(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("progress");
	scoped_fd int to = tree_kit_dir("progress-copy");
	uint64_t bytes = 0;
	const struct tree_copy_options options = { .progress = count_progress, .arg = &bytes };

	tree_kit_file(from, "a", "12345");
	make_big(from, "b");
	assert_int_equal(tree_copy(from, to, &options), 0);
	assert_int_equal(bytes, BIG + 5);
}

static void cancelled_copies_stop(void **state)
{
	(void)state;
	scoped_fd int from = tree_kit_dir("cancelled");
	scoped_fd int to = tree_kit_dir("cancelled-copy");
	scoped(cancel_unrefp) struct cancel *c = cancel_new(NULL);
	const struct tree_copy_options options = { .cancel = c };

	cancel_fire(c);
	assert_int_equal(tree_copy(from, to, &options), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_the_same),
		cmocka_unit_test(copies_are_what_rsync_makes),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(files_that_grow_are_copied_once),
		cmocka_unit_test(others_copy_what_they_may),
		cmocka_unit_test(deep_trees_are_copied_on_a_small_stack),
		cmocka_unit_test(trees_that_change_are_copied_and_never_left),
		cmocka_unit_test(what_is_the_same_is_taken),
		cmocka_unit_test(progress_counts_bytes),
		cmocka_unit_test(cancelled_copies_stop),
	};

	return cmocka_run_group_tests(tests, tree_kit_start, tree_kit_stop);
}
