/* Changes of a custom volume's description and keys, and going back to a snapshot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "daemon/storage/storage_usage.h"
#include "daemon/storage/storage_volume.h"
#include "daemon/storage/storage_volume_snapshot.h"
#include "db/cache.h"
#include "drivers/storage/storage_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

struct update {
	const struct storage_volume_id *id;
	const char *member;
	const struct storage_volume_change *change;
	const struct storage_driver *driver;
	struct smap before, after; /* The keys; set by the transaction. */
};

struct json_object *storage_volume_etag(const struct db_storage_volume *row)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", row->name);
	jv_set_int(o, "type", row->type);
	jv_set_string(o, "description", row->description);
	jv_set_smap(o, "config", &row->config);
	return o;
}

/* What the daemon noted is not the client's to change, nor to drop. */
static void merge_config(const struct storage_volume_change *change, const struct smap *now,
                         struct smap *next)
{
	if (change->merge || !change->config)
		smap_copy(next, now);
	if (change->config) {
		SMAP_FOREACH (e, change->config) {
			smap_set(next, e->key, *e->value ? e->value : NULL);
		}
	}
	smap_unset_prefix(next, "volatile.");
	SMAP_FOREACH (e, now) {
		if (str_starts(e->key, "volatile."))
			smap_set(next, e->key, e->value);
	}
}

static int write_update(struct db_tx *tx, void *arg, struct error **err)
{
	struct update *u = arg;
	scoped(db_storage_volume_done) struct db_storage_volume row = { 0 };
	scoped(jv_unrefp) struct json_object *etag = NULL;

	int r = storage_rows_get(tx, u->member, STORAGE_VOLUME_KEY(u->id), &row, err);
	if (r < 0)
		return r;
	etag = storage_volume_etag(&row);
	if (u->change->req && request_check_etag(u->change->req, etag, err) < 0)
		return (*err)->code;

	smap_copy(&u->before, &row.config);
	smap_clear(&u->after);
	merge_config(u->change, &row.config, &u->after);
	r = storage_conf_check_volume(u->driver, STORAGE_CUSTOM, (enum storage_content)row.content,
	                              u->id->name, &u->after, err);
	if (r < 0)
		return r;
	smap_copy(&row.config, &u->after);
	if (u->change->description) {
		free(row.description);
		row.description = xstrdup(u->change->description);
	}
	return db_storage_volume_update(tx, &row, err);
}

/* After the size could not be set: the keys as they were. */
static int write_back(struct db_tx *tx, void *arg, struct error **err)
{
	const struct update *u = arg;
	scoped(db_storage_volume_done) struct db_storage_volume row = { 0 };

	int r = storage_rows_get(tx, u->member, STORAGE_VOLUME_KEY(u->id), &row, err);
	if (r < 0)
		return r;
	smap_copy(&row.config, &u->before);
	return db_storage_volume_update(tx, &row, err);
}

static int apply_size(struct state *state, struct update *u, struct storage_ref *ref,
                      struct error **err)
{
	uint64_t before = storage_conf_size(&u->before, NULL);

	ref->vol.size = storage_conf_size(&u->after, NULL);
	if (ref->vol.size == before)
		return 0;
	int r = storage_driver_volume_resize(&ref->vol, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		db_write(state->db, write_back, u, &ignored);
	}
	return r;
}

static int restore(struct state *state, const struct storage_volume_id *id, struct storage_ref *ref,
                   const char *snapshot, struct op *op, struct error **err)
{
	struct storage_volume snap = storage_ref_snapshot(ref, snapshot);

	if (storage_layout_check_name("snapshot name", snapshot, err) < 0 ||
	    storage_volume_snapshot_check_known(state, id, snapshot, err) < 0)
		return (*err)->code;
	if (!storage_driver_volume_exists(&snap))
		return error_set(err, 404, "Storage volume snapshot not found");
	return storage_driver_snapshot_restore(&ref->vol, snapshot, op, err);
}

int storage_volume_update(struct state *state, struct operation *operation,
                          const struct storage_volume_id *id,
                          const struct storage_volume_change *change, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped_free char *member = state_member_name(state);
	const struct db_storage_volume *row;
	struct op op = storage_service_op(operation);
	struct update u = { .id = id, .member = member, .change = change };

	int r = storage_volume_here(state, id, STORAGE_FAMILIES, &view, &row, err);
	if (r == 0)
		r = storage_volume_ref(state, id, (enum storage_content)row->content, &ref, err);
	if (r == 0)
		r = storage_ref_lock(state, &ref, operation, &lock, err);
	if (r < 0)
		return r;
	if (change->restore) {
		if (!change->is_stopped && storage_usage_is_running(view, row))
			return error_set(err, 400,
			                 "Cannot restore custom volume used by running instances");
		r = restore(state, id, &ref, change->restore, &op, err);
		if (r == 0)
			storage_volume_event(operation, id, "storage-volume-restored");
		return r;
	}

	assert(ref.vol.pool);
	u.driver = ref.vol.pool->driver;
	r = db_write(state->db, write_update, &u, err);
	if (r == 0)
		r = apply_size(state, &u, &ref, err);
	smap_done(&u.before);
	smap_done(&u.after);
	if (r == 0)
		storage_volume_event(operation, id, "storage-volume-updated");
	return r;
}
