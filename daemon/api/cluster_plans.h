/* Routes of cluster plans. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table cluster_plans_routes;
