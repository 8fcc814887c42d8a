/*
 * Bringing an earlier copy of an instance up to date ("refresh"): its disk becomes what the
 * source's is, snapshots that the source lost or has anew under the same name go, new ones come. Of
 * the files only what differs is carried over. Config, devices and profiles stay the copy's own.
 */
#pragma once

#include "daemon/instance/instance_create.h"
#include "lib/base/error.h"

struct json_object;
struct request;

/*
 * Whether the body of POST /1.0/instances asks to refresh an instance that exists: 1, and then
 * 'ret_inst' is that one and 'ret_filling' what to do, both owned by the caller; 0 if not (a
 * refresh of nothing is a copy). 400, 403, 404 for a source that cannot be.
 */
int instance_refresh_parse(struct request *req, struct json_object *body,
                           struct instance **ret_inst, struct instance_filling *ret_filling,
                           struct error **err);

/* On the copy's member. 400 if it runs. What a failure leaves is a disk between the two. */
int instance_refresh(struct state *state, const char *project, const char *name,
                     const struct instance_filling *filling, struct operation *op,
                     struct error **err);
