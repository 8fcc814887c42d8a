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

#include "lib/base/fd.h"
#include "lib/base/strbuf.h"
#include "lib/base/tree.h"
#include "lib/data/tar_read.h"
#include "lib/data/tar_write.h"

static char root[] = "/tmp/muster-tar-XXXXXX";

static struct tar_reader *open_reader(int fd)
{
	scoped(error_freep) struct error *err = NULL;
	struct tar_reader *r = NULL;

	assert_true(lseek(fd, 0, SEEK_SET) == 0);
	assert_int_equal(tar_read_open(fd, &r, &err), 0);
	return r;
}

static void entries_survive_each_compression(void **state)
{
	(void)state;
	static const enum compress_kind kinds[] = {
		COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_BZIP2,
		COMPRESS_XZ,   COMPRESS_LZMA, COMPRESS_ZSTD,
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped_fd int fd = fd_memfd("tar");
		scoped(tar_write_closep) struct tar_writer *w = NULL;
		const struct tar_write_options options = { .fd = fd,
			                                   .compression = kinds[i],
			                                   .level = 3 };
		const struct tar_xattr xattr = { "user.note", "a\0b", 3 };
		const struct tar_entry entry = {
			.path = "f",
			.mode = S_IFREG | 04755,
			.uid = 100000,
			.gid = 5,
			.size = 5,
			.mtime = 1500000000000000001,
			.xattrs = &xattr,
			.n_xattrs = 1,
			.acl_access = "user::rwx,user:1000:r-x,group::r-x,mask::rwx,other::r-x",
		};

		assert_int_equal(tar_write_open(&options, &w, &err), 0);
		assert_int_equal(tar_write_dir(w, "d\xC3\xA4", 0700, 0, &err), 0);
		assert_int_equal(tar_write_entry(w, &entry, &err), 0);
		assert_int_equal(tar_write_data(w, "hello", 5, &err), 0);
		assert_int_equal(tar_write_bytes(w, "empty", "", 0, 0644, 0, &err), 0);
		assert_int_equal(tar_write_finish(w, &err), 0);
		assert_int_equal(compress_detect_fd(fd), kinds[i]);

		scoped(tar_read_closep) struct tar_reader *r = open_reader(fd);
		const struct tar_entry *e;
		scoped_free char *text = NULL;
		size_t size = 0;
		assert_int_equal(tar_read_next(r, &e, &err), 1);
		assert_string_equal(e->path, "d\xC3\xA4/");
		assert_int_equal(e->mode, S_IFDIR | 0700);
		assert_int_equal(tar_read_next(r, &e, &err), 1);
		assert_string_equal(e->path, "f");
		assert_int_equal(e->mode, S_IFREG | 04755);
		assert_int_equal(e->uid, 100000);
		assert_int_equal(e->gid, 5);
		assert_int_equal(e->size, 5);
		assert_true(e->mtime == entry.mtime);
		assert_int_equal(e->n_xattrs, 1);
		assert_string_equal(e->xattrs[0].name, "user.note");
		assert_int_equal(e->xattrs[0].size, 3);
		assert_memory_equal(e->xattrs[0].value, "a\0b", 3);
		assert_string_equal(e->acl_access, entry.acl_access);
		assert_null(e->acl_default);
		assert_int_equal(tar_read_text(r, 5, &text, &size, &err), 0);
		assert_string_equal(text, "hello");
		assert_int_equal(tar_read_next(r, &e, &err), 1);
		assert_int_equal(e->size, 0);
		assert_int_equal(tar_read_next(r, &e, &err), 0);
		assert_true(tar_read_position(r) > 0);
	}
}

static bool unshift(uint32_t id, uint32_t *ret, void *arg)
{
	if (id == 12345)
		return false;

	*ret = id + 7;
	return true;
}

static bool is_skipped(const char *path, const struct stat *st, void *arg)
{
	return strcmp(path, "skipped") == 0;
}

