/* /1.0: the server itself, its environment and configuration. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table server_routes;
