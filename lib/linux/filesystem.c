#include "lib/linux/filesystem.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/macro.h"

struct magic {
	uint32_t magic;
	const char *name;
};

/* clang-format off */
static const struct magic magics[] = {
	{ BTRFS_SUPER_MAGIC,     "btrfs" },
	{ EXT4_SUPER_MAGIC,      "ext4" },
	{ XFS_SUPER_MAGIC,       "xfs" },
	{ F2FS_SUPER_MAGIC,      "f2fs" },
	{ TMPFS_MAGIC,           "tmpfs" },
	{ RAMFS_MAGIC,           "ramfs" },
	{ OVERLAYFS_SUPER_MAGIC, "overlayfs" },
	{ NFS_SUPER_MAGIC,       "nfs" },
	{ FUSE_SUPER_MAGIC,      "fuse" },
	{ 0x2fc12fc1,            "zfs" },
	{ 0x00c36400,            "ceph" },
	{ 0xca451a4e,            "bcachefs" },
};
/* clang-format on */

int filesystem_type(const char *path, char **ret_type)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return -errno;

	uint32_t magic = (uint32_t)fs.f_type;
	for (size_t i = 0; i < COUNT_OF(magics); i++) {
		if (magics[i].magic == magic) {
			*ret_type = xstrdup(magics[i].name);
			return 0;
		}
	}
	*ret_type = xasprintf("0x%x", magic);
	return 0;
}

bool filesystem_is_btrfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (uint32_t)fs.f_type == BTRFS_SUPER_MAGIC;
}

int filesystem_space(const char *path, struct filesystem_space *ret_space)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return -errno;

	uint64_t block = fs.f_frsize > 0 ? fs.f_frsize : fs.f_bsize;
	*ret_space = (struct filesystem_space){
		.used_bytes = (fs.f_blocks - fs.f_bfree) * block,
		.total_bytes = fs.f_blocks * block,
		.free_bytes = fs.f_bavail * block,
		.used_inodes = fs.f_files - fs.f_ffree,
		.total_inodes = fs.f_files,
	};
	return 0;
}

void filesystem_spread(int dir)
{
	int flags;

	if (ioctl(dir, FS_IOC_GETFLAGS, &flags) < 0 || flags & FS_TOPDIR_FL)
		return;
	flags |= FS_TOPDIR_FL;
	(void)ioctl(dir, FS_IOC_SETFLAGS, &flags);
}

int filesystem_make(const char *fstype, const char *path, const char *label, bool force,
                    struct error **err)
{
	scoped_free char *program = xasprintf("mkfs.%s", fstype);
	const char *argv[8] = { program };
	size_t n = 1;

	if (!command_exists(program))
		return error_set(err, 412, "Required tool \"%s\" is missing", program);

	if (label) {
		argv[n++] = "-L";
		argv[n++] = label;
	}
	if (force)
		argv[n++] = strcmp(fstype, "ext4") == 0 ? "-F" : "-f";
	argv[n++] = "--";
	argv[n++] = path;

	scoped(command_done) struct command c = { .argv = argv, .timeout_ms = 600000 };
	if (command_check(&c, err) < 0)
		return error_wrap(err, "Failed creating %s filesystem on \"%s\"", fstype, path);

	return 0;
}
