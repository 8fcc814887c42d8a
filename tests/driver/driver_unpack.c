/*
 * Archives of strangers, unpacked by the real helper behind its walls: what they may not do, and
 * that good ones arrive whole. Each hostile case says what outside of the target must not have
 * changed; a file beside the target stands for the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/host/host.h"
#include "drivers/host/op.h"
#include "drivers/storage/unpack.h"
#include "drivers/storage/unpack_helper.h"
#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/tree.h"
#include "lib/data/compress.h"
#include "lib/data/tar_write.h"

#define SKIPPED 77
#define BLOCK 512
#define MIB (1024 * 1024)

static const struct host host = { .helper_program = "/proc/self/exe" };

struct fixture {
	char *root, *target, *outside;
	int archive; /* The tar that a test writes. */
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char template[] = "/tmp/muster-unpack-XXXXXX";

	assert_non_null(mkdtemp(template));
	f->root = xstrdup(template);
	f->target = xasprintf("%s/target", f->root);
	f->outside = xasprintf("%s/outside", f->root);
	assert_int_equal(mkdir(f->target, 0755), 0);
	assert_int_equal(file_replace(f->outside, "untouched", 9, 0600), 0);
	f->archive = fd_memfd("archive");
	assert_true(f->archive >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	scoped_free char *text = NULL;
	struct stat st;

	/* Whatever the case was: nothing outside of the target may have changed. */
	assert_int_equal(file_read(f->outside, 4096, &text, NULL), 0);
	assert_string_equal(text, "untouched");
	assert_int_equal(lstat(f->outside, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(access("/tmp/muster-unpack-escaped", F_OK), -1);

	close(f->archive);
	assert_int_equal(tree_remove(f->root, 0), 0);
	free(f->root);
	free(f->target);
	free(f->outside);
	free(f);
	return 0;
}

/* A header as GNU tar writes it, with whatever a libarchive would not let through. */
static void add(struct fixture *f, char type, const char *name, const char *link, const char *data,
                size_t size)
{
	static const char padding[BLOCK];
	char head[BLOCK] = { 0 };
	unsigned int sum = 0;

	assert_true(strlen(name) < 100 && (!link || strlen(link) < 100));
	memcpy(head, name, strlen(name));
	snprintf(head + 100, 8, "%07o", type == '5' ? 0755U : 0644U);
	snprintf(head + 108, 8, "%07o", 0U);
	snprintf(head + 116, 8, "%07o", 0U);
	snprintf(head + 124, 12, "%011o", (unsigned int)size);
	snprintf(head + 136, 12, "%011lo", 1700000000UL);
	memset(head + 148, ' ', 8);
	head[156] = type;
	if (link)
		memcpy(head + 157, link, strlen(link));
	memcpy(head + 257,
	       "ustar\0"
	       "00",
	       8);
	snprintf(head + 329, 8, "%07o", 1U);
	snprintf(head + 337, 8, "%07o", 3U);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);

	assert_int_equal(fd_write_full(f->archive, head, BLOCK), 0);
	if (size > 0 && data) {
		assert_int_equal(fd_write_full(f->archive, data, size), 0);
		if (size % BLOCK)
			assert_int_equal(fd_write_full(f->archive, padding, BLOCK - size % BLOCK),
			                 0);
	}
}

static void add_file(struct fixture *f, const char *name, const char *text)
{
	add(f, '0', name, NULL, text, strlen(text));
}

static void end(struct fixture *f)
{
	static const char zeroes[2 * BLOCK];

	assert_int_equal(fd_write_full(f->archive, zeroes, sizeof(zeroes)), 0);
}

static int unpack_as(struct fixture *f, enum unpack_form form, uint64_t max_bytes,
                     struct error **err)
{
	const struct unpack unpack = {
		.fd = f->archive,
		.path = f->target,
		.form = form,
		.max_bytes = max_bytes,
		.max_inodes = 1000,
		.what = "archive",
	};

	return unpack_archive(&host, &unpack, NULL, err);
}

static char *in_target(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->target, name);
}

