#include "daemon/instance/instance_update.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_check.h"
#include "daemon/instance/instance_json.h"
#include "daemon/instance/instance_live.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_spec.h"
#include "daemon/project/device_map.h"
#include "daemon/project/project.h"
#include "daemon/project/project_limits.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* Keys that tell what is the case; a client that sends older ones back does not change that. */
static const char *const kept_keys[] = {
	"volatile.idmap.",      "volatile.last_state.",     "volatile.uuid",
	"volatile.base_image",  "volatile.evacuate.origin", "volatile.cluster.group",
	"volatile.cloud-init.", "volatile.apply_template",
};

struct update {
	struct request *req;
	struct json_object *body;
	bool is_patch;
	const struct instance *inst;
	struct db_expanded next; /* As it was written. */
	char *profile_project;
};

static void replace(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with);
}

void instance_update_copy_row(const struct db_instance *row, struct db_instance *ret_row)
{
	*ret_row = *row;
	ret_row->project = xstrdup(row->project);
	ret_row->name = xstrdup(row->name);
	ret_row->member = xstrdup(row->member);
	ret_row->architecture = xstrdup(row->architecture);
	ret_row->description = xstrdup(row->description);
	ret_row->config = (struct smap){ 0 };
	smap_copy(&ret_row->config, &row->config);
	ret_row->devices = (struct db_devices){ 0 };
	db_device_copy(&ret_row->devices, &row->devices);
	ret_row->profiles = strv_copy(row->profiles);
	ret_row->profile_ids = NULL;
}

void instance_update_own_device(const struct db_expanded *expanded, struct db_instance *row,
                                const char *device, const char *key, const char *value)
{
	const struct db_device *known = db_device_find(&expanded->devices, device);
	struct db_device *own = db_device_add(&row->devices, device);

	if (own->config.n_entries == 0 && known)
		smap_copy(&own->config, &known->config);
	smap_set(&own->config, key, value);
}

static void drop_empty(struct smap *config)
{
	scoped(smap_done) struct smap all = smap_take(config);

	SMAP_FOREACH (e, &all)
		if (*e->value)
			smap_set(config, e->key, e->value);
}

static bool is_kept(const char *key)
{
	for (size_t i = 0; i < COUNT_OF(kept_keys); i++)
		if (strncmp(key, kept_keys[i], strlen(kept_keys[i])) == 0)
			return true;

	return false;
}

/* What the daemon keeps is as it was. */
static void keep(const struct smap *was, struct smap *config)
{
	scoped(smap_done) struct smap all = smap_take(config);

	SMAP_FOREACH (e, &all)
		if (!is_kept(e->key))
			smap_set(config, e->key, e->value);
	SMAP_FOREACH (e, was)
		if (is_kept(e->key))
			smap_set(config, e->key, e->value);
}

/* Keys of devices that run are needed until those are gone; then nobody needs them. */
static void keep_device_keys(const struct update *u, const struct smap *was, struct smap *config)
{
	if (!instance_is_running(u->inst))
		return;

	for (size_t i = 0; i < u->inst->row->devices.n; i++) {
		scoped_free char *prefix =
			xasprintf("volatile.%s.", u->inst->row->devices.rows[i].name);

		SMAP_FOREACH (e, was)
			if (strncmp(e->key, prefix, strlen(prefix)) == 0)
				smap_set(config, e->key, e->value);
	}
}

/* Of a device that is no more, nothing is remembered. */
static void drop_device_keys(struct update *u)
{
	const struct db_devices *old = &u->inst->row->devices;

	if (instance_is_running(u->inst))
		return;

	for (size_t i = 0; i < old->n; i++) {
		scoped_free char *prefix = xasprintf("volatile.%s.", old->rows[i].name);

		if (!db_device_find(&u->next.devices, old->rows[i].name))
			smap_unset_prefix(&u->next.row.config, prefix);
	}
}

static int read_fields(struct update *u, struct db_instance *row, struct error **err)
{
	const char *architecture = NULL;
	const char *description = u->is_patch ? row->description : "";

	int r = jv_get_string(u->body, "architecture", &architecture, err);
	if (r >= 0)
		r = jv_get_string(u->body, "description", &description, err);
	if (r >= 0)
		r = jv_get_bool(u->body, "ephemeral", &row->ephemeral, err);
	if (r < 0)
		return r;

	scoped_free char *text = xstrdup(description);
	replace(&row->description, text);
	if (architecture && *architecture)
		replace(&row->architecture, architecture);
	return 0;
}

static int apply_put(struct update *u, struct db_instance *row, struct error **err)
{
	scoped(smap_done) struct smap was = smap_take(&row->config);

	db_device_list_done(&row->devices);
	row->devices = (struct db_devices){ 0 };
	strv_free(row->profiles);
	row->profiles = NULL;
	row->ephemeral = false;

	int r = read_fields(u, row, err);
	if (r >= 0)
		r = jv_get_smap(u->body, "config", &row->config, err);
	if (r >= 0)
		r = instance_check_read_devices(u->body, "devices", &row->devices, err);
	if (r >= 0)
		r = jv_get_strv(u->body, "profiles", &row->profiles, err);
	if (r < 0)
		return r;

	drop_empty(&row->config);
	keep(&was, &row->config);
	keep_device_keys(u, &was, &row->config);
	return 0;
}

static int apply_patch(struct update *u, struct db_instance *row, struct error **err)
{
	scoped(smap_done) struct smap given = { 0 };
	scoped(smap_done) struct smap was = { 0 };

	smap_copy(&was, &row->config);
	int r = read_fields(u, row, err);
	if (r >= 0)
		r = jv_get_smap(u->body, "config", &given, err);
	if (r >= 0)
		r = device_map_merge(u->body, "devices", &row->devices, err);
	if (r >= 0)
		r = jv_get_strv(u->body, "profiles", &row->profiles, err);
	if (r < 0)
		return r;

	smap_merge(&row->config, &given);
	drop_empty(&row->config);
	keep(&was, &row->config);
	return 0;
}

