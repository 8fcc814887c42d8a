/* Routes of cluster groups. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table cluster_groups_routes;
