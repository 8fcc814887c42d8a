/*
 * One table of what every storage driver must do, run over each of them for real: as root, in a
 * mount namespace of its own, on filesystems in files of a temporary directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/host/host.h"
#include "drivers/host/op.h"
#include "drivers/storage/btrfs_subvol.h"
#include "drivers/storage/storage_driver.h"
#include "drivers/storage/storage_rsync.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/smap.h"
#include "lib/base/tree.h"
#include "lib/linux/block.h"
#include "lib/linux/filesystem.h"
#include "lib/linux/mount.h"

#define SKIPPED 77
#define MIB (1024 * 1024)

struct fixture {
	const char *driver;
	bool is_on_quota_fs; /* The state directory is on ext4 with project quotas. */
	char *root;          /* Temporary directory. */
	char *var;
	struct host host;
	struct smap config, other_config;
	struct storage_pool pool, other; /* Two pools of the same driver. */
};

static void check(int r, struct error **err)
{
	if (r < 0)
		fail_msg("%s", *err ? (*err)->msg : strerror(-r));
	assert_null(*err);
}

#define OK(call)                                                 \
	do {                                                     \
		scoped(error_freep) struct error *ok_err = NULL; \
		struct error **err = &ok_err;                    \
		check(call, err);                                \
	} while (0)

static void run(const char *const *argv)
{
	scoped(command_done) struct command c = { .argv = argv };

	OK(command_check(&c, err));
}

/* False where the kernel has no quotas for ext4. */
static bool mount_quota_fs(const struct fixture *f)
{
	scoped_free char *image = xasprintf("%s/ext4.img", f->root);
	scoped_free char *device = NULL;
	const char *argv[] = { "mkfs.ext4",          "-q",  "-O", "project,quota", "-E",
		               "quotatype=prjquota", image, NULL };

	scoped_fd int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, 512 * MIB) == 0);
	run(argv);
	scoped_fd int loop = block_loop_attach(image, &device);
	assert_true(loop >= 0);
	return mount_filesystem(device, f->var, "ext4", "prjquota") == 0;
}

static void open_pool(struct fixture *f, struct storage_pool *pool, const char *name,
                      struct smap *config)
{
	*pool = (struct storage_pool){
		.name = name,
		.driver = storage_driver_find(f->driver),
		.host = &f->host,
		.path = storage_layout_pool_path(f->var, name),
		.config = config,
	};
	assert_non_null(pool->driver);
	if (strcmp(f->driver, "btrfs") == 0)
		smap_set(config, "size", "256MiB");
	OK(storage_driver_pool_create(pool, NULL, err));
	OK(storage_driver_pool_mount(pool, err));
}

static int set_up(struct fixture *f)
{
	char template[] = "/tmp/muster-storage-XXXXXX";

	assert_non_null(mkdtemp(template));
	f->root = xstrdup(template);
	f->var = xasprintf("%s/var", f->root);
	assert_int_equal(mkdir(f->var, 0711), 0);
	if (f->is_on_quota_fs && !mount_quota_fs(f))
		return SKIPPED;
	f->host = (struct host){ .var_dir = f->var, .helper_program = "/proc/self/exe" };
	open_pool(f, &f->pool, "one", &f->config);
	open_pool(f, &f->other, "two", &f->other_config);
	return 0;
}

static void remove_root(struct fixture *f)
{
	assert_int_equal(mount_remove(f->var), 0);
	assert_int_equal(tree_remove(f->root, 0), 0);
	free(f->root);
	free(f->var);
	f->root = f->var = NULL;
}

static void tear_down(struct fixture *f)
{
	OK(storage_driver_pool_delete(&f->pool, NULL, err));
	OK(storage_driver_pool_delete(&f->other, NULL, err));
	assert_false(file_exists(f->pool.path));
	free(f->pool.path);
	free(f->other.path);
	smap_done(&f->config);
	smap_done(&f->other_config);
	remove_root(f);
}

static struct storage_volume volume(struct storage_pool *pool, const char *name)
{
	return (struct storage_volume){ .pool = pool, .kind = STORAGE_CUSTOM, .name = name };
}

static struct storage_volume snapshot_of(const struct storage_volume *vol, const char *name)
{
	struct storage_volume snap = *vol;

	snap.snapshot = name;
	return snap;
}

