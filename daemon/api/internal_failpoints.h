/* What tests do to the failpoints (lib/base/failpoint.h) of a daemon that runs. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table internal_failpoints_routes;
