/*
 * Custom volumes on their way into instances.
 *
 * Volumes of dir and btrfs pools are reachable as long as their pool is, so nothing is mounted per
 * volume; this resolves and checks, and says how the volume is to be bound.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "daemon/storage/storage_volume.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"

void storage_attached_done(struct storage_attached *attached)
{
	free(attached->path);
	*attached = (struct storage_attached){ 0 };
}

/* The row as this member sees it: its own, else a shared one. */
static const struct db_storage_volume *find_row(const struct db_view *view, const char *member,
                                                const struct storage_volume_id *id)
{
	const struct db_storage_volumes *rows = db_cache_volumes(view);

	for (size_t i = 0; i < rows->n; i++) {
		const struct db_storage_volume *row = &rows->rows[i];

		if (row->type == DB_VOLUME_CUSTOM && strcmp(row->pool, id->pool) == 0 &&
		    strcmp(row->project, id->project) == 0 && strcmp(row->name, id->name) == 0 &&
		    (*row->member == '\0' || strcmp(row->member, member) == 0))
			return row;
	}
	return NULL;
}

int storage_volume_mount(struct state *state, const struct storage_volume_id *id,
                         struct storage_attached *ret_attached, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped_free char *member = state_member_name(state);

	int r = db_cache_view(state->cache, DB_VOLUMES, &view, err);
	if (r < 0)
		return r;
	const struct db_storage_volume *row = find_row(view, member, id);
	if (!row)
		return error_set(err, 404, "Storage volume not found");
	r = storage_ref_init(state, id->pool, STORAGE_CUSTOM, id->project, id->name, &ref, err);
	if (r < 0)
		return r;

	ref.vol.content = (enum storage_content)row->content;
	bool is_block = ref.vol.content != STORAGE_FILESYSTEM;
	*ret_attached = (struct storage_attached){
		.path = is_block ? storage_driver_image_path(&ref.vol)
		                 : storage_driver_volume_path(&ref.vol),
		.is_block = is_block,
		.is_readonly = ref.vol.content == STORAGE_ISO,
		.is_bound_as_is = !ref.vol.pool->can_idmap ||
		                  parse_is_true(smap_get(&row->config, "security.unmapped")),
	};
	return 0;
}

int storage_volume_unmount(struct state *state, const struct storage_volume_id *id,
                           struct error **err)
{
	return 0;
}
