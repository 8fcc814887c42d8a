#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/macro.h"
#include "lib/linux/mount.h"

static void mountinfo_is_read(void **state)
{
	static const char text[] =
		"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro\n"
		"36 22 0:31 /sub /mnt/a\\040b rw,noatime master:1 propagate_from:2 - btrfs "
		"/dev/loop0 rw,compress=zstd\n"
		"37 36 0:32 / /mnt/a\\040b ro - tmpfs tmpfs rw\n";
	scoped(mount_table_done) struct mount_table table = { 0 };

	(void)state;
	assert_int_equal(mount_table_parse(text, &table), 0);
	assert_int_equal(table.n_entries, 3);
	assert_string_equal(table.entries[1].target, "/mnt/a b");
	assert_string_equal(table.entries[1].root, "/sub");
	assert_string_equal(table.entries[1].fstype, "btrfs");
	assert_string_equal(table.entries[1].source, "/dev/loop0");
	assert_string_equal(table.entries[1].fs_options, "rw,compress=zstd");
	assert_int_equal(table.entries[0].major, 254);
	/* The one on top. */
	assert_string_equal(mount_table_find(&table, "/mnt/a b")->fstype, "tmpfs");
	assert_null(mount_table_find(&table, "/mnt"));
}

static void bad_mountinfo_is_refused(void **state)
{
	static const char *const cases[] = {
		"22 1 254:0 / / rw - ext4 /dev/vda",
		"22 1 254:0 / / rw shared:1 ext4 /dev/vda rw",
		"x 1 254:0 / / rw - ext4 /dev/vda rw",
		"22 1 2540 / / rw - ext4 /dev/vda rw",
		"22 1 254:x / / rw - ext4 /dev/vda rw",
		"rubbish",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(mount_table_done) struct mount_table table = { 0 };

		assert_int_equal(mount_table_parse(cases[i], &table), -EINVAL);
	}
}

static void the_kernels_own_is_read(void **state)
{
	scoped(mount_table_done) struct mount_table table = { 0 };

	(void)state;
	assert_int_equal(mount_table_read(&table), 0);
	assert_non_null(mount_table_find(&table, "/"));
	assert_int_equal(mount_is_mountpoint("/proc"), 1);
	assert_int_equal(mount_is_mountpoint("/proc/self"), 0);
	assert_int_equal(mount_is_mountpoint("/nonexistent"), -ENOENT);
}

static void options_become_flags_and_data(void **state)
{
	static const struct {
		const char *options, *data;
		unsigned long flags;
	} cases[] = {
		{ NULL, NULL, 0 },
		{ "", NULL, 0 },
		{ "defaults", NULL, 0 },
		{ "ro,noatime", NULL, MS_RDONLY | MS_NOATIME },
		{ "ro,rw", NULL, 0 },
		{ "compress=zstd,nodev,user_subvol_rm_allowed",
		  "compress=zstd,user_subvol_rm_allowed", MS_NODEV },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *data = NULL;
		unsigned long flags = 1;

		assert_int_equal(mount_parse_options(cases[i].options, &flags, &data), 0);
		assert_int_equal(flags, cases[i].flags);
		if (cases[i].data)
			assert_string_equal(data, cases[i].data);
		else
			assert_null(data);
	}

	scoped_free char *data = NULL;
	unsigned long flags;
	assert_int_equal(mount_parse_options("a\nb", &flags, &data), -EINVAL);
	assert_int_equal(mount_parse_options("a\\040b", &flags, &data), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mountinfo_is_read),
		cmocka_unit_test(bad_mountinfo_is_refused),
		cmocka_unit_test(the_kernels_own_is_read),
		cmocka_unit_test(options_become_flags_and_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
