#include "daemon/instance/instance_schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/operation.h"
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

struct job {
	struct state *state;
	char *project, *name;
	char **expired; /* Snapshots to remove; NULL: one is to be taken. */
};

static void job_free(void *arg)
{
	struct job *job = arg;

	free(job->project);
	free(job->name);
	strv_free(job->expired);
	free(job);
}

static int take(struct operation *op, void *arg, struct error **err)
{
	const struct job *job = arg;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *name = NULL;

	int r = instance_load(job->state, job->project, job->name, &inst, err);
	if (r == 0)
		r = instance_snapshot_next_name(inst, &name, err);
	if (r == 0)
		r = instance_snapshot_check_name(name, err);
	if (r < 0)
		return r;

	const struct instance_snapshot_new new = {
		.name = name,
		.expires = instance_snapshot_expiry(inst),
	};
	return instance_snapshot_create(job->state, job->project, job->name, &new, op, err);
}

static int expire(struct operation *op, void *arg, struct error **err)
{
	const struct job *job = arg;

	STRV_FOREACH (name, job->expired) {
		int r = instance_snapshot_delete(job->state, job->project, job->name, name, false,
		                                 op, err);

		/* Somebody else was faster. */
		if (r == -ENOENT) {
			error_clear(err);
			continue;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static void start(struct schedule_pass *pass, const struct instance *inst, char **expired_take)
{
	const struct db_instance *row = &inst->row->row;
	struct job *job = xcalloc(1, sizeof(*job));
	scoped_free char *key =
		xasprintf("schedule/%s/%s", expired_take ? "end" : "take", inst->id);

	job->state = pass->state;
	job->project = xstrdup(row->project);
	job->name = xstrdup(row->name);
	job->expired = expired_take;
	schedule_pass_start(
		pass, &(struct operation_spec){
			      .project = row->project,
			      .description = expired_take ? "Cleaning up expired instance snapshots"
	                                                  : "Snapshotting instance",
			      .entity_url = inst->url,
			      .conflict = key,
			      .run = expired_take ? expire : take,
			      .free_arg = job_free,
			      .arg = job,
		      });
}

static bool is_allowed(const struct db_view *view, const struct instance *inst)
{
	const struct db_project *project = db_cache_project(view, inst->row->row.project);
	scoped(error_freep) struct error *ignored = NULL;

	return !project || project_limits_check_snapshots(project, &ignored) == 0;
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
	return is_allowed(inst->view, inst);
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
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *name = NULL;
	struct schedule schedule;

	if (str_is_empty(text) || schedule_parse(text, 0, &schedule) < 0 || !schedule.is_startup)
		return 0;

	int r = db_cache_view(inst->state->cache, DB_PROJECTS, &view, err);
	if (r < 0 || !is_allowed(view, inst))
		return r;
	r = instance_snapshot_next_name(inst, &name, err);
	if (r == 0)
		r = instance_snapshot_check_name(name, err);
	if (r < 0)
		return r;
	const struct instance_snapshot_new new = {
		.name = name,
		.expires = instance_snapshot_expiry(inst),
	};
	return instance_snapshot_create_locked(inst, &new, op, err);
}