static char *path_in(const struct storage_volume *vol, const char *name)
{
	scoped_free char *dir = storage_driver_volume_path(vol);

	return xasprintf("%s/%s", dir, name);
}

static void put(const struct storage_volume *vol, const char *name, const char *text)
{
	scoped_free char *path = path_in(vol, name);
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

/* Whether the file holds 'text'; NULL: whether it is not there. */
static void assert_file(const struct storage_volume *vol, const char *name, const char *text)
{
	scoped_free char *path = path_in(vol, name);
	scoped_free char *found = NULL;

	if (!text) {
		assert_int_equal(access(path, F_OK), -1);
		return;
	}
	assert_int_equal(file_read(path, MIB, &found, NULL), 0);
	assert_string_equal(found, text);
}

static void fill_with_odd_files(const struct storage_volume *vol)
{
	scoped_free char *soft = path_in(vol, "link");
	scoped_free char *hard = path_in(vol, "hard");
	scoped_free char *plain = path_in(vol, "plain");
	scoped_free char *fifo = path_in(vol, "fifo");
	scoped_free char *node = path_in(vol, "null");
	scoped_free char *sparse = path_in(vol, "sparse");

	put(vol, "plain", "text");
	assert_int_equal(chown(plain, 1234, 5678), 0);
	assert_int_equal(chmod(plain, 04755), 0);
	assert_int_equal(setxattr(plain, "user.note", "x", 1, 0), 0);
	assert_int_equal(link(plain, hard), 0);
	assert_int_equal(symlink("/etc/passwd", soft), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mknod(node, S_IFCHR | 0666, makedev(1, 3)), 0);
	scoped_fd int fd = open(sparse, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, 64 * MIB) == 0);
	assert_int_equal(pwrite(fd, "end", 3, 64 * MIB - 3), 3);
}

