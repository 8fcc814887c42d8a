#include "daemon/instance/instance_create.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/planner.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/instance/instance_check.h"
#include "daemon/instance/instance_copy.h"
#include "daemon/instance/instance_power.h"
#include "daemon/instance/instance_refresh.h"
#include "daemon/project/placement_view.h"
#include "daemon/project/project_limits.h"
#include "daemon/storage/storage_instance.h"
#include "db/reservations.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/data/jv.h"

static const char *const source_names[] = {
	[INSTANCE_FROM_NONE] = "none",
	[INSTANCE_FROM_IMAGE] = "image",
	[INSTANCE_FROM_COPY] = "copy",
};

void instance_create_filling_done(struct instance_filling *filling)
{
	free(filling->image_project);
	free(filling->fingerprint);
	free(filling->project);
	free(filling->name);
	free(filling->snapshot);
	*filling = (struct instance_filling){ 0 };
}

struct json_object *instance_create_filling_json(const char *project, const char *name,
                                                 const struct instance_filling *filling)
{
	struct json_object *obj = jv_object();

	jv_set_int(obj, "id", filling->id);
	jv_set_string(obj, "project", project);
	jv_set_string(obj, "name", name);
	jv_set_string(obj, "source", source_names[filling->source]);
	jv_set_string(obj, "image_project", filling->image_project);
	jv_set_string(obj, "fingerprint", filling->fingerprint);
	jv_set_string(obj, "source_project", filling->project);
	jv_set_string(obj, "source_name", filling->name);
	jv_set_string(obj, "source_snapshot", filling->snapshot);
	jv_set_bool(obj, "instance_only", filling->instance_only);
	jv_set_bool(obj, "start", filling->is_started);
	jv_set_bool(obj, "refresh", filling->is_refresh);
	return obj;
}

static char *text_of(struct json_object *body, const char *key)
{
	const char *text = jv_text(body, key);

	return text && *text ? xstrdup(text) : NULL;
}

int instance_create_filling_parse(struct json_object *body, struct instance_filling *ret_filling,
                                  struct error **err)
{
	const char *source = jv_text(body, "source");
	struct instance_filling filling = { 0 };

	for (size_t i = 0; i < COUNT_OF(source_names); i++) {
		if (!source || strcmp(source, source_names[i]) != 0)
			continue;
		filling.id = jv_number(body, "id");
		filling.source = (enum instance_source)i;
		filling.image_project = text_of(body, "image_project");
		filling.fingerprint = text_of(body, "fingerprint");
		filling.project = text_of(body, "source_project");
		filling.name = text_of(body, "source_name");
		filling.snapshot = text_of(body, "source_snapshot");
		filling.instance_only = jv_flag(body, "instance_only");
		filling.is_started = jv_flag(body, "start");
		filling.is_refresh = jv_flag(body, "refresh");
		*ret_filling = filling;
		return 0;
	}
	return error_set(err, 400, "Unknown source type %s", source ? source : "\"\"");
}

void instance_create_new_done(struct instance_new *new)
{
	instance_check_expanded_done(&new->row);
	instance_create_filling_done(&new->filling);
	free(new->profile_project);
	*new = (struct instance_new){ 0 };
}

struct placing {
	struct request *req;
	struct instance_new *new;
	struct json_object *placement;
	bool is_dry; /* Only the answer is wanted, also that there is no place. */
};

static struct json_object *placement_json(const struct placement_view *pv,
                                          const struct placement_usage *usage,
                                          const struct placement_wish *wish,
                                          const struct placement_choice *choice)
{
	struct json_object *obj = jv_object();
	struct json_object *rejected = jv_array();
	scoped(error_freep) struct error *none = NULL;
	bool is_placed = choice->member != PLACEMENT_NONE;
	scoped_free char *reason = NULL;

	if (is_placed) {
		reason = placement_chosen_text(usage, wish, choice);
	} else {
		placement_error(&pv->snapshot, wish, choice, &none);
		reason = xstrdup(none->msg);
	}

	jv_set_string(obj, "member", is_placed ? pv->snapshot.members[choice->member].name : "");
	jv_set_string(obj, "reason", reason);
	for (size_t i = 0; i < choice->n_rejections; i++) {
		struct json_object *row = jv_object();
		const struct placement_rejection *rejection = &choice->rejections[i];
		scoped_free char *why =
			placement_rejection_text(&pv->snapshot, wish->instance, rejection);

		jv_set_string(row, "member", pv->snapshot.members[rejection->member].name);
		jv_set_string(row, "reason", why);
		jv_add_take(rejected, row);
	}
	jv_set_take(obj, "rejected", rejected);
	return obj;
}

