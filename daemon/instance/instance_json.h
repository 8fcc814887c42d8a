/*
 * Instances as the API shows them.
 *
 * What is in the database comes from a view; what only the kernel of the instance's member knows
 * (status, state) comes from this member's engine or, for others, from struct instance_remote: one
 * request per member for the whole list, never one per instance.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct json_object;

/* Beside the bits of enum instance_state_part: what the root disk uses. */
#define INSTANCE_JSON_DISK (1U << 16)
#define INSTANCE_JSON_ALL (INSTANCE_STATE_USAGE | INSTANCE_STATE_NETWORK | INSTANCE_JSON_DISK)

/* The API's words for a status, and its codes. */
struct instance_status_name {
	const char *text; /* "Running" */
	int code;         /* 103 */
};
struct instance_status_name instance_json_status(enum instance_status status);

/* For instances of members that cannot be asked: "Error", 112. */
struct instance_status_name instance_json_status_unknown(void);

/*
 * Recursion 1: what GET /1.0/instances/NAME answers. 'status' NULL: that of this member's engine.
 * Owned by the caller.
 */
struct json_object *instance_json(const struct instance *inst,
                                  const struct instance_status_name *status);

/* The same in two parts, without "status" and "status_code", which are between them. */
void instance_json_add_head(const struct instance *inst, struct json_object *obj);
void instance_json_add_tail(const struct instance *inst, struct json_object *obj);

/*
 * Adds "state", "snapshots" and "backups" for recursion 2; 'state' is taken and may be NULL.
 */
void instance_json_add_full(const struct instance *inst, struct json_object *obj,
                            struct json_object *state_take);

/* The state of an instance of this member; 'parts' are those bits. Owned by the caller. */
int instance_json_state(const struct instance *inst, uint32_t parts, struct json_object **ret_state,
                        struct error **err);

/* One snapshot: GET .../snapshots/NAME. Owned by the caller. */
struct json_object *instance_json_snapshot(const struct instance *inst,
                                           const struct db_instance_snapshot *row);

/* What the ETag is made of: the parts that PUT takes. Owned by the caller. */
struct json_object *instance_json_etag(const struct db_instance *row);

/* A devices map. Owned by the caller. */
struct json_object *instance_json_devices(const struct db_devices *devices);
