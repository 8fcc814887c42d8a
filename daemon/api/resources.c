#include "daemon/api/resources.h"

#include "daemon/api/resources_bus.h"
#include "daemon/api/resources_cpu.h"
#include "daemon/core/environment.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "lib/data/jv.h"

static int resources_get(struct request *req, struct response *res, struct error **err)
{
	const struct environment *env = req->state->environment;
	struct json_object *o = jv_object();

	(void)err;
	jv_set_take(o, "cpu", resources_cpu_json(env->architecture));
	jv_set_take(o, "memory", resources_cpu_memory());
	jv_set_take(o, "gpu", resources_bus_gpu(env->kernel_version));
	jv_set_take(o, "network", resources_bus_network(env->kernel_version));
	jv_set_take(o, "storage", resources_bus_storage());
	jv_set_take(o, "usb", resources_bus_usb());
	jv_set_take(o, "pci", resources_bus_pci(env->kernel_version));
	jv_set_take(o, "system", resources_bus_system());
	response_sync(res, o);
	return 0;
}

static const struct route routes[] = {
	{ .method = "GET",
	  .path = "/1.0/resources",
	  .handler = resources_get,
	  .access = ACCESS_ENTITLED,
	  .entity = "server",
	  .entitlement = "can_view_resources",
	  .placement = ON_TARGET,
	  .extension = "resources" },
};

const struct route_table resources_routes = ROUTE_TABLE(routes);
