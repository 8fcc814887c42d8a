#include "daemon/instance/instance_volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/state.h"
#include "daemon/storage/storage_usage.h"
#include "daemon/storage/storage_volume.h"
#include "daemon/storage/storage_volume_snapshot.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define KEY "volatile.attached_volumes"

/* One volume with the snapshot that belongs to the instance's. */
struct attached {
	const struct db_storage_volume *row; /* Of the view. */
	struct storage_volume_id id;
	char *snapshot; /* Name; NULL if it is gone. */
	bool is_exclusive;
};

/* All of one instance, with what keeps their rows alive. */
struct volumes {
	struct db_view *view;
	ARRAY_OF(struct attached) list;
};

static void volumes_done(struct volumes *v)
{
	for (size_t i = 0; i < v->list.n_items; i++)
		free(v->list.items[i].snapshot);
	ARRAY_DONE(&v->list);
	db_cache_view_unref(v->view);
}

int instance_volumes_parse_mode(const char *mode, bool *ret_is_all, struct error **err)
{
	if (!str_is_empty(mode) && strcmp(mode, "root") != 0 && strcmp(mode, "all-exclusive") != 0)
		return error_set(err, 400, "Invalid disk volumes mode \"%s\"", mode);

	*ret_is_all = str_equals(mode, "all-exclusive");
	return 0;
}

/* What can have snapshots: files of ISO images never change. */
static int load_volumes(const struct instance *inst, struct volumes *v, struct error **err)
{
	int r = db_cache_view(inst->state->cache, STORAGE_FAMILIES, &v->view, err);
	if (r < 0)
		return r;

	const struct db_expanded *now =
		db_cache_instance(v->view, inst->row->row.project, inst->row->row.name);
	const struct db_storage_volumes *rows = db_cache_volumes(v->view);
	for (size_t i = 0; now && i < rows->n; i++) {
		const struct db_storage_volume *row = &rows->rows[i];

		if (row->type != DB_VOLUME_CUSTOM || row->content == DB_CONTENT_ISO ||
		    !storage_usage_is_of(v->view, row, now))
			continue;
		const struct attached volume = {
			.row = row,
			.id = { row->project, row->pool, row->name },
			.is_exclusive = !storage_usage_is_shared(v->view, row, now),
		};
		ARRAY_ADD(&v->list, volume);
	}
	return 0;
}

static void delete_snapshot(const struct instance *inst, const struct storage_volume_id *id,
                            const char *snapshot)
{
	scoped(error_freep) struct error *err = NULL;

	if (storage_volume_snapshot_delete(inst->state, NULL, id, snapshot, &err) < 0)
		log_warn("Failed removing snapshot \"%s\" of volume \"%s\" again: %s", snapshot,
		         id->name, err->msg);
}

/* Takes one under the next name of the volume, and notes its UUID. */
static int take(const struct instance *inst, struct operation *op, struct attached *volume,
                int64_t expires, struct json_object *map, struct error **err)
{
	scoped_free char *name = NULL;
	scoped_free char *uuid = NULL;

	int r = storage_volume_snapshot_name(inst->state, &volume->id, &name, err);
	if (r == 0)
		r = storage_volume_snapshot_check(inst->state, &volume->id, name, err);
	if (r < 0)
		return r;

	const struct storage_volume_snapshot_new new = {
		.name = name,
		.expires = expires,
		.has_expiry = true,
	};
	r = storage_volume_snapshot_create(inst->state, op, &volume->id, &new, err);
	if (r < 0)
		return r;
	volume->snapshot = TAKE_PTR(name);
	r = storage_volume_snapshot_uuid_of(inst->state, &volume->id, volume->snapshot, &uuid, err);
	if (r == 0)
		jv_set_string(map, smap_get_or(&volume->row->config, "volatile.uuid", ""), uuid);
	return r;
}

int instance_volumes_snapshot(const struct instance *inst, struct operation *op, int64_t expires,
                              char **ret_json, struct error **err)
{
	scoped(volumes_done) struct volumes v = { 0 };
	scoped(jv_unrefp) struct json_object *map = jv_object();

	int r = load_volumes(inst, &v, err);
	for (size_t i = 0; r == 0 && i < v.list.n_items; i++) {
		struct attached *volume = &v.list.items[i];

		if (!volume->is_exclusive)
			continue;
		r = take(inst, op, volume, expires, map, err);
		if (r < 0)
			r = error_wrap(err, "Failed snapshotting volume \"%s\"", volume->id.name);
	}
	for (size_t i = 0; r < 0 && i < v.list.n_items; i++)
		if (v.list.items[i].snapshot)
			delete_snapshot(inst, &v.list.items[i].id, v.list.items[i].snapshot);
	if (r < 0)
		return r;

	*ret_json = json_object_object_length(map) > 0 ? jv_print_text(map, NULL) : NULL;
	return 0;
}

