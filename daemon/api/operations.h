/* Routes of operations. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table operations_routes;
