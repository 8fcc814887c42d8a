/* Block devices and loop devices. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool block_is_device(const char *path);

/* The size of a block device in bytes. */
int block_size(const char *path, uint64_t *ret_size);

/* Overwrites the places where filesystems, partition tables and volume managers put their marks. */
int block_wipe(const char *path);

/*
 * Makes a loop device of a file. It goes away by itself when the descriptor that is returned is
 * closed and nothing else (a mount) uses it. '*ret_device' ("/dev/loop0") is owned by the caller.
 */
int block_loop_attach(const char *file, char **ret_device);

/* The loop device of a file, owned by the caller; -ENOENT if it has none. */
int block_loop_find(const char *file, char **ret_device);

/* Tells the loop device that its file has grown. */
int block_loop_refresh(const char *device);
