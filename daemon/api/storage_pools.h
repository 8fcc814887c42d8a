/* Routes of storage pools. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table storage_pools_routes;
