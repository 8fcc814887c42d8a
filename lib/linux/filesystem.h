/* What kind of filesystem something is on, how much space it has, and making new ones. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct filesystem_space {
	uint64_t used_bytes, total_bytes, free_bytes; /* Free is what root may still use. */
	uint64_t used_inodes, total_inodes;           /* 0 where inodes are not counted. */
};

/* "btrfs", "ext4", "xfs", "tmpfs", "zfs", "overlayfs", "nfs", or "0x..." for others; owned. */
int filesystem_type(const char *path, char **ret_type);

bool filesystem_is_btrfs(const char *path);

int filesystem_space(const char *path, struct filesystem_space *ret_space);

/*
 * Says that the directories in this one have nothing to do with each other. ext4 then begins each
 * in a block group of its own; otherwise all are near their parent, where without a journal the
 * search for a free inode passes all that were removed in the last minutes. With one it makes no
 * difference that could be measured (docs/PERFORMANCE.md). Others know no such thing, and nothing
 * happens.
 */
void filesystem_spread(int dir);

/*
 * Makes a filesystem on a device or in a file. 'label' may be NULL. Refuses one that holds
 * something already unless 'force'. 412 if its mkfs is missing.
 */
int filesystem_make(const char *fstype, const char *path, const char *label, bool force,
                    struct error **err);
