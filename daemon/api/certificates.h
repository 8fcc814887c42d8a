/* Routes of certificates. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table certificates_routes;