/* A pool is changed by moving the instance there. */
static int check_root(const struct update *u, struct error **err)
{
	const struct db_device *old = instance_root_disk(&u->inst->row->devices);
	const struct db_device *new = instance_root_disk(&u->next.devices);

	if (old && new &&strcmp(smap_get_or(&old->config, "pool", ""),
	                        smap_get_or(&new->config, "pool", "")) != 0)
		return error_set(
			err, 400,
			"The storage pool of the root disk can only be changed through move");

	return 0;
}

/* u->next from 'row' and the body; everything that is wrong with it is found here. */
static int prepare(struct update *u, const struct db_view *view, const struct db_instance *row,
                   struct error **err)
{
	scoped(jv_unrefp) struct json_object *etag = instance_json_etag(row);

	int r = request_check_etag(u->req, etag, err);
	if (r < 0)
		return r;

	instance_check_expanded_done(&u->next);
	instance_update_copy_row(row, &u->next.row);
	r = u->is_patch ? apply_patch(u, &u->next.row, err) : apply_put(u, &u->next.row, err);
	if (r == 0)
		r = instance_check_expand(view, u->profile_project, &u->next, err);
	if (r == 0)
		r = instance_check_row(u->req->state, view, &u->next, err);
	if (r == 0)
		r = check_root(u, err);
	if (r == 0)
		r = instance_live_check(u->inst, &u->next, err);
	if (r == 0)
		drop_device_keys(u);

	return r;
}

static int write_next(struct db_tx *tx, void *arg, struct error **err)
{
	struct update *u = arg;
	const struct db_instance *known = &u->inst->row->row;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(db_instance_done) struct db_instance row = { 0 };

	/* Nobody else commits while we hold the write lock: the cache shows what we see. */
	int r = db_cache_view(u->req->state->cache, INSTANCE_FAMILIES, &view, err);
	if (r == 0)
		r = db_instance_get_by_id(tx, known->id, &row, err);
	if (r == 0)
		r = instance_moving_check(tx, known, err);
	if (r == 0)
		r = prepare(u, view, &row, err);
	if (r == 0)
		r = project_limits_check_room(tx, known->project, (int)known->type, known->id,
		                              &u->next.config, &u->next.devices, err);
	if (r < 0)
		return r;

	return db_instance_update_from(tx, &row, &u->next.row, u->profile_project, err);
}

static int write_back(struct db_tx *tx, void *arg, struct error **err)
{
	const struct update *u = arg;

	return db_instance_update(tx, &u->inst->row->row, u->profile_project, err);
}

/* The driver's word on what only it understands: "raw.lxc". */
static int validate(const struct update *u, struct error **err)
{
	struct instance *next = instance_of_row(u->req->state, &u->next);
	struct instance_spec_built built;
	int r = 0;

	if (next->engine && smap_has(&u->next.config, "raw.lxc")) {
		r = instance_spec_init(next, &built, err);
		if (r == 0) {
			r = next->driver->validate(next->engine, &built.spec, err);
			instance_spec_done(next, &built);
		}
	}
	instance_free(next);
	return r;
}

static int resize_root(const struct instance *old, const struct instance *inst, struct error **err)
{
	const struct db_device *was = instance_root_disk(&old->row->devices);
	const struct db_device *is = instance_root_disk(&inst->row->devices);
	struct storage_instance storage;

	if (!was || !is ||
	    strcmp(smap_get_or(&was->config, "size", ""), smap_get_or(&is->config, "size", "")) ==
	            0)
		return 0;

	int r = instance_storage(inst, &storage, err);
	return r < 0 ? r : storage_instance_resize(inst->state, &storage, err);
}

/* Makes the instance what the rows say now; else the rows what the instance is. */
static int carry_out(struct update *u, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	const struct db_instance *row = &u->inst->row->row;

	int r = instance_load(u->req->state, row->project, row->name, &inst, err);
	if (r == 0)
		r = resize_root(u->inst, inst, err);
	if (r == 0)
		r = instance_live_apply(inst, err);
	if (r == 0)
		return 0;

	scoped(error_freep) struct error *undo = NULL;
	if (db_write(u->req->state->db, write_back, u, &undo) < 0 ||
	    instance_live_apply(u->inst, &undo) < 0)
		log_warn("Failed taking back a change of instance \"%s\": %s", row->name,
		         undo->msg);
	return r;
}

int instance_update(struct request *req, const char *name, struct json_object *body, bool is_patch,
                    struct operation *op, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	struct update u = { .req = req, .body = body, .is_patch = is_patch };
	const char *profile_project = NULL;

	int r = instance_lock(req->state, req->project, name, request_cancel(req), &lock, &inst,
	                      err);
	if (r == 0)
		r = project_effective(inst->view, req->project, PROJECT_PROFILES, &profile_project,
		                      err);
	if (r < 0)
		return r;

	u.inst = inst;
	u.profile_project = xstrdup(profile_project);
	r = prepare(&u, inst->view, &inst->row->row, err);
	if (r == 0)
		r = validate(&u, err);
	if (r == 0)
		r = db_write(req->state->db, write_next, &u, err);
	if (r == 0)
		r = carry_out(&u, err);
	if (r == 0 && op)
		instance_event(inst, op, "instance-updated");
	else if (r == 0)
		lifecycle_send_for(req, "instance-updated", req->project, inst->url, NULL);
	instance_check_expanded_done(&u.next);
	free(u.profile_project);
	return r;
}