/* Turns ?target= into a member or a group of the wish; 404 and 400 for names that are none. */
static int read_target(const struct placement_view *pv, const struct db_view *view,
                       const char *target, struct placement_wish *wish, struct error **err)
{
	if (!target || !*target)
		return 0;
	if (*target == '@') {
		wish->target_group = target + 1;
		if (!db_cache_member_group(view, target + 1))
			return error_set(err, 400, "Cluster group \"%s\" does not exist",
			                 target + 1);
		return 0;
	}

	wish->target = placement_view_member(pv, target);
	if (wish->target == PLACEMENT_NONE)
		return error_set(err, 404, "Cluster member \"%s\" not found", target);
	if (pv->snapshot.members[wish->target].is_evacuated)
		return error_set(err, 403, "Cluster member is evacuated");
	if (!pv->snapshot.members[wish->target].is_online)
		return error_set(err, 400, "Target cluster member is offline");

	return 0;
}

static int choose(struct placing *placing, const struct placement_view *pv,
                  const struct db_view *view, struct error **err)
{
	struct instance_new *new = placing->new;
	scoped(placement_usage_freep) struct placement_usage *usage =
		placement_usage_new(&pv->snapshot);
	struct placement_choice choice = { .member = PLACEMENT_NONE };
	struct placement_instance instance;

	int r = placement_view_wish(pv, &new->row, &instance, err);
	if (r < 0)
		return r;

	struct placement_wish wish = {
		.instance = &instance,
		.target = PLACEMENT_NONE,
		.allowed_groups = placement_view_allowed_groups(pv, new->row.row.project),
		.exclude = PLACEMENT_NONE,
		.is_explained = true,
	};
	r = read_target(pv, view, new->target, &wish, err);
	if (r == 0) {
		placement_choose(usage, &wish, &choice);
		if (choice.member == PLACEMENT_NONE && !placing->is_dry)
			r = placement_error(&pv->snapshot, &wish, &choice, err);
	}
	if (r == 0 && placing->is_dry) {
		placing->placement = placement_json(pv, usage, &wish, &choice);
	} else if (r == 0) {
		free(new->row.row.member);
		new->row.row.member = xstrdup(pv->snapshot.members[choice.member].name);
		json_object_put(placing->placement);
		placing->placement = placement_json(pv, usage, &wish, &choice);
		if (wish.target_group && instance.group == PLACEMENT_NONE)
			smap_set(&new->row.row.config, "volatile.cluster.group", wish.target_group);
	}
	placement_choice_done(&choice);
	placement_view_wish_done(&instance);
	return r;
}

/* Chooses within the write transaction, while nobody else commits. */
static int place(struct db_tx *tx, void *arg, struct error **err)
{
	struct placing *placing = arg;
	struct state *state = placing->req->state;
	struct db_instance *row = &placing->new->row.row;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(member_list_unrefp) struct member_list *members = cluster_members(state->cluster);
	struct db_reservations reservations = { 0 };
	struct placement_view pv;

	int r = db_cache_view_in(state->cache, tx,
	                         PLACEMENT_VIEW_FAMILIES | INSTANCE_FAMILIES | DB_IMAGES, &view,
	                         err);
	if (r < 0)
		return r;
	if (db_cache_instance(view, row->project, row->name))
		return error_set(err, 409, "Instance \"%s\" already exists", row->name);

	if (project_limits_exist(db_cache_project(view, row->project))) {
		r = project_limits_check_room(tx, row->project, (int)row->type, 0,
		                              &placing->new->row.config, &placing->new->row.devices,
		                              err);
		if (r < 0)
			return r;
	}

	r = db_reservation_list(tx, &reservations, err);
	if (r < 0)
		return r;

	placement_view_init(&pv, view, members, &reservations);
	r = choose(placing, &pv, view, err);
	placement_view_done(&pv);
	db_reservation_list_done(&reservations);
	if (r < 0)
		return r;

	r = db_instance_create(tx, row, placing->new->profile_project, &row->id, err);
	if (r == 0 && placing->new->filling.fingerprint)
		r = image_touch(tx, view, placing->new->filling.image_project,
		                placing->new->filling.fingerprint, err);
	return r;
}

