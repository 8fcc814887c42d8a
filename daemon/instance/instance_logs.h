/*
 * Log files of an instance, and what its commands wrote when that is recorded.
 *
 * They are in $MUSTER_DIR/logs/ID and its folder "exec-output". Only files with the names that the
 * API gives out are shown, and only regular ones.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct json_object;

enum instance_logs_kind {
	INSTANCE_LOGS_OF_DRIVER, /* lxc.log, lxc.conf */
	INSTANCE_LOGS_OF_EXEC,   /* exec_UUID.stdout and .stderr */
};

/* Their URLs, sorted: "/1.0/instances/NAME/logs/FILE". Owned by the caller. */
int instance_logs_list(const struct instance *inst, enum instance_logs_kind kind,
                       struct json_object **ret_urls, struct error **err);

/* Opens one for reading, the caller's: 400 for no such name, 404 if it is not there. */
int instance_logs_open(const struct instance *inst, enum instance_logs_kind kind, const char *name,
                       int *ret_fd, uint64_t *ret_size, struct error **err);

/* Removes one. 400 for what the driver goes on writing. */
int instance_logs_delete(const struct instance *inst, enum instance_logs_kind kind,
                         const char *name, struct error **err);

/* Makes the two files for the command of the operation 'id', the caller's: stdout and stderr. */
int instance_logs_record(const struct instance *inst, const char *id, int ret_fds[2],
                         struct error **err);

/* {"1": URL, "2": URL} of these. Owned by the caller. */
struct json_object *instance_logs_recorded(const char *instance_name, const char *id);
