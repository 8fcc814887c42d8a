/* Routes of resources. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table resources_routes;