int instance_create_place(struct request *req, struct instance_new *new,
                          struct json_object **ret_placement, struct error **err)
{
	struct placing placing = { .req = req, .new = new };

	int r = db_cache_write(req->state->cache, place, &placing, err);
	if (r < 0) {
		json_object_put(placing.placement);
		return r;
	}

	new->filling.id = new->row.row.id;
	*ret_placement = placing.placement;
	return 0;
}

int instance_create_explain(struct request *req, struct instance_new *new,
                            struct json_object **ret_placement, struct error **err)
{
	struct state *state = req->state;
	struct placing placing = { .req = req, .new = new, .is_dry = true };
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(member_list_unrefp) struct member_list *members = cluster_members(state->cluster);
	struct placement_view pv;

	int r = db_cache_view(state->cache, PLACEMENT_VIEW_FAMILIES | INSTANCE_FAMILIES, &view,
	                      err);
	if (r < 0)
		return r;

	placement_view_init(&pv, view, members, NULL);
	r = choose(&placing, &pv, view, err);
	placement_view_done(&pv);
	if (r == 0)
		*ret_placement = placing.placement;

	return r;
}

struct running {
	struct state *state;
	char *project;
	char *name;
	struct instance_filling filling;
};

static void running_free(void *arg)
{
	struct running *running = arg;

	free(running->project);
	free(running->name);
	instance_create_filling_done(&running->filling);
	free(running);
}

static int fill(const struct instance *inst, struct operation *op,
                const struct instance_filling *filling, struct error **err)
{
	struct storage_instance storage;

	int r = instance_storage(inst, &storage, err);
	if (r < 0)
		return r;

	switch (filling->source) {
	case INSTANCE_FROM_NONE:
		return storage_instance_create_empty(inst->state, op, &storage, err);
	case INSTANCE_FROM_IMAGE:
		r = image_ensure_local(inst->state, op, filling->image_project,
		                       filling->fingerprint, err);
		if (r < 0)
			return r;
		return storage_instance_create_from_image(inst->state, op, &storage,
		                                          filling->fingerprint, err);
	case INSTANCE_FROM_COPY:
		return instance_copy_fill(inst, op, filling, err);
	}
	return error_set(err, 400, "Unknown source type");
}

static int delete_row(struct db_tx *tx, void *arg, struct error **err)
{
	return db_instance_delete(tx, *(const int64_t *)arg, err);
}

/* Takes back what there is of an instance whose creation failed. */
static void undo(const struct instance *inst)
{
	scoped(error_freep) struct error *err = NULL;
	int64_t id = inst->row->row.id;
	struct storage_instance storage;

	if (instance_root_disk(&inst->row->devices) &&
	    (instance_storage(inst, &storage, &err) < 0 ||
	     storage_instance_delete(inst->state, NULL, &storage, &err) < 0))
		log_warn("Failed removing the volume of instance \"%s\": %s", inst->row->row.name,
		         err->msg);

	scoped(error_freep) struct error *row_err = NULL;
	if (db_write(inst->state->db, delete_row, &id, &row_err) < 0)
		log_warn("Failed removing instance \"%s\": %s", inst->row->row.name, row_err->msg);
}

