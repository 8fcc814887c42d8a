/*
 * The files of an instance, as its own root sees them.
 *
 * A session is a helper process confined to the instance's root: no path or link leads outside,
 * owners are the instance's own ids. It has a deadline per call, so that a filesystem of the
 * guest that hangs holds up nobody for long. One call at a time per session.
 *
 * Errors are as LXD words them below its own prefix: 404 "file does not exist", 400 "is a
 * directory", "directory not empty", "not a directory", 403 "permission denied".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct instance_files;

enum instance_file_type {
	INSTANCE_FILE_REGULAR,
	INSTANCE_FILE_DIRECTORY,
	INSTANCE_FILE_SYMLINK,
	INSTANCE_FILE_OTHER, /* Sockets, fifos, devices: they are listed, never read. */
};

struct instance_file_info {
	enum instance_file_type type;
	mode_t mode; /* Permission bits. */
	uid_t uid;   /* Inside. */
	gid_t gid;
	uint64_t size;
	int64_t modified; /* Seconds since 1970. */
};

/* The API's "file", "directory", "symlink"; "other". */
const char *instance_files_type_name(enum instance_file_type type);

/* About the file itself; a link is not followed. */
int instance_files_stat(struct instance_files *files, const char *path,
                        struct instance_file_info *ret_info, struct error **err);

/*
 * Reads it. A regular file: 'ret_fd' is a descriptor to read from the start, the caller's. A
 * directory: 'ret_names' is a vector of names, a symlink: 'ret_names' has one entry, its target;
 * the caller's, to be freed with strv_free(). The other output is -1 or NULL. A link is not
 * followed.
 */
int instance_files_get(struct instance_files *files, const char *path,
                       struct instance_file_info *ret_info, int *ret_fd, char ***ret_names,
                       struct error **err);

enum instance_file_write {
	INSTANCE_FILE_OVERWRITE,
	INSTANCE_FILE_APPEND,
};

/* Permission bits and owner to give; -1 leaves what is, or 0644 (0755) and 0 for what is new. */
struct instance_file_attr {
	int mode;
	int64_t uid;
	int64_t gid;
};

/* Writes a regular file from 'fd', which is read to its end. Follows a link inside the root. */
int instance_files_put(struct instance_files *files, const char *path, int fd,
                       const struct instance_file_attr *attr, enum instance_file_write how,
                       struct error **err);

/* An existing directory is fine and gets the attributes. */
int instance_files_mkdir(struct instance_files *files, const char *path,
                         const struct instance_file_attr *attr, struct error **err);

/* Replaces an existing link. */
int instance_files_symlink(struct instance_files *files, const char *path, const char *target,
                           const struct instance_file_attr *attr, struct error **err);

/* A file, link or empty directory; with 'recursive' whatever is there. */
int instance_files_delete(struct instance_files *files, const char *path, bool recursive,
                          struct error **err);

/*
 * For drivers: a session with a helper that speaks enum ct_job_file on 'socket'. Both descriptors
 * become the session's.
 */
struct instance_files *instance_files_new(int socket, int pidfd);

/* Ends the session; its helper is gone when this returns. */
void instance_files_free(struct instance_files *files);
DEFINE_SCOPED(struct instance_files *, instance_files_free);
