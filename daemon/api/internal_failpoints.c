#include "daemon/api/internal_failpoints.h"

#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "lib/base/failpoint.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int check_built(struct error **err)
{
	return failpoint_exists() ? 0 : error_set(err, 404, "Not found");
}

/* Those that are armed: [{"name", "subject", "passed"}]. */
static int failpoints_get(struct request *req, struct response *res, struct error **err)
{
	size_t n = 0;

	(void)req;
	int r = check_built(err);
	if (r < 0)
		return r;

	struct failpoint_armed *items = failpoint_armed_list(&n);
	struct json_object *list = jv_array();
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = jv_object();

		jv_set_string(item, "name", items[i].name);
		jv_set_string(item, "subject", items[i].subject);
		jv_set_uint(item, "passed", items[i].n_passed);
		jv_add_take(list, item);
	}
	failpoint_armed_free(items, n);
	response_sync(res, list);
	return 0;
}

/* {"arm": "..."}: that and nothing else. */
static int failpoints_put(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *spec = NULL;

	int r = check_built(err);
	if (r == 0)
		r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_string(body, "arm", &spec, err);
	if (r >= 0)
		r = failpoint_arm(str_or_empty(spec), err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET", .path = "/internal/testing/failpoints", .handler = failpoints_get, .access = ACCESS_PEER },
	{ .method = "PUT", .path = "/internal/testing/failpoints", .handler = failpoints_put, .access = ACCESS_PEER },
};
/* clang-format on */

const struct route_table internal_failpoints_routes = ROUTE_TABLE(routes);
