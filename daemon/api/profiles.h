/* Routes of profiles. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table profiles_routes;