static void assert_odd_files(const struct storage_volume *vol)
{
	scoped_free char *soft = path_in(vol, "link");
	scoped_free char *hard = path_in(vol, "hard");
	scoped_free char *plain = path_in(vol, "plain");
	scoped_free char *fifo = path_in(vol, "fifo");
	scoped_free char *node = path_in(vol, "null");
	scoped_free char *sparse = path_in(vol, "sparse");
	char target[64] = { 0 };
	struct stat st, other;

	assert_file(vol, "plain", "text");
	assert_int_equal(lstat(plain, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(lstat(hard, &other), 0);
	assert_true(st.st_ino == other.st_ino);
	assert_int_equal(getxattr(plain, "user.note", target, sizeof(target)), 1);
	assert_int_equal(readlink(soft, target, sizeof(target) - 1), 11);
	assert_string_equal(target, "/etc/passwd");
	assert_int_equal(lstat(fifo, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lstat(node, &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == (dev_t)makedev(1, 3));
	assert_int_equal(lstat(sparse, &st), 0);
	assert_int_equal(st.st_size, 64 * MIB);
	assert_true(st.st_blocks * 512 < MIB);
}

static void pool_has_folders_and_space(void **state)
{
	struct fixture *f = *state;
	scoped_free char *custom = xasprintf("%s/custom", f->pool.path);
	scoped_free char *containers = xasprintf("%s/containers", f->pool.path);
	struct storage_space space;
	struct stat st;

	assert_int_equal(stat(custom, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(containers, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	OK(storage_driver_pool_space(&f->pool, &space, err));
	assert_true(space.total_bytes > 100 * MIB && space.used_bytes <= space.total_bytes);
}

/* ext4 keeps what is below such a directory near to it, unless it is told otherwise. */
static bool is_spread(const char *path)
{
	int flags = 0;
	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
	return flags & FS_TOPDIR_FL;
}

static void volumes_are_apart_on_ext4(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v");
	struct storage_volume snap = snapshot_of(&vol, "s");
	scoped_free char *volumes = xasprintf("%s/custom", f->pool.path);
	scoped_free char *snapshots = xasprintf("%s/custom-snapshots/default_v", f->pool.path);
	scoped_free char *path = storage_driver_volume_path(&vol);

	scoped_free char *type = NULL;
	assert_int_equal(filesystem_type(f->pool.path, &type), 0);
	if (strcmp(type, "ext4") != 0)
		skip();

	OK(storage_driver_volume_create(&vol, NULL, err));
	OK(storage_driver_snapshot_create(&snap, NULL, err));
	assert_true(is_spread(volumes));
	assert_true(is_spread(snapshots));
	assert_false(is_spread(path));
	OK(storage_driver_volume_delete(&snap, NULL, err));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void pool_is_found_again(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v");

	OK(storage_driver_volume_create(&vol, NULL, err));
	put(&vol, "a", "1");
	/* As a daemon that starts again does. */
	OK(storage_driver_pool_mount(&f->pool, err));
	assert_file(&vol, "a", "1");
	OK(storage_driver_pool_unmount(&f->pool, err));
	OK(storage_driver_pool_mount(&f->pool, err));
	assert_file(&vol, "a", "1");
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void volume_comes_and_goes(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v");
	scoped(error_freep) struct error *refused = NULL;

	assert_false(storage_driver_volume_exists(&vol));
	OK(storage_driver_volume_create(&vol, NULL, err));
	assert_true(storage_driver_volume_exists(&vol));
	assert_int_equal(storage_driver_volume_create(&vol, NULL, &refused), -EEXIST);
	assert_int_equal(refused->status, 409);

	put(&vol, "a", "1");
	OK(storage_driver_volume_delete(&vol, NULL, err));
	assert_false(storage_driver_volume_exists(&vol));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void container_directory_is_closed(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "c1");
	struct stat st;

	vol.kind = STORAGE_CONTAINER;
	OK(storage_driver_volume_create(&vol, NULL, err));
	scoped_free char *path = storage_driver_volume_path(&vol);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0100);
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void copy_is_whole_and_apart(void **state)
{
	struct fixture *f = *state;
	struct storage_volume a = volume(&f->pool, "default_a"), b = volume(&f->pool, "default_b"),
			      c = volume(&f->other, "default_c");

	OK(storage_driver_volume_create(&a, NULL, err));
	fill_with_odd_files(&a);
	OK(storage_driver_volume_copy(&b, &a, NULL, err));
	OK(storage_driver_volume_copy(&c, &a, NULL, err));
	put(&a, "plain", "changed");
	assert_odd_files(&b);
	assert_odd_files(&c);

	OK(storage_driver_volume_delete(&a, NULL, err));
	assert_odd_files(&b);
	OK(storage_driver_volume_delete(&b, NULL, err));
	OK(storage_driver_volume_delete(&c, NULL, err));
}

static void failed_copy_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct storage_volume none = volume(&f->pool, "default_none"),
			      b = volume(&f->pool, "default_b");
	scoped(error_freep) struct error *refused = NULL;

	assert_true(storage_driver_volume_copy(&b, &none, NULL, &refused) < 0);
	assert_non_null(refused);
	assert_false(storage_driver_volume_exists(&b));
}

static void refresh_makes_equal(void **state)
{
	struct fixture *f = *state;
	struct storage_volume a = volume(&f->pool, "default_a"), b = volume(&f->other, "default_b");

	OK(storage_driver_volume_create(&a, NULL, err));
	OK(storage_driver_volume_create(&b, NULL, err));
	fill_with_odd_files(&a);
	put(&b, "only-in-b", "x");
	OK(storage_driver_volume_refresh(&b, &a, NULL, err));
	assert_odd_files(&b);
	assert_file(&b, "only-in-b", NULL);
	OK(storage_driver_volume_delete(&a, NULL, err));
	OK(storage_driver_volume_delete(&b, NULL, err));
}

static void snapshot_keeps_and_restores(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"), snap = snapshot_of(&vol, "s0"),
			      copy = volume(&f->pool, "default_copy");
	scoped(error_freep) struct error *refused = NULL;

	OK(storage_driver_volume_create(&vol, NULL, err));
	fill_with_odd_files(&vol);
	put(&vol, "a", "1");
	OK(storage_driver_snapshot_create(&snap, NULL, err));
	assert_true(storage_driver_snapshot_create(&snap, NULL, &refused) < 0);

	put(&vol, "a", "2");
	put(&vol, "b", "new");
	assert_file(&snap, "a", "1");
	assert_odd_files(&snap);

	OK(storage_driver_volume_copy(&copy, &snap, NULL, err));
	put(&copy, "a", "3");
	assert_file(&snap, "a", "1");
	OK(storage_driver_volume_delete(&copy, NULL, err));

	OK(storage_driver_snapshot_restore(&vol, "s0", NULL, err));
	assert_file(&vol, "a", "1");
	assert_file(&vol, "b", NULL);
	assert_odd_files(&vol);
	put(&vol, "a", "4");
	assert_file(&snap, "a", "1");

	OK(storage_driver_volume_delete(&snap, NULL, err));
	assert_false(storage_driver_volume_exists(&snap));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static int write_mib(const struct storage_volume *vol, const char *name, int n)
{
	scoped_free char *path = path_in(vol, name);
	scoped_free char *block = xcalloc(MIB, 1);
	int r = 0;

	memset(block, 'x', MIB);
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; r == 0 && i < n; i++)
		r = fd_write_full(fd, block, MIB);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* How many entries the folder of the volume has. */
static int count_volumes(const struct storage_volume *vol)
{
	scoped_free char *path =
		xasprintf("%s/%s", vol->pool->path, storage_layout_folder(vol->kind, false));
	const struct dirent *entry;
	int n = 0;

	DIR *dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static void restoring_looks_at_bytes_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v");
	struct storage_volume snap = snapshot_of(&vol, "s");
	const struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 5, .tv_nsec = 5 } };

	vol.size = 40 * MIB;
	OK(storage_driver_volume_create(&vol, NULL, err));
	scoped_free char *forged = path_in(&vol, "forged");
	put(&vol, "same", "same");
	put(&vol, "forged", "good");
	assert_int_equal(utimensat(AT_FDCWD, forged, times, 0), 0);
	OK(storage_driver_snapshot_create(&snap, NULL, err));
	put(&vol, "forged", "evil");
	put(&vol, "new", "new");
	assert_int_equal(utimensat(AT_FDCWD, forged, times, 0), 0);

	for (int i = 0; i < 2; i++) {
		OK(storage_driver_snapshot_restore(&vol, "s", NULL, err));
		assert_file(&vol, "same", "same");
		assert_file(&vol, "forged", "good");
		assert_file(&vol, "new", NULL);
		assert_file(&snap, "forged", "good");
		assert_int_equal(count_volumes(&vol), 1);
	}
	if (f->pool.has_quotas) {
		struct storage_space space;

		OK(storage_driver_volume_space(&vol, &space, err));
		assert_int_equal(space.total_bytes, 40 * MIB);
		assert_int_equal(write_mib(&vol, "a", 50), -EDQUOT);
	}
	scoped(error_freep) struct error *refused = NULL;
	assert_true(storage_driver_snapshot_restore(&vol, "none", NULL, &refused) < 0);
	assert_file(&vol, "same", "same");
	assert_int_equal(count_volumes(&vol), 1);
	OK(storage_driver_volume_delete(&snap, NULL, err));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void what_was_cut_off_is_removed(void **state)
{
	struct fixture *f = *state;
	scoped_free char *name = storage_layout_temporary_name();
	scoped_free char *like_one = xasprintf("%s_v", name);
	struct storage_volume cut_off = volume(&f->pool, name);
	struct storage_volume vol = volume(&f->pool, like_one);

	OK(storage_driver_volume_create(&cut_off, NULL, err));
	put(&cut_off, "a", "1");
	OK(storage_driver_volume_create(&vol, NULL, err));
	OK(storage_driver_pool_mount(&f->pool, err));
	assert_false(storage_driver_volume_exists(&cut_off));
	assert_true(storage_driver_volume_exists(&vol));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void volume_is_replaced_in_one_step(void **state)
{
	struct fixture *f = *state;
	scoped_free char *name = storage_layout_temporary_name();
	struct storage_volume vol = volume(&f->pool, "default_v");
	struct storage_volume fresh = volume(&f->pool, name);

	for (int i = 0; i < 2; i++) {
		OK(storage_driver_volume_create(&fresh, NULL, err));
		put(&fresh, "a", i == 0 ? "first" : "second");
		OK(storage_driver_volume_replace(&vol, &fresh, err));
		assert_file(&vol, "a", i == 0 ? "first" : "second");
		assert_int_equal(count_volumes(&vol), 1);
	}
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void rename_takes_snapshots_along(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"), snap = snapshot_of(&vol, "s0");
	struct storage_volume renamed = volume(&f->pool, "default_w"),
			      renamed_snap = snapshot_of(&renamed, "s1");
	scoped(error_freep) struct error *refused = NULL;

	OK(storage_driver_volume_create(&vol, NULL, err));
	put(&vol, "a", "1");
	OK(storage_driver_snapshot_create(&snap, NULL, err));
	OK(storage_driver_volume_rename(&snap, "s1", err));
	OK(storage_driver_volume_rename(&vol, "default_w", err));
	assert_file(&renamed, "a", "1");
	assert_file(&renamed_snap, "a", "1");
	assert_false(storage_driver_volume_exists(&vol));

	OK(storage_driver_volume_create(&vol, NULL, err));
	assert_true(storage_driver_volume_rename(&renamed, "default_v", &refused) < 0);
	OK(storage_driver_volume_delete(&renamed_snap, NULL, err));
	OK(storage_driver_volume_delete(&renamed, NULL, err));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void size_is_a_limit(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v");
	struct storage_space space;

	vol.size = 20 * MIB;
	OK(storage_driver_volume_create(&vol, NULL, err));
	if (!f->pool.has_quotas) {
		scoped(error_freep) struct error *refused = NULL;

		/* Accepted, and nothing is said about usage. */
		assert_int_equal(write_mib(&vol, "a", 30), 0);
		assert_int_equal(storage_driver_volume_space(&vol, &space, &refused), -ENOTSUP);
		OK(storage_driver_volume_delete(&vol, NULL, err));
		return;
	}

	assert_int_equal(write_mib(&vol, "a", 5), 0);
	OK(storage_driver_volume_space(&vol, &space, err));
	assert_int_equal(space.total_bytes, 20 * MIB);
	assert_int_equal(write_mib(&vol, "b", 30), -EDQUOT);
	vol.size = 60 * MIB;
	OK(storage_driver_volume_resize(&vol, err));
	assert_int_equal(write_mib(&vol, "b", 30), 0);
	sync();
	OK(storage_driver_volume_space(&vol, &space, err));
	assert_true(space.used_bytes >= 35 * MIB && space.used_bytes < 40 * MIB);

	vol.size = 10 * MIB;
	scoped(error_freep) struct error *refused = NULL;
	assert_true(storage_driver_volume_resize(&vol, &refused) < 0);
	assert_int_equal(refused->status, 507);
	vol.size = 0;
	OK(storage_driver_volume_resize(&vol, err));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void block_volume_is_a_file(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"),
			      copy = volume(&f->other, "default_w");
	struct storage_space space;

	vol.content = copy.content = STORAGE_BLOCK;
	vol.size = 8 * MIB;
	OK(storage_driver_volume_create(&vol, NULL, err));
	OK(storage_driver_volume_space(&vol, &space, err));
	assert_int_equal(space.total_bytes, 8 * MIB);
	vol.size = 16 * MIB;
	OK(storage_driver_volume_resize(&vol, err));
	OK(storage_driver_volume_copy(&copy, &vol, NULL, err));
	OK(storage_driver_volume_space(&copy, &space, err));
	assert_int_equal(space.total_bytes, 16 * MIB);
	OK(storage_driver_volume_delete(&vol, NULL, err));
	OK(storage_driver_volume_delete(&copy, NULL, err));
}

/* Both ends of a transfer, each on its own thread, as they are on two members. */
struct end {
	struct storage_volume *vol;
	struct storage_transfer transfer;
	bool is_source;
	struct op *op;
	int result;
	struct error *err;
};

static void *run_end(void *arg)
{
	struct end *end = arg;

	end->result =
		end->is_source
			? storage_driver_volume_send(end->vol, &end->transfer, end->op, &end->err)
			: storage_driver_volume_receive(end->vol, &end->transfer, NULL, &end->err);
	/* The other side must not wait for what will not come. */
	if (end->result < 0)
		shutdown(end->transfer.fd, SHUT_RDWR);
	return NULL;
}

static void transfer(struct storage_volume *from, struct storage_volume *to,
                     const struct storage_transfer *how, struct op *op, int expected)
{
	struct end source = { .vol = from, .transfer = *how, .is_source = true, .op = op };
	struct end sink = { .vol = to, .transfer = *how };
	pthread_t thread;
	uint64_t bytes = 0;
	int pair[2];

	assert_int_equal(fd_socketpair(SOCK_STREAM, pair), 0);
	source.transfer.fd = pair[0];
	source.transfer.ret_bytes = &bytes;
	sink.transfer.fd = pair[1];
	assert_int_equal(pthread_create(&thread, NULL, run_end, &source), 0);
	run_end(&sink);
	pthread_join(thread, NULL);
	close(pair[0]);
	close(pair[1]);
	if (how->is_last) {
		storage_driver_transfer_end(from);
		storage_driver_transfer_end(to);
	}

	if (expected == 0) {
		if (source.result < 0 || sink.result < 0)
			fail_msg("source: %s, sink: %s", source.err ? source.err->msg : "ok",
			         sink.err ? sink.err->msg : "ok");
		assert_true(bytes > 0);
	} else {
		assert_int_equal(source.result, expected);
		assert_true(sink.result < 0);
	}
	error_free(source.err);
	error_free(sink.err);
}

static enum storage_stream best_stream(const struct fixture *f)
{
	return strcmp(f->driver, "btrfs") == 0 ? STORAGE_STREAM_BTRFS : STORAGE_STREAM_RSYNC;
}

static void volume_travels(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"),
			      copy = volume(&f->other, "default_v");
	struct storage_transfer how = { .is_last = true, .what = "v" };

	OK(storage_driver_volume_create(&vol, NULL, err));
	fill_with_odd_files(&vol);
	for (int stream = 0; stream < STORAGE_N_STREAMS; stream++) {
		if (!storage_driver_can_send(&vol, (enum storage_stream)stream))
			continue;
		how.stream = (enum storage_stream)stream;
		transfer(&vol, &copy, &how, NULL, 0);
		assert_odd_files(&copy);
		put(&copy, "writable", "yes");
		OK(storage_driver_volume_delete(&copy, NULL, err));
	}
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void volume_travels_in_passes(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"),
			      copy = volume(&f->other, "default_v");
	struct storage_transfer how = { .stream = best_stream(f), .what = "v" };
	scoped_free char *left = xasprintf("%s/.transfers", f->pool.path);

	OK(storage_driver_volume_create(&vol, NULL, err));
	fill_with_odd_files(&vol);
	put(&vol, "a", "1");
	transfer(&vol, &copy, &how, NULL, 0);
	assert_file(&copy, "a", "1");
	put(&vol, "a", "2");
	how.pass = 1;
	transfer(&vol, &copy, &how, NULL, 0);
	assert_file(&copy, "a", "2");
	/* The sink's confirmation was lost: the same pass again. */
	transfer(&vol, &copy, &how, NULL, 0);
	assert_file(&copy, "a", "2");
	put(&vol, "a", "3");
	how.pass = 2;
	how.is_last = true;
	transfer(&vol, &copy, &how, NULL, 0);
	assert_file(&copy, "a", "3");
	assert_odd_files(&copy);

	/* Nothing but the folder is left on either side: rmdir() would fail. */
	assert_true(rmdir(left) == 0 || errno == ENOENT);
	OK(storage_driver_volume_delete(&vol, NULL, err));
	OK(storage_driver_volume_delete(&copy, NULL, err));
}

static void aborted_passes_leave_nothing(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"),
			      copy = volume(&f->other, "default_v");
	struct storage_transfer how = { .stream = best_stream(f), .what = "v" };
	scoped_free char *left = xasprintf("%s/.transfers", f->pool.path);
	scoped_free char *left_too = xasprintf("%s/.transfers", f->other.path);

	OK(storage_driver_volume_create(&vol, NULL, err));
	put(&vol, "a", "1");
	transfer(&vol, &copy, &how, NULL, 0);
	storage_driver_transfer_end(&vol);
	storage_driver_transfer_end(&copy);
	assert_true(rmdir(left) == 0 || errno == ENOENT);
	assert_true(rmdir(left_too) == 0 || errno == ENOENT);
	OK(storage_driver_volume_delete(&vol, NULL, err));
	OK(storage_driver_volume_delete(&copy, NULL, err));
}

static void cancelled_transfer_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"),
			      copy = volume(&f->other, "default_v");
	struct storage_transfer how = { .stream = best_stream(f), .is_last = true, .what = "v" };
	scoped(cancel_unrefp) struct cancel *cancel = cancel_new(NULL);
	struct op op = { .cancel = cancel };

	OK(storage_driver_volume_create(&vol, NULL, err));
	put(&vol, "a", "1");
	cancel_fire(cancel);
	transfer(&vol, &copy, &how, &op, -ECANCELED);
	assert_false(storage_driver_volume_exists(&copy));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void snapshot_travels_before_its_volume(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"), snap = snapshot_of(&vol, "s0");
	struct storage_volume copy = volume(&f->other, "default_v"),
			      copied_snap = snapshot_of(&copy, "s0");
	struct storage_transfer how = { .stream = best_stream(f), .is_last = true, .what = "v" };
	bool is_rsync = how.stream == STORAGE_STREAM_RSYNC;

	OK(storage_driver_volume_create(&vol, NULL, err));
	fill_with_odd_files(&vol);
	put(&vol, "a", "1");
	OK(storage_driver_snapshot_create(&snap, NULL, err));
	put(&vol, "a", "2");

	transfer(&snap, is_rsync ? &copy : &copied_snap, &how, NULL, 0);
	if (is_rsync)
		OK(storage_driver_snapshot_create(&copied_snap, NULL, err));
	how.refresh = is_rsync;
	how.parent = "s0";
	transfer(&vol, &copy, &how, NULL, 0);
	assert_file(&copied_snap, "a", "1");
	assert_file(&copy, "a", "2");
	assert_odd_files(&copy);

	OK(storage_driver_volume_delete(&snap, NULL, err));
	OK(storage_driver_volume_delete(&vol, NULL, err));
	OK(storage_driver_volume_delete(&copied_snap, NULL, err));
	OK(storage_driver_volume_delete(&copy, NULL, err));
}

static void nested_subvolumes_come_along(void **state)
{
	struct fixture *f = *state;
	struct storage_volume vol = volume(&f->pool, "default_v"), snap = snapshot_of(&vol, "s0"),
			      copy = volume(&f->pool, "default_w");

	if (strcmp(f->driver, "btrfs") != 0)
		return;
	OK(storage_driver_volume_create(&vol, NULL, err));
	scoped_free char *path = storage_driver_volume_path(&vol);
	scoped_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(btrfs_subvol_create(dir, "inner"), 0);
	scoped_fd int inner = openat(dir, "inner", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(btrfs_subvol_create(inner, "deep"), 0);
	put(&vol, "inner/deep/a", "1");
	assert_false(storage_driver_can_send(&vol, STORAGE_STREAM_BTRFS));

	OK(storage_driver_snapshot_create(&snap, NULL, err));
	put(&vol, "inner/deep/a", "2");
	assert_file(&snap, "inner/deep/a", "1");
	OK(storage_driver_volume_copy(&copy, &snap, NULL, err));
	put(&copy, "inner/deep/a", "3");
	OK(storage_driver_snapshot_restore(&vol, "s0", NULL, err));
	assert_file(&vol, "inner/deep/a", "1");
	OK(storage_driver_volume_delete(&snap, NULL, err));
	OK(storage_driver_volume_delete(&copy, NULL, err));
	OK(storage_driver_volume_delete(&vol, NULL, err));
}

static void pool_grows(void **state)
{
	struct fixture *f = *state;
	scoped(smap_done) struct smap old = { 0 };
	struct storage_space before, after;
	scoped(error_freep) struct error *refused = NULL;

	if (strcmp(f->driver, "btrfs") != 0)
		return;
	smap_copy(&old, &f->config);
	OK(storage_driver_pool_space(&f->pool, &before, err));
	smap_set(&f->config, "size", "512MiB");
	OK(storage_driver_pool_update(&f->pool, &old, err));
	OK(storage_driver_pool_space(&f->pool, &after, err));
	assert_true(after.total_bytes >= before.total_bytes + 200 * MIB);

	smap_copy(&old, &f->config);
	smap_set(&f->config, "size", "128MiB");
	assert_true(storage_driver_pool_update(&f->pool, &old, &refused) < 0);
	smap_set(&f->config, "size", "512MiB");
}

static void pool_in_a_directory(void **state)
{
	struct fixture *f = *state;
	scoped_free char *parent =
		strcmp(f->driver, "btrfs") == 0 ? xstrdup(f->other.path) : xstrdup(f->root);
	scoped_free char *source = xasprintf("%s/elsewhere", parent);
	scoped(smap_done) struct smap config = { 0 };
	scoped(error_freep) struct error *refused = NULL;
	struct storage_pool pool = {
		.name = "three",
		.driver = storage_driver_find(f->driver),
		.host = &f->host,
		.path = storage_layout_pool_path(f->var, "three"),
		.config = &config,
	};
	struct storage_volume vol = volume(&pool, "default_v");

	/* On btrfs: a directory of the other pool, which is within the state directory. */
	smap_set(&config, "source", source);
	if (strcmp(f->driver, "btrfs") == 0) {
		assert_true(storage_driver_pool_create(&pool, NULL, &refused) < 0);
		assert_int_equal(refused->status, 400);
		free(pool.path);
		return;
	}
	assert_int_equal(mkdir(source, 0755), 0);
	OK(storage_driver_pool_create(&pool, NULL, err));
	OK(storage_driver_pool_mount(&pool, err));
	OK(storage_driver_volume_create(&vol, NULL, err));
	put(&vol, "a", "1");
	scoped_free char *there = xasprintf("%s/custom/default_v/a", source);
	assert_true(file_exists(there));
	OK(storage_driver_volume_delete(&vol, NULL, err));
	OK(storage_driver_pool_delete(&pool, NULL, err));
	assert_false(file_exists(pool.path));
	assert_int_equal(rmdir(source), 0);
	free(pool.path);
}

static void mounts_with_an_id_map_work(void **state)
{
	struct fixture *f = *state;

	/* ext4 and btrfs can, on the kernels that these tests run on. */
	assert_true(f->pool.can_idmap);
}

static int run_table(const char *group, const char *driver, bool is_on_quota_fs)
{
	struct fixture fixture = { .driver = driver, .is_on_quota_fs = is_on_quota_fs };
	void *state = &fixture;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(pool_has_folders_and_space, state),
		cmocka_unit_test_prestate(volumes_are_apart_on_ext4, state),
		cmocka_unit_test_prestate(pool_is_found_again, state),
		cmocka_unit_test_prestate(volume_comes_and_goes, state),
		cmocka_unit_test_prestate(container_directory_is_closed, state),
		cmocka_unit_test_prestate(copy_is_whole_and_apart, state),
		cmocka_unit_test_prestate(failed_copy_leaves_nothing, state),
		cmocka_unit_test_prestate(refresh_makes_equal, state),
		cmocka_unit_test_prestate(snapshot_keeps_and_restores, state),
		cmocka_unit_test_prestate(restoring_looks_at_bytes_and_leaves_nothing, state),
		cmocka_unit_test_prestate(what_was_cut_off_is_removed, state),
		cmocka_unit_test_prestate(volume_is_replaced_in_one_step, state),
		cmocka_unit_test_prestate(rename_takes_snapshots_along, state),
		cmocka_unit_test_prestate(block_volume_is_a_file, state),
		cmocka_unit_test_prestate(volume_travels, state),
		cmocka_unit_test_prestate(volume_travels_in_passes, state),
		cmocka_unit_test_prestate(aborted_passes_leave_nothing, state),
		cmocka_unit_test_prestate(cancelled_transfer_leaves_nothing, state),
		cmocka_unit_test_prestate(snapshot_travels_before_its_volume, state),
		cmocka_unit_test_prestate(nested_subvolumes_come_along, state),
		cmocka_unit_test_prestate(mounts_with_an_id_map_work, state),
		cmocka_unit_test_prestate(pool_in_a_directory, state),
		cmocka_unit_test_prestate(size_is_a_limit, state),
		cmocka_unit_test_prestate(pool_grows, state),
	};

	if (set_up(&fixture) == SKIPPED) {
		printf("%s: skipped, no project quotas here\n", group);
		remove_root(&fixture);
		return 0;
	}
	int failed = _cmocka_run_group_tests(group, tests, COUNT_OF(tests), NULL, NULL);
	tear_down(&fixture);
	return failed;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "forkrsync") == 0)
		return storage_rsync_helper(argc - 1, argv + 1);
	if (geteuid() != 0 || !command_exists("rsync") || !command_exists("mkfs.btrfs"))
		return SKIPPED;

	signal(SIGPIPE, SIG_IGN);
	/* Whatever is mounted goes with this process. */
	if (unshare(CLONE_NEWNS) < 0 || mount_make_private("/") < 0)
		return SKIPPED;

	return run_table("dir", "dir", false) + run_table("dir with quotas", "dir", true) +
	       run_table("btrfs", "btrfs", false);
}
