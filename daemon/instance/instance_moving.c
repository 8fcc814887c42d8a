#include "daemon/instance/instance_moving.h"

#include "cluster/plan.h"
#include "db/db.h"

int instance_moving_check(struct db_tx *tx, int64_t instance_id, struct error **err)
{
	int64_t n = 0;

	int r = db_get_int(tx,
	                   "SELECT COUNT(*)"
	                   "  FROM plan_steps"
	                   "  JOIN plans ON plans.id = plan_steps.plan_id"
	                   " WHERE plan_steps.instance_id = ?"
	                   "   AND plan_steps.phase BETWEEN ? AND ?"
	                   "   AND plans.state < ?",
	                   DB_ARGS(db_int(instance_id), db_int(PLAN_PHASE_COPIED),
	                           db_int(PLAN_PHASE_PAUSED), db_int(PLAN_STATE_DONE)),
	                   0, &n, err);
	if (r < 0)
		return r;
	if (n > 0)
		return error_set(err, 409, "Instance is being moved to another member");

	return 0;
}
