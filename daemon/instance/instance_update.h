/*
 * PUT and PATCH of an instance: config, devices, profiles and the few fields beside them.
 *
 * What would result is checked as for a new instance, in the transaction that writes it, together
 * with If-Match. A running instance is then brought in line; when that fails, the rows go back to
 * what they were.
 */
#pragma once

#include <stdbool.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct json_object;
struct operation;
struct request;

/*
 * 'body' is the request's. Blocks until it is done; 'op' may be NULL. What the daemon keeps for
 * itself ("volatile.idmap.*", "volatile.last_state.*", "volatile.uuid") stays as it is, whatever
 * the body says.
 */
int instance_update(struct request *req, const char *name, struct json_object *body, bool is_patch,
                    struct operation *op, struct error **err);

/* A deep copy with config and devices as they would be; for changes of rows. */
void instance_update_copy_row(const struct db_instance *row, struct db_instance *ret_row);

/* Sets or replaces one key of a device that the instance has or inherits: "root", "pool". */
void instance_update_own_device(const struct db_expanded *expanded, struct db_instance *row,
                                const char *device, const char *key, const char *value);
