#include "daemon/api/recursion.h"

#include "daemon/api/used_by.h"
#include "daemon/core/request.h"
#include "lib/data/jv.h"

bool recursion_needs_items(const struct request *req)
{
	return req->recursion > 0 || request_has_filter(req);
}

void recursion_add(const struct request *req, struct json_object *array, const char *url,
                   struct json_object *item_take)
{
	scoped(jv_unrefp) struct json_object *item = item_take;

	if (item)
		used_by_filter(req, item);
	if (item && !request_filter_passes(req, item))
		return;

	if (req->recursion > 0)
		jv_add_take(array, TAKE_PTR(item));
	else
		jv_add_string(array, url);
}
