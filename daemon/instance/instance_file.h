/*
 * Files of an instance through the API, whether it runs or not.
 *
 * A running one is looked at from inside its namespaces. One that is stopped has its root disk
 * mounted for the time, and may not be started, moved or deleted meanwhile. What can be done with
 * the session that this yields is in drivers/instance/instance_files.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/instance/instance.h"
#include "drivers/instance/instance_files.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct cancel;
struct state;

/* Access to the files of one instance. */
struct instance_file;

/* 'cancel' (may be NULL) ends the wait for whoever is working on a stopped instance. */
int instance_file_open(struct state *state, const char *project, const char *name,
                       struct cancel *cancel, struct instance_file **ret_file, struct error **err);
void instance_file_close(struct instance_file *file);
DEFINE_SCOPED(struct instance_file *, instance_file_close);

/* Both borrowed. */
const struct instance *instance_file_instance(const struct instance_file *file);
struct instance_files *instance_file_session(struct instance_file *file);

/* What a file becomes when it is sent. */
struct instance_file_push {
	enum instance_file_type type;
	enum instance_file_write how;
	struct instance_file_attr attr;     /* For what is new ... */
	bool sets_mode, sets_uid, sets_gid; /* ... and these for what is there, too. */
	int fd;                             /* The content of a regular file. */
	const char *target;                 /* Of a link. */
};

/*
 * Makes or writes it. What exists keeps owner and mode unless the push says otherwise; a directory
 * that is there is left as it is.
 */
int instance_file_put(struct instance_file *file, const char *path,
                      const struct instance_file_push *push, struct error **err);

/*
 * A socket that speaks SFTP about all files of the instance, confined to its root: our end, the
 * caller's. 'ret_file' is closed, on a thread that may block, when the socket is.
 */
int instance_file_sftp(struct state *state, const char *project, const char *name,
                       struct cancel *cancel, int *ret_fd, struct instance_file **ret_file,
                       struct error **err);
