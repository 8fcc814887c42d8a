/* Routes of internal cluster. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table internal_cluster_routes;
