/* What members ask of each other about pools and images. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table internal_storage_routes;
