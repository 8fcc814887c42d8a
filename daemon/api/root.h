/* The root: which versions of the API there are. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table root_routes;
