/* Whole files: read them, replace them in one step. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/macro.h"

/*
 * Reads a whole file. '*ret' is owned by the caller and has a NUL behind it; 'ret_size' may be
 * NULL. -EFBIG beyond 'max' bytes. Works on files of /proc and /sys too.
 */
int file_read(const char *path, size_t max, char **ret, size_t *ret_size);
int file_read_at(int dir, const char *name, size_t max, char **ret, size_t *ret_size);

/*
 * Replaces a file: written beside it, synced, renamed over it, the directory synced. Readers see
 * the old or the new one, also after a power cut. It has exactly 'mode'.
 */
int file_replace(const char *path, const void *data, size_t size, mode_t mode);
int file_replace_at(int dir, const char *name, const void *data, size_t size, mode_t mode);

/* One write() into an existing file, as /proc and /sys want it. */
int file_put(const char *path, const char *text);
int file_put_at(int dir, const char *name, const char *text);
int file_putf(const char *path, const char *fmt, ...) PRINTF(2, 3);

/* Appends to a file, which is made with 'mode' if it is not there. */
int file_append(const char *path, const void *data, size_t size, mode_t mode);

/* Follows links; anything but a clear yes is a no. */
bool file_exists(const char *path);
bool file_is_dir(const char *path);

/* Takes an exclusive lock (flock) on a file made on demand. Returns the fd, -EWOULDBLOCK if held.
 */
int file_lock(const char *path, mode_t mode);

/* As mkdir -p; parents get 0755 (less the umask) if they are made, the last one 'mode'. */
int file_make_dirs(const char *path, mode_t mode);

/* Syncs the directory that holds 'path'. */
int file_sync_parent(const char *path);
