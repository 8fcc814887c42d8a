/* Routes of metrics. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table metrics_routes;
