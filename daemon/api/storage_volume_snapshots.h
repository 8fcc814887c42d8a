/* Routes of the snapshots of storage volumes. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table storage_volume_snapshots_routes;
