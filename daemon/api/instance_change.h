#pragma once

#include "daemon/api/route.h"

extern const struct route_table instance_change_routes;
