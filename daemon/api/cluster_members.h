/* Routes of cluster members. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table cluster_members_routes;
