/* Routes of internal. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table internal_routes;
