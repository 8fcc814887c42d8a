#include "daemon/instance/instance_schedule.h"

#include <string.h>

#include "daemon/core/schedule_pass.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_service.h"
#include "daemon/instance/instance_snapshot.h"
#include "daemon/project/project_limits.h"
#include "daemon/storage/storage_schedule.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/parse.h"
#include "lib/base/schedule.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#define CATCH_UP (60 * 60 * DATE_SECOND)

#define SCHEDULE "snapshots.schedule"

/* The snapshot that the instance gets; its name is owned by the caller. */
static int prepare(const struct instance *inst, char **ret_name,
                   struct instance_snapshot_new *ret_new, struct error **err)
{
	int r = instance_snapshot_next_name(inst, ret_name, err);
	if (r == 0)
		r = instance_snapshot_check_name(*ret_name, err);
	if (r < 0)
		return r;

	*ret_new = (struct instance_snapshot_new){
		.name = *ret_name,
		.expires = instance_snapshot_expiry(inst),
	};
	return 0;
}

static int take(struct state *state, const struct schedule_object *object, struct operation *op,
                struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *name = NULL;
	struct instance_snapshot_new new;

	int r = instance_load(state, object->project, object->name, &inst, err);
	if (r == 0)
		r = prepare(inst, &name, &new, err);
	return r < 0 ? r
	             : instance_snapshot_create(state, object->project, object->name, &new, op,
	                                        err);
}

static int expire(struct state *state, const struct schedule_object *object, const char *snapshot,
                  struct operation *op, struct error **err)
{
	return instance_snapshot_delete(state, object->project, object->name, snapshot, false, op,
	                                err);
}

static void start(struct schedule_pass *pass, const struct instance *inst, char **expired_take)
{
	static const struct schedule_kind kind = {
		.take_text = "Snapshotting instance",
		.expire_text = "Cleaning up expired instance snapshots",
		.take = take,
		.expire = expire,
	};
	const struct schedule_object object = {
		.project = inst->row->row.project,
		.name = inst->row->row.name,
		.id = inst->id,
		.url = inst->url,
	};

	schedule_pass_start(pass, &kind, &object, expired_take);
}

/* Whether the instance gets a snapshot now. */
static bool is_due(const struct schedule_pass *pass, const struct instance *inst,
                   const struct db_instance_snapshot *snapshots, size_t n)
{
	const struct db_instance *row = &inst->row->row;
	const struct smap *config = &inst->row->config;

	int64_t due = schedule_pass_due(pass, smap_get(config, SCHEDULE), row->id, row->created);
	if (due == DATE_NONE)
		return false;
	for (size_t i = 0; i < n; i++)
		if (snapshots[i].created >= due)
			return false;
	if (!instance_is_running(inst) &&
	    !parse_is_true(smap_get(config, "snapshots.schedule.stopped")))
		return false;
	return project_limits_allow_snapshots(inst->view, inst->row->row.project);
}

static void look_at(const struct instance *inst, void *arg)
{
	struct schedule_pass *pass = arg;
	char **expired = NULL;
	size_t n = 0;
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(inst->view, inst->row->row.id, &n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].expires != DATE_NONE && rows[i].expires <= pass->now)
			strv_add(&expired, rows[i].name);
	if (expired)
		start(pass, inst, expired);
	if (is_due(pass, inst, rows, n))
		start(pass, inst, NULL);
}

int instance_schedule_run(struct state *state, char ***ret_operations, struct error **err)
{
	struct instance_service *service = state->instances;
	scoped(schedule_pass_done) struct schedule_pass pass = { .state = state,
		                                                 .now = date_now() };

	mutex_lock(&service->mutex);
	pass.after = service->looked_until;
	service->looked_until = pass.now;
	mutex_unlock(&service->mutex);
	if (pass.after < pass.now - CATCH_UP)
		pass.after = pass.now - CATCH_UP;

	int r = instance_each_here(state, look_at, &pass, err);
	if (r == 0)
		r = storage_schedule_look(&pass, err);
	if (r == 0 && ret_operations)
		*ret_operations = TAKE_PTR(pass.operations);
	return r;
}

int instance_schedule_startup(const struct instance *inst, struct operation *op, struct error **err)
{
	const char *text = smap_get(&inst->row->config, SCHEDULE);
	scoped_free char *name = NULL;
	struct instance_snapshot_new new;
	struct schedule schedule;

	if (str_is_empty(text) || schedule_parse(text, 0, &schedule) < 0 || !schedule.is_startup ||
	    !project_limits_allow_snapshots(inst->view, inst->row->row.project))
		return 0;

	int r = prepare(inst, &name, &new, err);
	return r < 0 ? r : instance_snapshot_create_locked(inst, &new, op, err);
}
