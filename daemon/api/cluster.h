/* Routes of cluster. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table cluster_routes;
