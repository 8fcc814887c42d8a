/* Routes of events. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table events_routes;