static void assert_text(const struct fixture *f, const char *name, const char *text)
{
	scoped_free char *path = in_target(f, name);
	scoped_free char *found = NULL;

	assert_int_equal(file_read(path, MIB, &found, NULL), 0);
	assert_string_equal(found, text);
}

/* What a stranger tries. 'setup' entries go first, the last one is the attack. */
struct attack {
	const char *what;
	struct {
		char type;
		const char *name, *link;
	} entries[4];
	int status; /* Of the error; 0: harmless, and it is enough that nothing outside changed. */
};

/* clang-format off */
static const struct attack attacks[] = {
	{ "an absolute path",             { { '0', "/tmp/muster-unpack-escaped", NULL } }, 400 },
	{ "dot dot",                      { { '0', "../outside", NULL } }, 400 },
	{ "dot dot in the middle",        { { '5', "a", NULL }, { '0', "a/../../outside", NULL } }, 400 },
	{ "dot dot at the end",           { { '5', "a/..", NULL } }, 400 },
	{ "a link, then through it",      { { '2', "l", ".." }, { '0', "l/outside", NULL } }, 400 },
	{ "an absolute link",             { { '2', "l", "/tmp" }, { '0', "l/muster-unpack-escaped", NULL } }, 400 },
	{ "a link to a link",             { { '2', "a", ".." }, { '2', "b", "a" }, { '0', "b/outside", NULL } }, 400 },
	{ "a directory become a link",    { { '5', "d", NULL }, { '2', "d", ".." }, { '0', "d/outside", NULL } }, 400 },
	{ "a link where the file goes",   { { '2', "f", "../outside" }, { '0', "f", NULL } }, 0 },
	{ "a directory over a link",      { { '2', "d", ".." }, { '5', "d", NULL }, { '0', "d/outside", NULL } }, 0 },
	{ "a hard link out",              { { '1', "h", "../outside" } }, 400 },
	{ "an absolute hard link",        { { '1', "h", "/etc/passwd" } }, 400 },
	{ "a hard link through a link",   { { '2', "l", ".." }, { '1', "h", "l/outside" } }, 400 },
	{ "a hard link to a link",        { { '2', "l", "../outside" }, { '1', "h", "l" }, { '0', "h", NULL } }, 0 },
	{ "a hard link to nothing",       { { '1', "h", "nothing" } }, 400 },
	{ "a hard link to a directory",   { { '5', "d", NULL }, { '1', "h", "d" } }, 400 },
	{ "a hard link to itself",        { { '0', "f", NULL }, { '1', "f", "f" } }, 0 },
	{ "a hard link to the root",      { { '1', "h", "." } }, 400 },
	{ "a file through a file",        { { '0', "f", NULL }, { '0', "f/x", NULL } }, 400 },
	{ "a device through a link",      { { '2', "l", ".." }, { '3', "l/null", NULL } }, 400 },
	{ "a directory through a link",   { { '2', "l", ".." }, { '5', "l/made", NULL } }, 400 },
	{ "a link through a link",        { { '2', "l", ".." }, { '2', "l/made", "x" } }, 400 },
};
/* clang-format on */

static void attacks_stay_inside(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT_OF(attacks); i++) {
		const struct attack *a = &attacks[i];
		scoped(error_freep) struct error *err = NULL;
		scoped_free char *made = xasprintf("%s/made", f->root);

		assert_int_equal(ftruncate(f->archive, 0), 0);
		assert_int_equal(lseek(f->archive, 0, SEEK_SET), 0);
		assert_int_equal(tree_remove(f->target, TREE_KEEP_ROOT), 0);
		for (size_t k = 0; k < COUNT_OF(a->entries) && a->entries[k].name; k++)
			add(f, a->entries[k].type, a->entries[k].name, a->entries[k].link,
			    a->entries[k].type == '0' ? "evil" : NULL,
			    a->entries[k].type == '0' ? 4 : 0);
		end(f);

		int r = unpack_as(f, UNPACK_TREE, 0, &err);
		if (a->status == 0 && r < 0)
			fail_msg("%s: %s", a->what, err->msg);
		if (a->status != 0 && (r == 0 || err->status != a->status))
			fail_msg("%s: was not refused: %s", a->what, err ? err->msg : "success");
		assert_false(file_exists(made));
	}
}

