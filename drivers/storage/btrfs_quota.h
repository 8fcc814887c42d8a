/*
 * Quota groups of btrfs: what a subvolume uses, and its limit.
 *
 * Each subvolume has a group of its own (0/ID) once quotas are switched on; switching them on
 * counts the filesystem in the background.
 */
#pragma once

#include <stdint.h>

/* Switches quotas on; they may be on already. */
int btrfs_quota_enable(int fd);

/* 1 if quotas are on, 0 if not. */
int btrfs_quota_is_enabled(int fd);

/* The limit of the subvolume 'fd' in bytes, 0 for none. */
int btrfs_quota_set_limit(int fd, uint64_t bytes);

/* What it refers to, what only it refers to, and its limit (0: none). -ENOENT without quotas. */
int btrfs_quota_usage(int fd, uint64_t *ret_referenced, uint64_t *ret_exclusive,
                      uint64_t *ret_limit);

/* Removes the group of a subvolume that is gone. */
int btrfs_quota_forget(int fd, uint64_t subvol_id);
