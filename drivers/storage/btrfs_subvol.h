/*
 * Subvolumes of btrfs, by the kernel's own calls.
 *
 * Everything returns negative errno. Directories are given as descriptors, so that nothing can be
 * put in the way of a path meanwhile. Nested subvolumes are those that lie inside of another; a
 * container may make some.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"

/* 1 if 'fd' is the top of a subvolume, 0 if it is something else. */
int btrfs_subvol_is_one(int fd);

int btrfs_subvol_create(int dir, const char *name);

/*
 * Makes 'name' in 'dir' a snapshot of 'source' with the subvolumes nested in it. Undone if it fails
 * halfway.
 */
int btrfs_subvol_snapshot(int source, int dir, const char *name, bool readonly);

/* Removes 'name' in 'dir' and the subvolumes nested in it. -ENOENT if it is not there. */
int btrfs_subvol_delete(int dir, const char *name);

/* Removes the subvolumes nested in 'fd' only. */
int btrfs_subvol_delete_nested(int fd);

int btrfs_subvol_set_readonly(int fd, bool readonly);
int btrfs_subvol_is_readonly(int fd);

/* Its number on the filesystem. */
int btrfs_subvol_id(int fd, uint64_t *ret_id);

/*
 * The paths of the subvolumes nested in 'fd', relative to it, those that hold others before them;
 * ends with NULL, owned by the caller.
 */
int btrfs_subvol_nested(int fd, char ***ret_paths);

/*
 * Writes a send stream of the read-only subvolume 'fd' to 'pipe', relative to the read-only
 * 'parent'
 * (-1: all of it). Blocks until the reader has it all.
 */
int btrfs_subvol_send(int fd, int parent, int pipe);

/* Waits until what was removed and written before is on disk. */
int btrfs_subvol_sync(int fd);