static void what_comes_twice_replaces(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;

	add_file(f, "f", "first");
	add_file(f, "f", "second");
	add(f, '5', "d", NULL, NULL, 0);
	add_file(f, "d/x", "kept");
	add(f, '5', "d/", NULL, NULL, 0);
	add(f, '2', "l", "nowhere", NULL, 0);
	add(f, '5', "l", NULL, NULL, 0);
	add_file(f, "l/y", "in");
	end(f);
	assert_int_equal(unpack_as(f, UNPACK_TREE, 0, &err), 0);
	assert_text(f, "f", "second");
	assert_text(f, "d/x", "kept");
	assert_text(f, "l/y", "in");
}

static void images_bring_three_things_only(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *other = in_target(f, "backup.yaml");

	add_file(f, "./metadata.yaml", "architecture: x86_64\n");
	add_file(f, "backup.yaml", "evil");
	add_file(f, "rootfs.img", "evil");
	add_file(f, "./rootfs/etc/hostname", "c1");
	add_file(f, "templates/hostname.tpl", "{{ container.name }}");
	end(f);
	assert_int_equal(unpack_as(f, UNPACK_IMAGE, 0, &err), 0);
	assert_text(f, "metadata.yaml", "architecture: x86_64\n");
	assert_text(f, "rootfs/etc/hostname", "c1");
	assert_text(f, "templates/hostname.tpl", "{{ container.name }}");
	assert_false(file_exists(other));
}

static void links_of_an_image_stay_in_its_parts(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;

	add_file(f, "metadata.yaml", "x");
	add_file(f, "other", "not taken");
	add(f, '1', "rootfs/h", "other", NULL, 0);
	end(f);
	assert_true(unpack_as(f, UNPACK_IMAGE, 0, &err) < 0);
	assert_int_equal(err->status, 400);
}

static void a_bomb_is_stopped(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *data = xcalloc(MIB, 1);
	uint64_t used = 0;

	for (int i = 0; i < 64; i++) {
		scoped_free char *name = xasprintf("f%d", i);

		add(f, '0', name, NULL, data, MIB);
	}
	end(f);
	assert_true(unpack_as(f, UNPACK_TREE, 10 * MIB, &err) < 0);
	assert_int_equal(err->status, 413);
	scoped_fd int dir = open(f->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_usage(dir, &used), 0);
	assert_true(used < 12 * MIB);
}

static void too_many_entries_are_stopped(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;

	for (int i = 0; i < 1200; i++) {
		scoped_free char *name = xasprintf("d%d", i);

		add(f, '5', name, NULL, NULL, 0);
	}
	end(f);
	assert_true(unpack_as(f, UNPACK_TREE, 0, &err) < 0);
	assert_int_equal(err->status, 413);
}

static void a_length_that_lies_is_an_error(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;

	/* A gigabyte is announced, a block is there. */
	add(f, '0', "f", NULL, NULL, 1024 * MIB);
	assert_int_equal(fd_write_full(f->archive, "short", 5), 0);
	assert_true(unpack_as(f, UNPACK_TREE, 0, &err) < 0);
	assert_int_equal(err->status, 400);
}

static void rubbish_is_no_archive(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;
	scoped(error_freep) struct error *metadata_err = NULL;
	scoped_free char *text = NULL;

	assert_int_equal(fd_write_full(f->archive, "this is no archive at all", 25), 0);
	assert_true(unpack_as(f, UNPACK_TREE, 0, &err) < 0);
	assert_int_equal(err->status, 400);
	assert_true(unpack_metadata(&host, f->archive, true, NULL, &text, &metadata_err) < 0);
	assert_int_equal(metadata_err->status, 400);
}

