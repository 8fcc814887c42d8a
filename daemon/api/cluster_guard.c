#include "daemon/api/cluster_guard.h"

#include "daemon/core/state.h"

int cluster_guard_check(const struct state *state, struct error **err)
{
	return state_is_clustered(state) ? 0 : error_set(err, 400, "This server is not clustered");
}
