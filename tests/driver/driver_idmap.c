/*
 * Id maps against the real kernel: mounts that show a tree through one, namespaces made for it, and
 * trees whose owners are changed on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
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

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/base/tree.h"
#include "lib/linux/idmap.h"
#include "lib/linux/idmap_shift.h"
#include "lib/linux/mount.h"
#include "lib/linux/xattr.h"

#define SKIPPED 77
#define BASE 1000000

/* Version 2: owner, user 5, group, group 7, mask, others. */
/* clang-format off */
static const uint8_t acl[] = {
	2, 0, 0, 0,
	1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,
	2, 0, 6, 0, 5, 0, 0, 0,
	4, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,
	8, 0, 4, 0, 7, 0, 0, 0,
	16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,
	32, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,
};
/* clang-format on */

/* Version 2, effective, CAP_NET_RAW. */
static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20 };

struct fixture {
	char *root, *tree, *shown;
	struct idmap map;
};

static char *in(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static int set_up(void **state)
{
	static const struct idmap_entry entry = { true, true, BASE, 0, 65536 };
	struct fixture *f = xcalloc(1, sizeof(*f));
	char template[] = "/tmp/muster-idmap-XXXXXX";

	assert_non_null(mkdtemp(template));
	f->root = xstrdup(template);
	f->tree = in(f->root, "tree");
	f->shown = in(f->root, "shown");
	assert_int_equal(mkdir(f->tree, 0755), 0);
	assert_int_equal(mkdir(f->shown, 0755), 0);
	assert_int_equal(idmap_add(&f->map, &entry), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mount_remove(f->shown), 0);
	assert_int_equal(tree_remove(f->root, 0), 0);
	free(f->root);
	free(f->tree);
	free(f->shown);
	idmap_done(&f->map);
	free(f);
	return 0;
}

static void make_tree(const char *dir)
{
	scoped_free char *plain = in(dir, "plain");
	scoped_free char *hard = in(dir, "hard");
	scoped_free char *soft = in(dir, "soft");
	scoped_free char *suid = in(dir, "suid");
	scoped_free char *capable = in(dir, "capable");
	scoped_free char *folder = in(dir, "folder");
	scoped_free char *inner = in(folder, "inner");
	scoped_free char *far = in(dir, "far");

	assert_int_equal(file_replace(plain, "x", 1, 0644), 0);
	assert_int_equal(chown(plain, 5, 7), 0);
	assert_int_equal(link(plain, hard), 0);
	assert_int_equal(symlink("/etc/passwd", soft), 0);
	assert_int_equal(lchown(soft, 9, 9), 0);
	assert_int_equal(file_replace(suid, "x", 1, 0755), 0);
	assert_int_equal(chown(suid, 3, 4), 0);
	assert_int_equal(chmod(suid, 06755), 0);
	assert_int_equal(file_replace(capable, "x", 1, 0755), 0);
	assert_int_equal(setxattr(capable, XATTR_CAPABILITY, capability, sizeof(capability), 0), 0);
	assert_int_equal(mkdir(folder, 0750), 0);
	assert_int_equal(setxattr(folder, XATTR_ACL_ACCESS, acl, sizeof(acl), 0), 0);
	assert_int_equal(setxattr(folder, XATTR_ACL_DEFAULT, acl, sizeof(acl), 0), 0);
	assert_int_equal(file_replace(inner, "x", 1, 0600), 0);
	/* An id that the map does not have. */
	assert_int_equal(file_replace(far, "x", 1, 0600), 0);
	assert_int_equal(chown(far, 70000, 70000), 0);
}

static void assert_owner(const char *dir, const char *name, uid_t uid, gid_t gid)
{
	scoped_free char *path = in(dir, name);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	if (st.st_uid != uid || st.st_gid != gid)
		fail_msg("%s belongs to %u:%u", name, st.st_uid, st.st_gid);
}

static void assert_tree(const char *dir, uint32_t base)
{
	scoped_free char *suid = in(dir, "suid");
	scoped_free char *capable = in(dir, "capable");
	scoped_free char *folder = in(dir, "folder");
	uint8_t value[64];
	struct stat st;

	assert_owner(dir, "", base, base);
	assert_owner(dir, "plain", base + 5, base + 7);
	/* Another name of the same file: it must not have been changed twice. */
	assert_owner(dir, "hard", base + 5, base + 7);
	assert_owner(dir, "soft", base + 9, base + 9);
	assert_owner(dir, "suid", base + 3, base + 4);
	assert_owner(dir, "folder/inner", base, base);
	assert_owner(dir, "far", 70000, 70000);
	assert_int_equal(stat(suid, &st), 0);
	assert_int_equal(st.st_mode & 07777, 06755);

	ssize_t size = getxattr(capable, XATTR_CAPABILITY, value, sizeof(value));
	assert_int_equal(size, base ? 24 : 20);
	if (base)
		assert_int_equal(value[20] | value[21] << 8 | value[22] << 16, base);
	else
		assert_memory_equal(value, capability, sizeof(capability));
	for (int i = 0; i < 2; i++) {
		size = getxattr(folder, i ? XATTR_ACL_DEFAULT : XATTR_ACL_ACCESS, value,
		                sizeof(value));
		assert_int_equal(size, sizeof(acl));
		assert_int_equal(value[16] | value[17] << 8 | value[18] << 16, base + 5);
		assert_int_equal(value[32] | value[33] << 8 | value[34] << 16, base + 7);
	}
}

static void a_tree_is_shifted_and_back(void **state)
{
	struct fixture *f = *state;

	make_tree(f->tree);
	assert_tree(f->tree, 0);
	scoped_fd int dir = open(f->tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(idmap_shift_tree(dir, &f->map, IDMAP_SHIFT_TO_HOST, NULL), 0);
	assert_tree(f->tree, BASE);
	assert_int_equal(idmap_shift_tree(dir, &f->map, IDMAP_SHIFT_FROM_HOST, NULL), 0);
	assert_tree(f->tree, 0);
}

static void another_filesystem_below_is_left_alone(void **state)
{
	struct fixture *f = *state;
	scoped_free char *below = in(f->tree, "below");
	scoped_free char *file = in(below, "file");

	assert_int_equal(mkdir(below, 0755), 0);
	assert_int_equal(mount_filesystem("tmpfs", below, "tmpfs", "size=1m"), 0);
	assert_int_equal(file_replace(file, "x", 1, 0600), 0);
	scoped_fd int dir = open(f->tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(idmap_shift_tree(dir, &f->map, IDMAP_SHIFT_TO_HOST, NULL), 0);
	assert_owner(f->tree, "below/file", 0, 0);
	assert_int_equal(mount_remove(below), 0);
}

static void a_namespace_is_made_for_a_map(void **state)
{
	struct fixture *f = *state;

	scoped_fd int userns = idmap_userns_open(&f->map);
	assert_true(userns >= 0);
	scoped_free char *path = xasprintf("/proc/self/fd/%d", userns);
	scoped_free char *own = xstrdup("/proc/self/ns/user");
	struct stat st, self;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(stat(own, &self), 0);
	assert_true(st.st_ino != self.st_ino);
}

static void a_mount_shows_the_tree_through_a_map(void **state)
{
	struct fixture *f = *state;
	scoped_free char *made = in(f->shown, "made");

	if (mount_can_idmap(f->tree) != 1)
		skip();
	make_tree(f->tree);
	scoped_fd int userns = idmap_userns_open(&f->map);
	assert_true(userns >= 0);
	assert_int_equal(mount_bind_idmapped(f->tree, f->shown, userns, false), 0);
	assert_owner(f->shown, "plain", BASE + 5, BASE + 7);
	assert_owner(f->tree, "plain", 5, 7);
	assert_int_equal(mount_is_mountpoint(f->shown), 1);
	/* Root of the host is nobody there. */
	assert_true(file_replace(made, "x", 1, 0600) < 0);
	assert_int_equal(mount_remove(f->shown), 0);

	assert_int_equal(mount_bind_readonly(f->tree, f->shown), 0);
	assert_int_equal(file_replace(made, "x", 1, 0600), -EROFS);
	assert_int_equal(mount_remove(f->shown), 0);
	assert_int_equal(mount_remove(f->shown), 0);
}

static void what_cannot_be_mapped_is_known(void **state)
{
	(void)state;
	assert_int_equal(mount_can_idmap("/proc"), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tree_is_shifted_and_back),
		TEST(another_filesystem_below_is_left_alone),
		TEST(a_namespace_is_made_for_a_map),
		TEST(a_mount_shows_the_tree_through_a_map),
		cmocka_unit_test(what_cannot_be_mapped_is_known),
	};

	/* Whatever is mounted goes with this process. */
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount_make_private("/") < 0)
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
