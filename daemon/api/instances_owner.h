/* Which member answers for an instance: for the route tables of all that is below one. */
#pragma once

#include "lib/base/error.h"

struct request;

/* A route_owner: the member of the instance {name}; 404 when there is none. */
int instances_owner(struct request *req, char **ret_member, struct error **err);
