/* SQL on the databases, for "musterd sql": root on the unix socket only. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table internal_sql_routes;
