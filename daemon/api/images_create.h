/* POST /1.0/images: uploads, and images made of instances. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table images_create_routes;
