#include <stddef.h>

#include "daemon/api/certificates.h"
#include "daemon/api/events.h"
#include "daemon/api/internal.h"
#include "daemon/api/internal_cluster.h"
#include "daemon/api/internal_sql.h"
#include "daemon/api/operations.h"
#include "daemon/api/profiles.h"
#include "daemon/api/projects.h"
#include "daemon/api/root.h"
#include "daemon/api/route.h"
#include "daemon/api/server.h"

const struct route_table *const route_tables[] = {
	&root_routes,
	&server_routes,
	&certificates_routes,
	&events_routes,
	&operations_routes,
	&profiles_routes,
	&projects_routes,
	&internal_routes,
	&internal_cluster_routes,
	&internal_sql_routes,
	NULL,
};
