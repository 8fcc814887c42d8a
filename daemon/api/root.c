#include "daemon/api/root.h"

#include "daemon/core/response.h"
#include "lib/data/jv.h"

static int root_get(struct request *req, struct response *res, struct error **err)
{
	struct json_object *versions = jv_array();

	(void)req;
	(void)err;
	jv_add_string(versions, "/1.0");
	response_sync(res, versions);
	return 0;
}

static const struct route routes[] = {
	{ .method = "GET", .path = "/", .handler = root_get, .access = ACCESS_ANYONE },
};

const struct route_table root_routes = ROUTE_TABLE(routes);
