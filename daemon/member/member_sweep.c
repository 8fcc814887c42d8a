#include "daemon/member/member_sweep.h"

#include <errno.h>
#include <string.h>

#include "cluster/plan.h"
#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_power.h"
#include "daemon/member/member_files.h"
#include "daemon/member/member_step.h"
#include "daemon/storage/storage_instance.h"
#include "daemon/storage/storage_transfer.h"
#include "db/plans.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

/* The steps that matter, with the plans that they are of. */
struct steps {
	struct db_plans plans;
	struct db_plan_steps rows;
};

static int list_steps(struct db_tx *tx, void *arg, struct error **err)
{
	struct steps *steps = arg;

	db_plan_list_done(&steps->plans);
	db_plan_step_list_done(&steps->rows);
	int r = db_plan_list(tx, NULL, 0, &steps->plans, err);
	if (r < 0)
		return r;

	return db_plan_step_list(tx, 0, &steps->rows, err);
}

static void steps_done(struct steps *steps)
{
	db_plan_list_done(&steps->plans);
	db_plan_step_list_done(&steps->rows);
}

static bool is_open(const struct steps *steps, int64_t plan_id)
{
	for (size_t i = 0; i < steps->plans.n; i++)
		if (steps->plans.rows[i].id == plan_id)
			return plan_state_is_open(steps->plans.rows[i].state);

	return false;
}

/* Whether a step that has not ended is about the instance: its coordinator will see to it. */
static bool is_under_way(const struct steps *steps, int64_t instance_id)
{
	for (size_t i = 0; i < steps->rows.n; i++) {
		const struct db_plan_step *row = &steps->rows.rows[i];

		if (row->instance_id == instance_id && !plan_phase_is_final(row->phase) &&
		    is_open(steps, row->plan_id))
			return true;
	}
	return false;
}

/* Whether the last step about the instance stopped it here on purpose. */
static bool was_stopped(const struct steps *steps, int64_t instance_id)
{
	for (size_t i = steps->rows.n; i-- > 0;) {
		const struct db_plan_step *row = &steps->rows.rows[i];

		if (row->instance_id == instance_id)
			return strcmp(row->mode, "stop") == 0 && row->phase == PLAN_PHASE_CLEANED;
	}
	return false;
}

/*
 * A move away from here was given up while this member was down, and so nobody could start the
 * instance again; an evacuated member starts nothing else when it comes back.
 */
static void start_again(struct state *state, const struct db_expanded *row)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(error_freep) struct error *err = NULL;

	int r = instance_lock(state, row->row.project, row->row.name, NULL, &lock, &inst, &err);
	if (r == 0 && !instance_is_running(inst))
		r = instance_power_start_moved(inst, &err);
	if (r < 0)
		log_warn("Failed starting instance \"%s\" again: %s", row->row.name, err->msg);
}

static bool is_to_run(const struct db_expanded *row)
{
	return strcmp(smap_get_or(&row->row.config, "volatile.last_state.power", ""), "RUNNING") ==
	       0;
}

/* Other members may have begun a move to here since the steps were read. */
static bool is_left_over(struct state *state, const struct instance *inst, const char *here)
{
	scoped(instance_freep) struct instance *now = NULL;
	scoped(error_freep) struct error *err = NULL;
	const struct db_instance *row = &inst->row->row;
	struct steps steps = { 0 };

	bool is_so = db_read(state->db, list_steps, &steps, &err) == 0 &&
	             !is_under_way(&steps, row->id) &&
	             instance_load(state, row->project, row->name, &now, &err) == 0 &&
	             now->row->row.id == row->id && strcmp(now->row->row.member, here) != 0;
	steps_done(&steps);
	return is_so;
}

static void sweep_one(struct state *state, const struct instance *inst, const char *here)
{
	struct storage_instance storage;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped_free char *key = xasprintf("%s/%s", inst->row->row.project, inst->row->row.name);
	scoped(error_freep) struct error *err = NULL;

	if (!instance_root_disk(&inst->row->devices) || instance_storage(inst, &storage, &err) < 0)
		return;

	storage.files_only = true;
	if (!storage_instance_exists(state, &storage))
		return;

	/* Who holds it receives the instance just now. */
	lock = locks_try(state->locks, LOCK_INSTANCE, key);
	if (!lock || !is_left_over(state, inst, here))
		return;

	log_info("Removing what is left here of instance \"%s\", which is on \"%s\"",
	         inst->row->row.name, inst->row->row.member);
	if (storage_instance_delete(state, NULL, &storage, &err) < 0 ||
	    storage_transfer_abort(state, &storage, false, &err) < 0)
		log_warn("Failed removing it: %s", err->msg);
}

/*
 * Whether a step about an instance that is deleted by now may have left files here. Files that no
 * step tells of are nobody's business: they may be what is left of a database that was lost.
 */
static bool may_have_left(const struct steps *steps, const struct db_plan_step *row,
                          const char *here)
{
	scoped(jv_unrefp) struct json_object *detail = NULL;
	scoped(error_freep) struct error *ignored = NULL;

	if (row->instance_id != 0 || strcmp(row->source, row->target) == 0 ||
	    (strcmp(row->source, here) != 0 && strcmp(row->target, here) != 0))
		return false;
	if (plan_phase_is_under_way(row->phase))
		return !is_open(steps, row->plan_id);

	return jv_parse_object(row->detail, strlen(row->detail), &detail, &ignored) == 0 &&
	       str_equals(jv_text(detail, MEMBER_STEP_LEFT), here);
}

static void sweep_gone(struct state *state, const struct db_plan_step *row)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *key = xasprintf("%s/%s", row->project, row->instance);

	lock = locks_try(state->locks, LOCK_INSTANCE, key);
	if (!lock || instance_load(state, row->project, row->instance, &inst, &err) != -ENOENT)
		return;

	error_clear(&err);
	if (member_files_remove(state, row->project, row->instance, &err) < 0)
		log_warn("Failed removing what is left of instance \"%s\": %s", row->instance,
		         err->msg);
}

int member_sweep(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(state);
	struct steps steps = { 0 };
	size_t n = 0;

	if (!state_is_clustered(state))
		return 0;

	int r = db_cache_view(state->cache, INSTANCE_FAMILIES, &view, err);
	if (r == 0)
		r = db_read(state->db, list_steps, &steps, err);
	if (r < 0) {
		steps_done(&steps);
		return r;
	}

	FAILPOINT_HERE("member.sweep", NULL, "When a member that starts knows what to look at");
	const struct db_member *member = db_cache_member(view, here);
	bool is_evacuated = member && member->state == DB_MEMBER_EVACUATED;
	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	for (size_t i = 0; i < n; i++) {
		bool is_here = strcmp(rows[i]->row.member, here) == 0;

		if (is_under_way(&steps, rows[i]->row.id))
			continue;

		struct instance *inst = instance_of_row(state, rows[i]);
		if (!is_here)
			sweep_one(state, inst, here);
		else if (is_evacuated && is_to_run(rows[i]) && inst->engine &&
		         !instance_is_running(inst) && !was_stopped(&steps, rows[i]->row.id))
			start_again(state, rows[i]);
		instance_free(inst);
	}
	for (size_t i = 0; i < steps.rows.n; i++)
		if (may_have_left(&steps, &steps.rows.rows[i], here))
			sweep_gone(state, &steps.rows.rows[i]);
	steps_done(&steps);
	return 0;
}
