/* Routes of instances. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table instances_routes;
