/* PUT /1.0/instances: one change of state for all instances of a project. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table instances_bulk_routes;
