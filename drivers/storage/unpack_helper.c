/*
 * What is unpacked was written by a stranger, and libarchive and unsquashfs parse it. So before
 * they see a byte of it, this process makes sure that there is little to win: everything but the
 * target is read-only or out of reach, and of root's capabilities those remain that make files.
 */
#include "drivers/storage/unpack_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/storage/unpack_tar.h"
#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/compress.h"
#include "lib/data/libarchive.h"
#include "lib/linux/mount.h"

#define ARCHIVE_FD 3
#define TARGET_FD 4
#define MAX_MEMORY (UINT64_C(3) * 1024 * 1024 * 1024)
#define POLL_US 50000

#if defined(__has_feature)
#	if __has_feature(address_sanitizer)
#		define HAS_SANITIZER 1
#	endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#	define HAS_SANITIZER 1
#endif

static const cap_value_t kept_caps[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
};

static bool is_kept(cap_value_t cap)
{
	for (size_t i = 0; i < COUNT_OF(kept_caps); i++)
		if (kept_caps[i] == cap)
			return true;

	return false;
}

static int drop_caps(struct error **err)
{
	for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
		if (!is_kept(cap) && cap_drop_bound(cap) < 0)
			return error_set_errno(err, -errno, "Failed dropping capabilities");

	cap_t caps = cap_init();
	int n = (int)COUNT_OF(kept_caps);
	int r = cap_set_flag(caps, CAP_PERMITTED, n, kept_caps, CAP_SET);
	if (r == 0)
		r = cap_set_flag(caps, CAP_EFFECTIVE, n, kept_caps, CAP_SET);
	if (r == 0)
		r = cap_set_proc(caps);
	r = r < 0 ? -errno : 0;
	cap_free(caps);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r < 0 ? error_set_errno(err, r, "Failed dropping capabilities") : 0;
}

static void limit_resources(void)
{
	const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
#ifndef HAS_SANITIZER
	const struct rlimit memory = { MAX_MEMORY, MAX_MEMORY };

	setrlimit(RLIMIT_AS, &memory);
#endif
}

/*
 * All mounts become read-only, but one of the target that was cloned before; it is attached over
 * the target, whose path is returned.
 */
static int wall_off(char **ret_path, struct error **err)
{
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
	char fd_name[FD_PATH_SIZE], path[PATH_MAX];

	ssize_t n = readlink(fd_path(TARGET_FD, fd_name), path, sizeof(path) - 1);
	if (n < 0)
		return error_set_errno(err, -errno, "Failed finding the target");
	path[n] = '\0';

	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) < 0)
		return error_set_errno(err, -errno, "Failed making a mount namespace");
	int r = mount_make_private("/");
	if (r < 0)
		return error_set_errno(err, r, "Failed making mounts private");

	scoped_fd int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return error_set_errno(err, -errno, "Failed cloning the target's mount");
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &readonly, sizeof(readonly)) < 0)
		return error_set_errno(err, -errno, "Failed making mounts read-only");
	if (move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_set_errno(err, -errno, "Failed mounting the target");

	*ret_path = xstrdup(path);
	return 0;
}

/* What unsquashfs wrote so far, as the kernel counts it. */
static uint64_t bytes_written(pid_t pid)
{
	scoped_free char *path = xasprintf("/proc/%d/io", pid);
	scoped_free char *text = NULL;
	uint64_t bytes = 0;

	if (file_read(path, 4096, &text, NULL) < 0)
		return 0;
	const char *line = strstr(text, "wchar: ");
	if (!line)
		return 0;
	line += strlen("wchar: ");
	scoped_free char *number = xasprintf("%.*s", (int)strcspn(line, "\n"), line);
	return parse_uint64(number, &bytes) == 0 ? bytes : 0;
}

static int unpack_squashfs(const char *path, const struct unpack_tar_limits *limits,
                           struct error **err)
{
	const char *argv[] = { "unsquashfs", "-force", "-no-progress",    "-quiet",
		               "-dest",      path,     "/proc/self/fd/3", NULL };
	const int fds[] = { ARCHIVE_FD };
	scoped_free char *text = NULL;
	size_t size;
	pid_t pid;
	int status;

	scoped_fd int errors = fd_memfd("unsquashfs");
	if (errors < 0)
		return error_set_errno(err, errors, "Failed making a file");
	const struct command c = {
		.argv = argv,
		.fds = fds,
		.n_fds = 1,
		.stdout_fd = errors,
		.stderr_fd = errors,
	};
	int r = command_start(&c, &pid);
	if (r < 0)
		return error_set(err, 412, "Required tool \"unsquashfs\" is missing");

