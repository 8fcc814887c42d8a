/* Routes of instance metadata. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table instance_metadata_routes;
