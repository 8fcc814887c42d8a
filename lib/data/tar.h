/*
 * An entry of a tar archive, as tar_read and tar_write share it.
 *
 * These are thin wrappers of libarchive: they judge nothing. Who unpacks an archive of somebody
 * else checks names and link targets itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tar_xattr {
	const char *name;
	const void *value;
	size_t size;
};

struct tar_entry {
	const char *path;
	const char *hardlink; /* Path in the archive that this is another name of, or NULL. */
	const char *symlink;  /* Target, for S_IFLNK. */
	mode_t mode;          /* With the type; 0 type for a hard link. */
	uint32_t uid;
	uint32_t gid;
	uint64_t size; /* Bytes of data. */
	dev_t rdev;    /* For devices. */
	int64_t mtime; /* Nanoseconds since 1970. */

	/* POSIX ACLs as "user::rwx,user:1000:r-x,...", or NULL. To be set after the mode. */
	const char *acl_access;
	const char *acl_default;
	const struct tar_xattr *xattrs;
	size_t n_xattrs;
};
