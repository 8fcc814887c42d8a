#include "daemon/api/instances_owner.h"

#include "daemon/core/request.h"
#include "db/cache.h"
#include "lib/base/alloc.h"

int instances_owner(struct request *req, char **ret_member, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = request_view(req, DB_INSTANCES, &view, err);
	if (r < 0)
		return r;

	const struct db_expanded *row =
		db_cache_instance(view, req->project, request_param(req, "name"));
	if (!row)
		return error_set(err, 404, "Instance not found");

	*ret_member = xstrdup(row->row.member);
	return 0;
}
