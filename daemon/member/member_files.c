#include "daemon/member/member_files.h"

#include "daemon/core/state.h"
#include "daemon/storage/storage_instance.h"
#include "daemon/storage/storage_transfer.h"
#include "db/cache.h"
#include "lib/base/log.h"

static int remove_one(struct state *state, const struct storage_instance *storage,
                      struct error **err)
{
	if (storage_instance_exists(state, storage))
		log_info("Removing what is left of instance \"%s\" in pool \"%s\"", storage->name,
		         storage->pool);

	int r = storage_instance_delete(state, NULL, storage, err);
	return r < 0 ? r : storage_transfer_abort(state, storage, false, err);
}

int member_files_remove(struct state *state, const char *project, const char *instance,
                        struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(state);

	int r = db_cache_view(state->cache, DB_POOLS, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_pools *pools = db_cache_pools(view);
	for (size_t i = 0; r == 0 && i < 2 * pools->n; i++) {
		const struct db_storage_pool *pool = &pools->rows[i / 2];
		const struct storage_instance storage = {
			.project = project,
			.name = instance,
			.is_vm = i % 2 == 1,
			.pool = pool->name,
			.files_only = true,
		};

		if (db_storage_pool_on(pool, here))
			r = remove_one(state, &storage, err);
	}
	return r;
}
