#include "daemon/instance/instance_moving.h"

#include "cluster/plan.h"
#include "db/db.h"

static int check(struct db_tx *tx, int64_t instance_id, enum plan_phase last, enum plan_phase other,
                 struct error **err)
{
	int64_t n = 0;

	int r = db_get_int(tx,
	                   "SELECT COUNT(*)"
	                   "  FROM plan_steps"
	                   "  JOIN plans ON plans.id = plan_steps.plan_id"
	                   " WHERE plan_steps.instance_id = ?"
	                   "   AND (plan_steps.phase BETWEEN ? AND ?"
	                   "        OR plan_steps.phase = ?)"
	                   "   AND plans.state < ?",
	                   DB_ARGS(db_int(instance_id), db_int(PLAN_PHASE_COPIED), db_int(last),
	                           db_int(other), db_int(PLAN_STATE_DONE)),
	                   0, &n, err);
	if (r < 0)
		return r;
	if (n > 0)
		return error_set(err, 409, "Instance is being moved to another member");

	return 0;
}

int instance_moving_check(struct db_tx *tx, int64_t instance_id, struct error **err)
{
	return check(tx, instance_id, PLAN_PHASE_PAUSED, PLAN_PHASE_PAUSED, err);
}

int instance_moving_check_name(struct db_tx *tx, int64_t instance_id, struct error **err)
{
	return check(tx, instance_id, PLAN_PHASE_COMMITTED, PLAN_PHASE_RETURNED, err);
}
