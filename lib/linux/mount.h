/*
 * Mounts: making, moving, removing and looking at them.
 *
 * Uses the new mount API where the kernel has it. Everything returns negative errno; paths are
 * absolute.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/scoped.h"

struct mount_entry {
	uint32_t id;
	uint32_t parent;
	unsigned int major, minor;
	char *root;    /* Which part of the filesystem is mounted. */
	char *target;  /* Where. */
	char *options; /* Per mount. */
	char *fstype;
	char *source;
	char *fs_options; /* Per filesystem. */
};

struct mount_table {
	struct mount_entry *entries; /* In the kernel's order: later ones hide earlier ones. */
	size_t n_entries;
};

void mount_table_done(struct mount_table *table);

/* Reads /proc/self/mountinfo. */
int mount_table_read(struct mount_table *ret_table);

/* Parses text in the form of /proc/PID/mountinfo. -EINVAL for any line that is wrong. */
int mount_table_parse(const char *text, struct mount_table *ret_table);

/* The topmost mount at exactly 'target', or NULL. Borrowed from 'table'. */
const struct mount_entry *mount_table_find(const struct mount_table *table, const char *target);

/* 1 if something is mounted at exactly 'path', 0 if not. Does not trigger automounts. */
int mount_is_mountpoint(const char *path);

/*
 * Mounts 'source' (a device, or what 'fstype' wants) at 'target'. 'options' is as in fstab
 * ("ro,noatime,compress=zstd"): generic words become flags, the others go to the filesystem. NULL
 * means none.
 */
int mount_filesystem(const char *source, const char *target, const char *fstype,
                     const char *options);

/*
 * Splits fstab options into MS_ flags and the filesystem's own, which the caller frees; that is
 * NULL if there are none. -EINVAL for control characters and backslashes.
 */
int mount_parse_options(const char *options, unsigned long *ret_flags, char **ret_data);

/* Binds 'source' to 'target', with what is mounted below it if 'recursive'. */
int mount_bind(const char *source, const char *target, bool recursive);

/* Binds 'source' read-only: no moment passes in which it can be written through 'target'. */
int mount_bind_readonly(const char *source, const char *target);

/* Binds 'source' so that its owners appear through the map of 'userns_fd'. */
int mount_bind_idmapped(const char *source, const char *target, int userns_fd, bool readonly);

/*
 * 1 if the filesystem that holds 'path' can be mounted with an id map here, 0 if not. Tries it,
 * without leaving a mount anywhere. Needs root.
 */
int mount_can_idmap(const char *path);

/* Makes the mount at 'target' and those below it private to this namespace. */
int mount_make_private(const char *target);

/*
 * Unmounts everything that is mounted at 'target', topmost first; retries for a moment while busy,
 * then -EBUSY. 0 if nothing is mounted there.
 */
int mount_remove(const char *target);

/* The same, at once: what is busy disappears from the tree and goes when its last user does. */
int mount_detach(const char *target);
