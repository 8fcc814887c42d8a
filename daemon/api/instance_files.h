/* Routes of instance files, and of SFTP. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table instance_files_routes;