/* 404 if the volume is no longer the instance's; the snapshot's name stays NULL if that is gone. */
static int find_pair(const struct instance *inst, struct volumes *v, const char *volume_uuid,
                     const char *snapshot_uuid, struct attached **ret_volume, struct error **err)
{
	for (size_t i = 0; i < v->list.n_items; i++) {
		struct attached *volume = &v->list.items[i];

		if (!str_equals(smap_get(&volume->row->config, "volatile.uuid"), volume_uuid))
			continue;
		*ret_volume = volume;
		return storage_volume_snapshot_name_of(inst->state, &volume->id, snapshot_uuid,
		                                       &volume->snapshot, err);
	}
	return error_set(err, 404, "Volume \"%s\" of the snapshot is no longer attached to \"%s\"",
	                 volume_uuid, inst->row->row.name);
}

/* The object that the config holds; an empty one without the key. */
static int parse_map(const char *json, struct json_object **ret_map, struct error **err)
{
	if (str_is_empty(json)) {
		*ret_map = jv_object();
		return 0;
	}
	int r = jv_parse_object(json, strlen(json), ret_map, err);
	return r < 0 ? error_wrap(err, "Failed reading \"" KEY "\"") : 0;
}

/* Fills 'v' with the pairs of a snapshot, all of them exclusive and there. */
static int load_pairs(const struct instance *inst, const char *json, struct volumes *v,
                      struct error **err)
{
	scoped(jv_unrefp) struct json_object *map = NULL;

	int r = parse_map(json, &map, err);
	if (r == 0)
		r = load_volumes(inst, v, err);
	if (r < 0)
		return r;

	JV_FOREACH (map, uuid, value) {
		struct attached *volume = NULL;

		r = find_pair(inst, v, uuid, str_or_empty(jv_string(value)), &volume, err);
		if (r < 0)
			return r;
		if (!volume->snapshot)
			return error_set(err, 404,
			                 "Snapshot of volume \"%s\" does not exist any more",
			                 volume->id.name);
		if (!volume->is_exclusive)
			return error_set(err, 400, "Volume \"%s\" is used by other instances too",
			                 volume->id.name);
	}
	return 0;
}

int instance_volumes_check(const struct instance *inst, const struct db_instance_snapshot *snapshot,
                           struct error **err)
{
	scoped(volumes_done) struct volumes v = { 0 };

	return load_pairs(inst, smap_get(&snapshot->config, KEY), &v, err);
}

int instance_volumes_restore(const struct instance *inst, struct operation *op,
                             const struct db_instance_snapshot *snapshot, struct error **err)
{
	scoped(volumes_done) struct volumes v = { 0 };

	int r = load_pairs(inst, smap_get(&snapshot->config, KEY), &v, err);
	for (size_t i = 0; r == 0 && i < v.list.n_items; i++) {
		const struct attached *volume = &v.list.items[i];
		const struct storage_volume_change change = { .restore = volume->snapshot,
			                                      .is_stopped = true };

		if (!volume->snapshot)
			continue;
		r = storage_volume_update(inst->state, op, &volume->id, &change, err);
		if (r < 0)
			r = error_wrap(err, "Failed restoring volume \"%s\"", volume->id.name);
	}
	return r;
}

static int delete_pairs(const struct instance *inst, struct operation *op, const char *json,
                        struct error **err)
{
	scoped(volumes_done) struct volumes v = { 0 };
	scoped(jv_unrefp) struct json_object *map = NULL;

	int r = parse_map(json, &map, err);
	if (r == 0)
		r = load_volumes(inst, &v, err);
	if (r < 0)
		return r;

	JV_FOREACH (map, uuid, value) {
		scoped(error_freep) struct error *gone = NULL;
		struct attached *volume = NULL;

		if (find_pair(inst, &v, uuid, str_or_empty(jv_string(value)), &volume, &gone) < 0 ||
		    !volume->snapshot)
			continue;
		r = storage_volume_snapshot_delete(inst->state, op, &volume->id, volume->snapshot,
		                                   err);
		if (r < 0 && r != -ENOENT)
			return error_wrap(err, "Failed deleting the snapshot of volume \"%s\"",
			                  volume->id.name);
		if (r < 0)
			error_clear(err);
	}
	return 0;
}

int instance_volumes_delete(const struct instance *inst, struct operation *op,
                            const struct db_instance_snapshot *snapshot, struct error **err)
{
	return delete_pairs(inst, op, smap_get(&snapshot->config, KEY), err);
}

void instance_volumes_undo(const struct instance *inst, const char *json)
{
	scoped(error_freep) struct error *err = NULL;

	if (json && delete_pairs(inst, NULL, json, &err) < 0)
		log_warn("Failed removing snapshots of \"%s\" again: %s", inst->row->row.name,
		         err->msg);
}
