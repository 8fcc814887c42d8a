/*
 * Changing the owner of every file below a directory by an id map, for filesystems that cannot be
 * mounted with one.
 *
 * Owners, groups, the ids in POSIX ACLs and the root id in file capabilities change; mode bits that
 * chown(2) clears are put back. Links are changed, never followed; the walk stays on one device and
 * changes a file with several names once. Ids that the map does not have are left as they are. The
 * tree must not be in use; half a job cannot be told from a whole one later.
 */
#pragma once

#include "lib/linux/idmap.h"

struct cancel;

enum idmap_shift {
	IDMAP_SHIFT_TO_HOST,   /* Ids as inside become ids of the host: before a container runs. */
	IDMAP_SHIFT_FROM_HOST, /* The reverse. */
};

/* 'cancel' may be NULL. -ECANCELED when it fires; the tree is then half done. */
int idmap_shift_tree(int dir_fd, const struct idmap *map, enum idmap_shift direction,
                     struct cancel *cancel);
