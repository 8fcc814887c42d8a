#include "daemon/instance/instance_moving.h"

#include <stdint.h>

#include "cluster/plan.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "db/db.h"
#include "db/instances.h"

/* Whether the instance of that id has another epoch now: 1 or 0. */
#define IS_MOVED "(SELECT COUNT(*) FROM instances WHERE id = ? AND epoch <> ?)"

static int refuse(int r, int64_t n, struct error **err)
{
	if (r < 0)
		return r;
	if (n > 0)
		return error_set(err, 409, "Instance is being moved to another member");

	return 0;
}

static int check(struct db_tx *tx, const struct db_instance *known, enum plan_phase last,
                 enum plan_phase other, struct error **err)
{
	int64_t n = 0;

	int r = db_get_int(tx,
	                   "SELECT (SELECT COUNT(*)"
	                   "          FROM plan_steps"
	                   "          JOIN plans ON plans.id = plan_steps.plan_id"
	                   "         WHERE plan_steps.instance_id = ?"
	                   "           AND (plan_steps.phase BETWEEN ? AND ?"
	                   "                OR plan_steps.phase = ?)"
	                   "           AND plans.state < ?)"
	                   "     + " IS_MOVED,
	                   DB_ARGS(db_int(known->id), db_int(PLAN_PHASE_COPIED), db_int(last),
	                           db_int(other), db_int(PLAN_STATE_DONE), db_int(known->id),
	                           db_int(known->epoch)),
	                   0, &n, err);

	return refuse(r, n, err);
}

int instance_moving_check(struct db_tx *tx, const struct db_instance *known, struct error **err)
{
	return check(tx, known, PLAN_PHASE_PAUSED, PLAN_PHASE_PAUSED, err);
}

int instance_moving_check_name(struct db_tx *tx, const struct db_instance *known,
                               struct error **err)
{
	return check(tx, known, PLAN_PHASE_COMMITTED, PLAN_PHASE_RETURNED, err);
}

int instance_moving_check_epoch(struct db_tx *tx, const struct db_instance *known,
                                struct error **err)
{
	int64_t n = 0;

	int r = db_get_int(tx, "SELECT " IS_MOVED, DB_ARGS(db_int(known->id), db_int(known->epoch)),
	                   0, &n, err);

	return refuse(r, n, err);
}

static int query(struct db_tx *tx, void *arg, struct error **err)
{
	return instance_moving_check(tx, arg, err);
}

int instance_moving_query(const struct instance *inst, struct error **err)
{
	return db_query(inst->state->db, query, (void *)(uintptr_t)&inst->row->row, err);
}
