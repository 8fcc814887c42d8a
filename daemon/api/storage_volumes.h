/* Routes of storage volumes. */
#pragma once

#include "daemon/api/route.h"
#include "daemon/storage/storage_volume.h"

struct request;

extern const struct route_table storage_volumes_routes;

/* The project whose custom volumes the request is about; owned by the caller. */
int storage_volumes_project(struct request *req, char **ret_project, struct error **err);

/* For route_owner: the member of the custom volume or instance in the path, or ?target=. */
int storage_volumes_owner(struct request *req, char **ret_member, struct error **err);

/*
 * The custom volume in the path: 400 for other types, of which instances and images take care. The
 * project is owned by the caller.
 */
int storage_volumes_id(struct request *req, char **ret_project, struct storage_volume_id *ret_id,
                       struct error **err);
