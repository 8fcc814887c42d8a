/*
 * What a tar of a stranger may do to a directory: make files below it, and nothing else.
 *
 * Every name is taken apart here. Absolute ones, ".." and empty components are refused, and the
 * archive with them. Files are made through the descriptor of their directory, which is opened
 * beneath the target without following any link, so a link that an earlier entry made cannot be
 * passed through. Hard links lead to what was unpacked. Whatever comes twice replaces what was
 * there, but for directories. Devices are made if the process may; sockets are left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/storage/unpack.h"
#include "lib/base/error.h"

struct unpack_tar_limits {
	uint64_t max_bytes;  /* 0: none. */
	uint64_t max_inodes; /* 0: none. */
};

/* Unpacks the archive at the fd's position into 'dir'. */
int unpack_tar(int fd, int dir, enum unpack_form form, const struct unpack_tar_limits *limits,
               struct error **err);

/* As unpack_metadata(), in this process. */
int unpack_tar_metadata(int fd, bool needs_rootfs, char **ret_text, struct error **err);

/*
 * Checks the name of an entry and yields it without "./" and slashes at the end, in 'ret_path' of
 * 4,096 bytes; "" is the target itself. False for a name that may not be.
 */
#define UNPACK_TAR_PATH_SIZE 4096
bool unpack_tar_path(const char *name, char ret_path[UNPACK_TAR_PATH_SIZE]);

/* Whether an entry of an image is taken: metadata.yaml, templates and what is in it, rootfs. */
bool unpack_tar_is_image_path(const char *path);
