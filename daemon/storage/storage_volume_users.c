#include "daemon/storage/storage_volume_users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/state.h"
#include "daemon/project/project.h"
#include "daemon/storage/storage_usage.h"
#include "lib/base/alloc.h"

int storage_volume_users_check(const struct db_view *view, const struct db_storage_volume *row,
                               struct error **err)
{
	if (storage_usage_is_running(view, row))
		return error_set(err, 400, "Volume is still in use by running instances");
	return 0;
}

/* Whether any device of the list changed. */
static bool follow(const struct db_view *view, const char *project, struct db_devices *devices,
                   const struct db_storage_volume *row, const char *pool, const char *name)
{
	bool has_changed = false;

	for (size_t i = 0; i < devices->n; i++) {
		if (!storage_usage_is_device(view, project, &devices->rows[i], row))
			continue;
		smap_set(&devices->rows[i].config, "pool", pool);
		smap_set(&devices->rows[i].config, "source", name);
		has_changed = true;
	}
	return has_changed;
}

static int follow_instance(struct db_tx *tx, const struct db_view *view,
                           const struct db_instance *known, const struct db_storage_volume *row,
                           const char *pool, const char *name, struct error **err)
{
	scoped(db_instance_done) struct db_instance fresh = { 0 };
	const char *profile_project = NULL;

	int r = db_instance_get_by_id(tx, known->id, &fresh, err);
	if (r < 0 || !follow(view, known->project, &fresh.devices, row, pool, name))
		return r;
	r = project_effective(view, known->project, PROJECT_PROFILES, &profile_project, err);
	return r < 0 ? r : db_instance_update(tx, &fresh, profile_project, err);
}

/* Another member's volume may have the same name: then a profile means both. */
static bool is_only_one(const struct db_view *view, const struct db_storage_volume *row)
{
	const struct db_storage_volumes *rows = db_cache_volumes(view);

	for (size_t i = 0; i < rows->n; i++)
		if (rows->rows[i].id != row->id && rows->rows[i].type == row->type &&
		    strcmp(rows->rows[i].pool, row->pool) == 0 &&
		    strcmp(rows->rows[i].project, row->project) == 0 &&
		    strcmp(rows->rows[i].name, row->name) == 0)
			return false;
	return true;
}

static int follow_profile(struct db_tx *tx, const struct db_view *view,
                          const struct db_profile *known, const struct db_storage_volume *row,
                          const char *pool, const char *name, struct error **err)
{
	scoped(db_profile_done) struct db_profile now = { 0 };
	scoped(db_profile_done) struct db_profile fresh = { 0 };

	int r = db_profile_get(tx, known->project, known->name, &now, NULL, err);
	if (r < 0)
		return r;
	db_profile_copy(&fresh, &now);
	if (!follow(view, known->project, &fresh.devices, row, pool, name))
		return 0;
	if (!is_only_one(view, row))
		return error_set(err, 400,
		                 "Profile \"%s\" uses the volumes of that name of several members",
		                 known->name);
	return db_profile_update(tx, &now, &fresh, err);
}

static int follow_all(struct db_tx *tx, const struct db_view *view,
                      const struct db_storage_volume *row, const char *pool, const char *name,
                      struct error **err)
{
	const struct db_profiles *profiles = db_cache_profiles(view);
	size_t n = 0;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);

	int r = storage_volume_users_check(view, row, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (storage_usage_is_of(view, row, instances[i]))
			r = follow_instance(tx, view, &instances[i]->row, row, pool, name, err);
	for (size_t i = 0; r == 0 && i < profiles->n; i++)
		r = follow_profile(tx, view, &profiles->rows[i], row, pool, name, err);
	return r;
}

struct renaming {
	struct state *state;
	const struct storage_volume_id *id, *to;
	const char *member;
	bool is_renamed; /* Its own row changes as well. */
};

static int write_rename(struct db_tx *tx, void *arg, struct error **err)
{
	const struct renaming *n = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_storage_volume *row = NULL;

	/* Nobody else commits meanwhile, so the cache shows what the transaction sees. */
	int r = db_cache_view(n->state->cache, STORAGE_FAMILIES, &view, err);
	if (r == 0)
		r = storage_volume_find(view, n->id, n->member, &row, err);
	if (r == 0)
		r = follow_all(tx, view, row, n->to->pool, n->to->name, err);
	if (r == 0 && n->is_renamed)
		r = db_storage_volume_rename(tx, row->id, n->to->name, err);
	return r;
}

int storage_volume_users_follow(struct state *state, const struct storage_volume_id *id,
                                const struct storage_volume_id *to, bool is_renamed,
                                struct error **err)
{
	scoped_free char *member = state_member_name(state);
	struct renaming renaming = { state, id, to, member, is_renamed };

	return db_write(state->db, write_rename, &renaming, err);
}
