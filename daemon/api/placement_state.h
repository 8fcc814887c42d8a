/* Where the instances of a placement group are, and whether its rule lets them be there. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table placement_state_routes;
