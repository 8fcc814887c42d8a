/* Routes of metadata. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table metadata_routes;
