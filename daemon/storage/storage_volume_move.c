/* Moves of custom volumes: to another pool or project, or from another member to this one. */
#include <stdlib.h>
#include <string.h>

#include "cluster/connect.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_usage.h"
#include "daemon/storage/storage_volume.h"
#include "daemon/storage/storage_volume_users.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/net/url.h"

#define DELETE_MS 600000

/* On its member, which looks once more whether it is in use. */
static int delete_there(struct state *state, const char *member, const struct storage_volume_id *id,
                        struct error **err)
{
	scoped_free char *project = url_escape(id->project);
	scoped_free char *pool = url_escape(id->pool);
	scoped_free char *name = url_escape(id->name);
	scoped_free char *path = xasprintf("/1.0/storage-pools/%s/volumes/custom/%s?project=%s",
	                                   pool, name, project);
	const struct connect_call call = {
		.method = "DELETE",
		.path = path,
		.timeout_ms = DELETE_MS,
	};

	return connect_call_member(state->cluster, member, &call, NULL, err);
}

int storage_volume_move(struct state *state, struct operation *operation,
                        const struct storage_volume_id *id, const char *member,
                        const struct storage_volume_id *to, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(state);
	const struct db_storage_volume *row = NULL;
	const struct storage_volume_new copy = {
		.id = *to,
		.source = *id,
		.source_member = member ? member : here,
	};

	int r = db_cache_view(state->cache, STORAGE_FAMILIES, &view, err);
	if (r == 0)
		r = storage_volume_find(view, id, copy.source_member, &row, err);
	if (r < 0)
		return r;
	/* Devices name a pool and a volume of their own member and project. */
	bool is_in_use = storage_usage_is_in_use(view, row, true);
	if (is_in_use && (member || strcmp(id->project, to->project) != 0))
		return error_set(err, 400, "The storage volume is still in use");
	r = storage_volume_users_check(view, row, err);
	if (r == 0)
		r = storage_volume_create(state, operation, &copy, err);
	if (r < 0)
		return r;
	if (member)
		return delete_there(state, member, id, err);

	r = is_in_use ? storage_volume_users_follow(state, id, to, false, err) : 0;
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_volume_delete(state, NULL, to, &ignored);
		return r;
	}
	return storage_volume_delete(state, operation, id, err);
}
