/* Routes of warnings. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table warnings_routes;