	/* It has no limit of its own for what it writes. */
	while ((r = waitpid(pid, &status, WNOHANG)) == 0) {
		if (limits->max_bytes > 0 && bytes_written(pid) > limits->max_bytes) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			return error_set(err, 413, "Archive unpacks to more than %" PRIu64 " bytes",
			                 limits->max_bytes);
		}
		usleep(POLL_US);
	}
	if (r < 0)
		return error_set_errno(err, -errno, "Failed waiting for unsquashfs");
	/* 2: all files are there, but not all attributes could be kept. */
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2))
		return 0;

	if (lseek(errors, 0, SEEK_SET) < 0 || fd_read_all(errors, 65536, &text, &size) < 0)
		text = xstrdup("");
	scoped_free char *message = str_chomp(text);
	return error_set(err, 400, "Invalid squashfs: %.500s", message);
}

static int unpack(enum unpack_form form, const struct unpack_tar_limits *limits, struct error **err)
{
	scoped_free char *path = NULL;

	int kind = compress_detect_fd(ARCHIVE_FD);
	if (kind < 0 || kind == COMPRESS_QCOW2)
		return error_set(err, 400, "Invalid archive: unknown format");
	if (kind == COMPRESS_SQUASHFS && form == UNPACK_IMAGE)
		return error_set(err, 400, "Invalid image: a squashfs has no metadata");

	int r = wall_off(&path, err);
	if (r < 0)
		return r;
	assert(path);
	if (kind == COMPRESS_SQUASHFS) {
		r = drop_caps(err);
		return r < 0 ? r : unpack_squashfs(path, limits, err);
	}

	/* libarchive must not find a program to run for an exotic compression either. */
	if (chdir(path) < 0 || chroot(".") < 0)
		return error_set_errno(err, -errno, "Failed entering the target");
	r = drop_caps(err);
	if (r < 0)
		return r;
	scoped_fd int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_set_errno(err, -errno, "Failed opening the target");
	return unpack_tar(ARCHIVE_FD, dir, form, limits, err);
}

static int read_metadata(bool needs_rootfs, struct error **err)
{
	scoped_free char *text = NULL;
	int kind = compress_detect_fd(ARCHIVE_FD);

	if (kind < 0 || kind == COMPRESS_QCOW2 || kind == COMPRESS_SQUASHFS)
		return error_set(err, 400, "Invalid image: not a tar archive");
	if (chdir("/proc/self/fdinfo") < 0 || chroot(".") < 0)
		return error_set_errno(err, -errno, "Failed leaving the filesystem");
	int r = drop_caps(err);
	if (r == 0)
		r = unpack_tar_metadata(ARCHIVE_FD, needs_rootfs, &text, err);
	if (r < 0)
		return r;
	assert(text);
	r = fd_write_full(STDOUT_FILENO, text, strlen(text));
	return r < 0 ? error_set_errno(err, r, "Failed writing metadata") : 0;
}

int unpack_helper(int argc, char **argv)
{
	scoped(error_freep) struct error *err = NULL;
	struct unpack_tar_limits limits = { 0 };

	if (argc != 4 || parse_uint64(argv[2], &limits.max_bytes) < 0 ||
	    parse_uint64(argv[3], &limits.max_inodes) < 0) {
		fprintf(stderr, "500 Invalid arguments\n");
		return 1;
	}

	compress_init_locale();
	if (libarchive_load(&err) < 0) {
		fprintf(stderr, "%d %s\n", err->status, err->msg);
		return 1;
	}
	limit_resources();
	if (lseek(ARCHIVE_FD, 0, SEEK_SET) < 0)
		error_set_errno(&err, -errno, "Failed reading the archive");
	else if (strcmp(argv[1], "image") == 0)
		unpack(UNPACK_IMAGE, &limits, &err);
	else if (strcmp(argv[1], "tree") == 0)
		unpack(UNPACK_TREE, &limits, &err);
	else if (strcmp(argv[1], "metadata") == 0)
		read_metadata(false, &err);
	else if (strcmp(argv[1], "rootfs-metadata") == 0)
		read_metadata(true, &err);
	else
		error_set(&err, 500, "Invalid arguments");

	if (err)
		fprintf(stderr, "%d %s\n", err->status, err->msg);
#ifdef HAS_SANITIZER
	/* The search for leaks at exit wants a /proc, which is out of reach by now. */
	_exit(err ? 1 : 0);
#endif
	return err ? 1 : 0;
}
