#include "daemon/storage/storage_schedule.h"

#include <string.h>

#include "cluster/cluster.h"
#include "daemon/core/schedule_pass.h"
#include "daemon/core/state.h"
#include "daemon/project/project_limits.h"
#include "daemon/storage/storage_usage.h"
#include "daemon/storage/storage_volume.h"
#include "daemon/storage/storage_volume_snapshot.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/strv.h"

static int take(struct state *state, const struct schedule_object *object, struct operation *op,
                struct error **err)
{
	const struct storage_volume_id id = { object->project, object->pool, object->name };
	scoped_free char *name = NULL;

	int r = storage_volume_snapshot_name(state, &id, &name, err);
	if (r == 0)
		r = storage_volume_snapshot_check(state, &id, name, err);
	if (r < 0)
		return r;
	const struct storage_volume_snapshot_new new = { .name = name };
	return storage_volume_snapshot_create(state, op, &id, &new, err);
}

static int expire(struct state *state, const struct schedule_object *object, const char *snapshot,
                  struct operation *op, struct error **err)
{
	const struct storage_volume_id id = { object->project, object->pool, object->name };

	return storage_volume_snapshot_delete(state, op, &id, snapshot, err);
}

static void start(struct schedule_pass *pass, const struct db_storage_volume *row,
                  char **expired_take)
{
	static const struct schedule_kind kind = {
		.take_text = "Creating storage volume snapshot",
		.expire_text = "Cleaning up expired volume snapshots",
		.take = take,
		.expire = expire,
	};
	scoped_free char *url = storage_usage_volume_url(row);
	scoped_free char *id = xasprintf("%lld", (long long)row->id);
	const struct schedule_object object = {
		.project = row->project,
		.pool = row->pool,
		.name = row->name,
		.id = id,
		.url = url,
	};

	schedule_pass_start(pass, &kind, &object, expired_take);
}

static bool is_ours(const struct schedule_pass *pass, const struct db_storage_volume *row,
                    const char *here)
{
	if (row->type != DB_VOLUME_CUSTOM)
		return false;
	if (*row->member)
		return strcmp(row->member, here) == 0;
	return !state_is_clustered(pass->state) || cluster_is_leader(pass->state->cluster);
}

/* Whether one was taken since, before a restart or on the member that the volume came from. */
static bool is_taken(const struct schedule_pass *pass, const struct db_storage_volume *row,
                     int64_t due)
{
	const struct storage_volume_id id = { row->project, row->pool, row->name };
	scoped(db_storage_volume_snapshot_list_done) struct db_storage_snapshots rows = { 0 };
	scoped(error_freep) struct error *ignored = NULL;
	bool is_taken = false;

	if (storage_volume_snapshot_rows(pass->state, &id, &rows, &ignored) < 0)
		return true;
	for (size_t i = 0; i < rows.n; i++)
		is_taken |= rows.rows[i].created >= due;
	return is_taken;
}

struct reading {
	int64_t now;
	struct db_storage_snapshots rows;
};

static int read_expired(struct db_tx *tx, void *arg, struct error **err)
{
	struct reading *r = arg;

	db_storage_volume_snapshot_list_done(&r->rows);
	r->rows = (struct db_storage_snapshots){ 0 };
	return db_storage_volume_snapshot_list_expired(tx, r->now, &r->rows, err);
}

static char **expired_of(const struct db_storage_snapshots *rows, int64_t volume_id)
{
	char **names = NULL;

	for (size_t i = 0; i < rows->n; i++)
		if (rows->rows[i].volume_id == volume_id)
			strv_add(&names, rows->rows[i].name);
	return names;
}

int storage_schedule_look(struct schedule_pass *pass, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(pass->state);
	struct reading expired = { .now = pass->now };

	int r = db_cache_view(pass->state->cache, DB_VOLUMES | DB_PROJECTS, &view, err);
	if (r == 0)
		r = db_read(pass->state->db, read_expired, &expired, err);
	if (r < 0) {
		db_storage_volume_snapshot_list_done(&expired.rows);
		return r;
	}

	const struct db_storage_volumes *rows = db_cache_volumes(view);
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_storage_volume *row = &rows->rows[i];

		if (!is_ours(pass, row, here))
			continue;
		char **names = expired_of(&expired.rows, row->id);
		if (names)
			start(pass, row, names);
		int64_t due = schedule_pass_due(pass, smap_get(&row->config, "snapshots.schedule"),
		                                row->id, row->created);
		if (due != DATE_NONE && project_limits_allow_snapshots(view, row->project) &&
		    !is_taken(pass, row, due))
			start(pass, row, NULL);
	}
	db_storage_volume_snapshot_list_done(&expired.rows);
	return 0;
}
