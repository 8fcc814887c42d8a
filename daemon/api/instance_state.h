/* Routes of instance state. */
#pragma once

#include "daemon/api/route.h"
#include "lib/base/error.h"

struct instance_power_request;
struct json_object;

/* {"action", "timeout", "force", "stateful"}; 400. */
int instance_state_read(struct json_object *body, struct instance_power_request *ret_request,
                        struct error **err);

extern const struct route_table instance_state_routes;
