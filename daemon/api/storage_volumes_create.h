/* Routes that make storage volumes: empty, as a copy, from an upload. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table storage_volumes_create_routes;
