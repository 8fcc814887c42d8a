/* Names of SFTP as files beneath a root, with the guest's links followed as the guest would. */
#pragma once

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Opens the folder that holds the last part of 'path', and yields that part. -EISDIR for the root,
 * which is in none.
 */
int sftp_path_parent(int root, const char *path, char ret_name[NAME_MAX + 1]);

/* What it names: the link itself, or what it leads to. */
int sftp_path_lstat(int root, const char *path, struct stat *ret_st);
int sftp_path_stat(int root, const char *path, struct stat *ret_st);

/*
 * Opens a regular file or a directory; anything else would block or act when it is opened: -EINVAL.
 * With O_CREAT a file is made with 'mode' if there is none.
 */
int sftp_path_open(int root, const char *path, int flags, mode_t mode);
