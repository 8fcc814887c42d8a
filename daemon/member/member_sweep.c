#include "daemon/member/member_sweep.h"

#include <string.h>

#include "cluster/plan.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/storage/storage_instance.h"
#include "daemon/storage/storage_transfer.h"
#include "db/plans.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"

static int list_steps(struct db_tx *tx, void *arg, struct error **err)
{
	return db_plan_step_list(tx, 0, arg, err);
}

/* Whether a step that has not ended is about the instance: its coordinator will see to it. */
static bool is_under_way(const struct db_plan_steps *steps, int64_t instance_id)
{
	for (size_t i = 0; i < steps->n; i++)
		if (steps->rows[i].instance_id == instance_id &&
		    !plan_phase_is_final(steps->rows[i].phase))
			return true;

	return false;
}

static void sweep_one(struct state *state, const struct instance *inst)
{
	struct storage_instance storage;
	scoped(error_freep) struct error *err = NULL;

	if (!instance_root_disk(&inst->row->devices) || instance_storage(inst, &storage, &err) < 0)
		return;

	storage.files_only = true;
	if (!storage_instance_exists(state, &storage))
		return;

	log_info("Removing what is left here of instance \"%s\", which is on \"%s\"",
	         inst->row->row.name, inst->row->row.member);
	if (storage_instance_delete(state, NULL, &storage, &err) < 0 ||
	    storage_transfer_abort(state, &storage, false, &err) < 0)
		log_warn("Failed removing it: %s", err->msg);
}

int member_sweep(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(state);
	struct db_plan_steps steps = { 0 };
	size_t n = 0;

	if (!state_is_clustered(state))
		return 0;

	int r = db_cache_view(state->cache, INSTANCE_FAMILIES, &view, err);
	if (r == 0)
		r = db_read(state->db, list_steps, &steps, err);
	if (r < 0)
		return r;

	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i]->row.member, here) == 0 || is_under_way(&steps, rows[i]->row.id))
			continue;

		struct instance *inst = instance_of_row(state, rows[i]);
		sweep_one(state, inst);
		instance_free(inst);
	}
	db_plan_step_list_done(&steps);
	return 0;
}
