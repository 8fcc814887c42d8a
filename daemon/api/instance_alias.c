#include "daemon/api/instance_alias.h"

#include "daemon/api/route.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/net/http_exchange.h"

#define INSTANCES "/1.0/instances"

static const struct {
	const char *path;
	enum db_instance_type type;
} names[] = {
	{ "/1.0/containers", DB_INSTANCE_CONTAINER },
	{ "/1.0/virtual-machines", DB_INSTANCE_VM },
};

/* The name by which the request came: an index, or -1. */
static int name_of(const struct request *req)
{
	const char *path = http_exchange_path(req->exchange);

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *rest = str_after(path, names[i].path);

		if (rest && (*rest == '\0' || *rest == '/'))
			return (int)i;
	}

	return -1;
}

int instance_alias_check(struct request *req, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	int name = name_of(req);

	if (name < 0 || !str_starts(req->route->path, INSTANCES "/{name}"))
		return 0;

	int r = request_view(req, DB_INSTANCES, &view, err);
	if (r < 0)
		return r;

	const struct db_expanded *row =
		db_cache_instance(view, req->project, request_param(req, "name"));
	if (row && row->row.type != (int64_t)names[name].type)
		return error_set(err, 404, "Instance not found");

	return 0;
}

char *instance_alias_url(const struct request *req, const char *url)
{
	const char *rest = str_after(url, INSTANCES);
	int name = name_of(req);

	return name < 0 || !rest ? xstrdup(url) : xasprintf("%s%s", names[name].path, rest);
}
