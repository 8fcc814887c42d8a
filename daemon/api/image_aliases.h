/* Routes of image aliases. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table image_aliases_routes;
