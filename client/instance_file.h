/* Files in an instance, one request each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "client/server.h"
#include "lib/base/error.h"

enum instance_file_type { INSTANCE_FILE, INSTANCE_DIRECTORY, INSTANCE_SYMLINK };

/* What a file is; owner and mode below zero are left to the server. */
struct instance_file {
	enum instance_file_type type;
	int64_t uid, gid;
	int mode;
};

/* A place in an instance. */
struct instance_path {
	struct server *server;
	const char *instance; /* Borrowed. */
	const char *path;     /* Begins with a slash; borrowed. */
};

/*
 * Reads one: a file goes to 'sink_fd' (below zero: into '*ret_text'), a link's target into
 * '*ret_text', a directory's names into '*ret_names'. Each of them may be NULL and is owned by the
 * caller.
 */
int instance_file_get(const struct instance_path *at, int sink_fd, struct instance_file *ret_file,
                      char **ret_text, struct json_object **ret_names, struct error **err);

/* Writes a file from the position of 'fd' on; 'size' bytes. */
int instance_file_put(const struct instance_path *at, const struct instance_file *file, int fd,
                      uint64_t size, struct error **err);

/* Makes a directory, a link to 'target' or an empty file. */
int instance_file_make(const struct instance_path *at, const struct instance_file *file,
                       const char *target, struct error **err);

int instance_file_delete(const struct instance_path *at, bool force, struct error **err);

/* Makes the directories that are missing above 'at', as mkdir -p would. */
int instance_file_make_parents(const struct instance_path *at, const struct instance_file *like,
                               struct error **err);
