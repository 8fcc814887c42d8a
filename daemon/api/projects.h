/* Routes of projects. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table projects_routes;