static void metadata_is_found_or_missed(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;
	scoped(error_freep) struct error *no_rootfs = NULL;
	scoped_free char *text = NULL;

	add_file(f, "./metadata.yaml", "architecture: x86_64\n");
	end(f);
	assert_int_equal(unpack_metadata(&host, f->archive, false, NULL, &text, &err), 0);
	assert_string_equal(text, "architecture: x86_64\n");
	free(text);
	text = NULL;
	assert_true(unpack_metadata(&host, f->archive, true, NULL, &text, &no_rootfs) < 0);
	assert_int_equal(no_rootfs->status, 400);
}

static void metadata_must_be_one_plain_file(void **state)
{
	static const struct {
		char type;
		const char *link;
	} cases[] = { { '2', "rootfs/x" }, { '1', "rootfs/x" }, { '5', NULL }, { '6', NULL } };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped_free char *text = NULL;

		assert_int_equal(ftruncate(f->archive, 0), 0);
		assert_int_equal(lseek(f->archive, 0, SEEK_SET), 0);
		add_file(f, "rootfs/x", "x");
		add(f, cases[i].type, "metadata.yaml", cases[i].link, NULL, 0);
		end(f);
		assert_true(unpack_metadata(&host, f->archive, true, NULL, &text, &err) < 0);
		assert_int_equal(err->status, 400);
	}
}

