#include <stddef.h>

#include "daemon/api/certificates.h"
#include "daemon/api/cluster.h"
#include "daemon/api/cluster_groups.h"
#include "daemon/api/cluster_members.h"
#include "daemon/api/cluster_plans.h"
#include "daemon/api/events.h"
#include "daemon/api/image_aliases.h"
#include "daemon/api/images.h"
#include "daemon/api/images_create.h"
#include "daemon/api/images_remote.h"
#include "daemon/api/instance_change.h"
#include "daemon/api/instance_console.h"
#include "daemon/api/instance_exec.h"
#include "daemon/api/instance_files.h"
#include "daemon/api/instance_logs.h"
#include "daemon/api/instance_metadata.h"
#include "daemon/api/instance_move.h"
#include "daemon/api/instance_snapshots.h"
#include "daemon/api/instance_state.h"
#include "daemon/api/instances.h"
#include "daemon/api/instances_bulk.h"
#include "daemon/api/internal.h"
#include "daemon/api/internal_cluster.h"
#include "daemon/api/internal_failpoints.h"
#include "daemon/api/internal_sql.h"
#include "daemon/api/internal_storage.h"
#include "daemon/api/metadata.h"
#include "daemon/api/metrics.h"
#include "daemon/api/operations.h"
#include "daemon/api/placement_groups.h"
#include "daemon/api/placement_state.h"
#include "daemon/api/profiles.h"
#include "daemon/api/projects.h"
#include "daemon/api/resources.h"
#include "daemon/api/root.h"
#include "daemon/api/route.h"
#include "daemon/api/server.h"
#include "daemon/api/storage_pools.h"
#include "daemon/api/storage_volume_snapshots.h"
#include "daemon/api/storage_volumes.h"
#include "daemon/api/storage_volumes_create.h"
#include "daemon/api/warnings.h"

const struct route_table *const route_tables[] = {
	&root_routes,
	&server_routes,
	&certificates_routes,
	&cluster_routes,
	&cluster_members_routes,
	&cluster_groups_routes,
	&cluster_plans_routes,
	&events_routes,
	&image_aliases_routes,
	&images_routes,
	&images_create_routes,
	&images_remote_routes,
	&instances_routes,
	&instances_bulk_routes,
	&instance_change_routes,
	&instance_console_routes,
	&instance_exec_routes,
	&instance_files_routes,
	&instance_logs_routes,
	&instance_metadata_routes,
	&instance_move_routes,
	&instance_snapshots_routes,
	&instance_state_routes,
	&metadata_routes,
	&metrics_routes,
	&operations_routes,
	&placement_groups_routes,
	&placement_state_routes,
	&profiles_routes,
	&projects_routes,
	&resources_routes,
	&storage_pools_routes,
	&storage_volumes_routes,
	&storage_volumes_create_routes,
	&storage_volume_snapshots_routes,
	&warnings_routes,
	/* Between members, and for tools on the unix socket. */
	&internal_routes,
	&internal_cluster_routes,
	&internal_failpoints_routes,
	&internal_sql_routes,
	&internal_storage_routes,
	NULL,
};
