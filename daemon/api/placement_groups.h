/* Routes of placement groups. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table placement_groups_routes;
