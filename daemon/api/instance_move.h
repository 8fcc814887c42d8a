/* POST /1.0/instances/{name} with ?target= or "migration": to another member, pool or project. */
#pragma once

#include "daemon/api/route.h"
#include "lib/base/error.h"

struct instance;
struct json_object;
struct request;
struct response;

extern const struct route_table instance_move_routes;

int instance_move_post(struct request *req, struct response *res, const struct instance *inst,
                       struct json_object *body, struct error **err);