/* Who asked for it may have given up meanwhile, as when this member did not answer in time. */
static int check_still_wanted(const struct instance *inst, struct error **err)
{
	const struct db_instance *row = &inst->row->row;
	scoped(instance_freep) struct instance *now = NULL;
	scoped(error_freep) struct error *failed = NULL;

	int r = instance_load(inst->state, row->project, row->name, &now, &failed);
	if (r == -ENOENT || (r == 0 && now->row->row.id != row->id))
		return error_set(err, 404, "Instance not found");

	return 0;
}

static int run(struct operation *op, void *arg, struct error **err)
{
	struct running *running = arg;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;

	if (running->filling.is_refresh)
		return instance_refresh(running->state, running->project, running->name,
		                        &running->filling, op, err);

	int r = instance_lock(running->state, running->project, running->name,
	                      operation_cancel_token(op), &lock, &inst, err);
	if (r == 0 && inst->row->row.id != running->filling.id)
		r = error_set(err, 404, "Instance not found");
	if (r < 0) {
		instance_create_undo(running->state, running->filling.id, running->name);
		return r;
	}

	r = fill(inst, op, &running->filling, err);
	if (r == 0)
		r = FAILPOINT("instance.create", NULL, "When a new instance has its volume", err);
	if (r == 0)
		r = check_still_wanted(inst, err);
	if (r < 0) {
		undo(inst);
		return r;
	}
	instance_event(inst, op, "instance-created");
	if (!running->filling.is_started)
		return 0;

	/* Loaded again: filling may have set keys. */
	r = instance_reload(&inst, err);
	if (r < 0)
		return r;

	return instance_power_start(inst, op, err);
}

int instance_create_operation(struct request *req, const char *project, const char *name,
                              struct instance_filling *filling_take, struct operation **ret_op,
                              struct error **err)
{
	struct running *running = xcalloc(1, sizeof(*running));
	scoped_free char *key = xasprintf("create/%s/%s", project, name);
	struct instance *inst = NULL;

	running->state = req->state;
	running->project = xstrdup(project);
	running->name = xstrdup(name);
	running->filling = *filling_take;
	*filling_take = (struct instance_filling){ 0 };

	int r = instance_load(req->state, project, name, &inst, err);
	if (r == 0 && inst->row->row.id != running->filling.id)
		r = error_set(err, 404, "Instance not found");
	if (r < 0) {
		instance_free(inst);
		running_free(running);
		return r;
	}

	const struct operation_spec spec = {
		.project = project,
		.class = OPERATION_TASK,
		.description = "Creating instance",
		.entity_url = inst->url,
		.conflict = key,
		.run = run,
		.free_arg = running_free,
		.arg = running,
	};
	r = operation_new_for(req, &spec, ret_op, err);
	if (r == 0)
		operation_add_resource(*ret_op, "instances", inst->url);
	instance_free(inst);
	return r;
}

void instance_create_undo(struct state *state, int64_t id, const char *name)
{
	scoped(error_freep) struct error *err = NULL;

	int r = db_write(state->db, delete_row, &id, &err);
	if (r < 0 && r != -ENOENT)
		log_warn("Failed removing instance \"%s\": %s", name, err->msg);
}

static bool has_volume(const struct db_storage_volumes *volumes, const struct db_instance *row)
{
	int type = row->type == DB_INSTANCE_VM ? DB_VOLUME_VM : DB_VOLUME_CONTAINER;

	for (size_t i = 0; i < volumes->n; i++)
		if (volumes->rows[i].type == type &&
		    strcmp(volumes->rows[i].name, row->name) == 0 &&
		    strcmp(volumes->rows[i].project, row->project) == 0)
			return true;

	return false;
}

int instance_create_sweep(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(state);
	size_t n = 0;

	int r = db_cache_view(state->cache, INSTANCE_FAMILIES | DB_VOLUMES, &view, err);
	if (r < 0)
		return r;

	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i]->row.member, here) != 0 ||
		    has_volume(db_cache_volumes(view), &rows[i]->row))
			continue;

		struct instance *inst = instance_of_row(state, rows[i]);
		log_warn("The creation of instance \"%s\" was cut off; removing it",
		         rows[i]->row.name);
		undo(inst);
		instance_free(inst);
	}
	return 0;
}