static void fill(int dir)
{
	assert_int_equal(mkdirat(dir, "skipped", 0755), 0);
	assert_int_equal(mkdirat(dir, "d", 0750), 0);
	assert_int_equal(mkdirat(dir, "skipped/x", 0755), 0);
	scoped_fd int file = openat(dir, "d/file", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	assert_int_equal(fd_write_full(file, "hello", 5), 0);
	assert_int_equal(linkat(dir, "d/file", dir, "e", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
	assert_int_equal(mkfifoat(dir, "pipe", 0600), 0);
	scoped_fd int sparse = openat(dir, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(pwrite(sparse, "x", 1, 20 << 20), 1);
	assert_int_equal(ftruncate(sparse, 30 << 20), 0);
	scoped_fd int hole = openat(dir, "hole", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(hole, 5 << 20), 0);
}

static void describe(struct strbuf *b, const struct tar_entry *e)
{
	strbuf_addf(b, "%s %o %u", e->path, e->mode, e->uid);
	if (e->hardlink)
		strbuf_addf(b, " = %s", e->hardlink);
	if (e->symlink)
		strbuf_addf(b, " > %s", e->symlink);
	strbuf_addf(b, " %llu\n", (unsigned long long)e->size);
}

static void trees_are_written_in_order(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	scoped_fd int fd = fd_memfd("tar");
	scoped_fd int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped(tar_write_closep) struct tar_writer *w = NULL;
	const struct tar_write_options options = { .fd = fd };
	const struct tar_tree_options tree = { .prefix = "rootfs",
		                               .map_uid = unshift,
		                               .skip = is_skipped };
	scoped(strbuf_done) struct strbuf b = { 0 };
	scoped(strbuf_done) struct strbuf expected = { 0 };
	const struct tar_entry *e;
	unsigned uid = geteuid() + 7;

	fill(dir);
	assert_int_equal(tar_write_open(&options, &w, &err), 0);
	assert_int_equal(tar_write_tree(w, dir, &tree, &err), 0);
	assert_int_equal(tar_write_finish(w, &err), 0);
	assert_true(lseek(fd, 0, SEEK_END) < 200000); /* No holes. */

	scoped(tar_read_closep) struct tar_reader *r = open_reader(fd);
	while (tar_read_next(r, &e, &err) == 1)
		describe(&b, e);
	strbuf_addf(&expected,
	            "rootfs/ 40700 %u 0\n"
	            "rootfs/d/ 40750 %u 0\n"
	            "rootfs/d/file 100640 %u 5\n"
	            "rootfs/e 640 %u = rootfs/d/file 0\n"
	            "rootfs/hole 100600 %u 5242880\n"
	            "rootfs/link 120777 %u > /etc/passwd 0\n"
	            "rootfs/pipe 10600 %u 0\n"
	            "rootfs/sparse 100600 %u 31457280\n",
	            uid, uid, uid, uid, uid, uid, uid, uid);
	assert_string_equal(b.text, expected.text);

	/* The data of the sparse file comes at its place. */
	scoped(tar_read_closep) struct tar_reader *again = open_reader(fd);
	uint64_t n_bytes = 0;
	while (tar_read_next(again, &e, &err) == 1) {
		const void *data;
		size_t size;
		int64_t offset;

		while (tar_read_block(again, &data, &size, &offset, &err) == 1) {
			const char *x = memchr(data, 'x', size);
			if (x)
				assert_int_equal(offset + (x - (const char *)data), 20 << 20);
			n_bytes += size;
		}
	}
	assert_true(n_bytes < 200000);
}

static int refuse(const void *data, size_t size, void *arg)
{
	return -ENOSPC;
}

static void failing_to_write_is_reported(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	scoped(tar_write_closep) struct tar_writer *w = NULL;
	const struct tar_write_options options = { .write = refuse };

	assert_int_equal(tar_write_open(&options, &w, &err), 0);
	assert_int_equal(tar_write_bytes(w, "f", "x", 1, 0600, 0, &err), 0);
	assert_int_equal(tar_write_finish(w, &err), -ENOSPC);
	assert_string_equal(err->msg, "Failed writing archive: No space left on device");
}

static void what_is_no_archive_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = { "This is no archive at all", "\x1F\x8B\x08garbage",
		                             "BZh91AY" };

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped_fd int fd = fd_memfd("tar");
		scoped(tar_read_closep) struct tar_reader *r = NULL;
		const struct tar_entry *e;

		assert_int_equal(fd_write_full(fd, cases[i], strlen(cases[i])), 0);
		lseek(fd, 0, SEEK_SET);
		int code = tar_read_open(fd, &r, &err);
		if (code == 0)
			code = tar_read_next(r, &e, &err);
		assert_int_equal(code, -EINVAL);
		assert_int_equal(err->status, 400);
	}
}

static int make_root(void **state)
{
	compress_init_locale();
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	return tree_remove(root, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_survive_each_compression),
		cmocka_unit_test(trees_are_written_in_order),
		cmocka_unit_test(failing_to_write_is_reported),
		cmocka_unit_test(what_is_no_archive_is_refused),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