static void make_odd_tree(const char *dir)
{
	scoped_free char *plain = xasprintf("%s/plain", dir);
	scoped_free char *hard = xasprintf("%s/hard", dir);
	scoped_free char *soft = xasprintf("%s/soft", dir);
	scoped_free char *fifo = xasprintf("%s/fifo", dir);
	scoped_free char *node = xasprintf("%s/null", dir);
	scoped_free char *sparse = xasprintf("%s/sparse", dir);
	scoped_free char *capable = xasprintf("%s/capable", dir);
	/* Version 2, effective, CAP_NET_RAW. */
	static const unsigned char capability[20] = { 1, 0, 0, 2, 0, 0x20 };

	assert_int_equal(file_replace(plain, "text", 4, 0600), 0);
	assert_int_equal(chown(plain, 1234, 5678), 0);
	assert_int_equal(chmod(plain, 06755), 0);
	assert_int_equal(setxattr(plain, "user.note", "x", 1, 0), 0);
	assert_int_equal(link(plain, hard), 0);
	assert_int_equal(symlink("/etc/passwd", soft), 0);
	assert_int_equal(mkfifo(fifo, 0640), 0);
	assert_int_equal(mknod(node, S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(file_replace(capable, "x", 1, 0755), 0);
	assert_int_equal(setxattr(capable, "security.capability", capability, 20, 0), 0);
	scoped_fd int fd = open(sparse, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, 64 * MIB) == 0);
	assert_int_equal(pwrite(fd, "end", 3, 64 * MIB - 3), 3);
}

static void assert_odd_tree(const char *dir)
{
	scoped_free char *plain = xasprintf("%s/plain", dir);
	scoped_free char *hard = xasprintf("%s/hard", dir);
	scoped_free char *soft = xasprintf("%s/soft", dir);
	scoped_free char *fifo = xasprintf("%s/fifo", dir);
	scoped_free char *node = xasprintf("%s/null", dir);
	scoped_free char *sparse = xasprintf("%s/sparse", dir);
	scoped_free char *capable = xasprintf("%s/capable", dir);
	struct stat st, other;
	char buf[64] = { 0 };

	assert_int_equal(lstat(plain, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
	assert_int_equal(st.st_mode & 07777, 06755);
	assert_int_equal(lstat(hard, &other), 0);
	assert_true(st.st_ino == other.st_ino);
	assert_int_equal(getxattr(plain, "user.note", buf, sizeof(buf)), 1);
	assert_int_equal(getxattr(capable, "security.capability", buf, sizeof(buf)), 20);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(readlink(soft, buf, sizeof(buf) - 1), 11);
	assert_int_equal(lstat(fifo, &st), 0);
	assert_true(S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0640);
	assert_int_equal(lstat(node, &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == (dev_t)makedev(1, 3));
	assert_int_equal(lstat(sparse, &st), 0);
	assert_int_equal(st.st_size, 64 * MIB);
}

static void good_archives_arrive_whole(void **state)
{
	static const enum compress_kind kinds[] = { COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_BZIP2,
		                                    COMPRESS_XZ, COMPRESS_ZSTD };
	struct fixture *f = *state;
	scoped_free char *source = xasprintf("%s/source", f->root);
	const struct tar_tree_options options = { .prefix = "tree" };
	scoped_free char *tree = in_target(f, "tree");

	assert_int_equal(mkdir(source, 0755), 0);
	make_odd_tree(source);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(tar_write_closep) struct tar_writer *w = NULL;
		scoped_fd int dir = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		const struct tar_write_options how = { .fd = f->archive, .compression = kinds[i] };

		assert_int_equal(ftruncate(f->archive, 0), 0);
		assert_int_equal(lseek(f->archive, 0, SEEK_SET), 0);
		assert_int_equal(tree_remove(f->target, TREE_KEEP_ROOT), 0);
		assert_int_equal(tar_write_open(&how, &w, &err), 0);
		assert_int_equal(tar_write_tree(w, dir, &options, &err), 0);
		assert_int_equal(tar_write_finish(w, &err), 0);
		if (unpack_as(f, UNPACK_TREE, 0, &err) < 0)
			fail_msg("%s: %s", compress_name(kinds[i]), err->msg);
		assert_odd_tree(tree);
	}
}

static void squashfs_arrives_whole(void **state)
{
	struct fixture *f = *state;
	scoped(error_freep) struct error *err = NULL;
	scoped(error_freep) struct error *bomb = NULL;
	scoped_free char *source = xasprintf("%s/source", f->root);
	scoped_free char *image = xasprintf("%s/image", f->root);
	const char *argv[] = { "mksquashfs", source, image, "-quiet", "-no-progress", NULL };
	scoped(command_done) struct command c = { .argv = argv };

	if (!command_exists("mksquashfs") || !command_exists("unsquashfs"))
		skip();
	assert_int_equal(mkdir(source, 0750), 0);
	make_odd_tree(source);
	assert_int_equal(command_check(&c, &err), 0);
	close(f->archive);
	f->archive = open(image, O_RDONLY | O_CLOEXEC);
	if (unpack_as(f, UNPACK_TREE, 0, &err) < 0)
		fail_msg("%s", err->msg);
	assert_odd_tree(f->target);

	assert_int_equal(tree_remove(f->target, TREE_KEEP_ROOT), 0);
	assert_true(unpack_as(f, UNPACK_IMAGE, 0, &bomb) < 0);
	assert_int_equal(bomb->status, 400);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(attacks_stay_inside),
		TEST(what_comes_twice_replaces),
		TEST(images_bring_three_things_only),
		TEST(links_of_an_image_stay_in_its_parts),
		TEST(a_bomb_is_stopped),
		TEST(too_many_entries_are_stopped),
		TEST(a_length_that_lies_is_an_error),
		TEST(rubbish_is_no_archive),
		TEST(metadata_is_found_or_missed),
		TEST(metadata_must_be_one_plain_file),
		TEST(good_archives_arrive_whole),
		TEST(squashfs_arrives_whole),
	};

	if (argc > 1 && strcmp(argv[1], "forkunpack") == 0)
		return unpack_helper(argc - 1, argv + 1);
	if (geteuid() != 0)
		return SKIPPED;
	signal(SIGPIPE, SIG_IGN);
	compress_init_locale();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
