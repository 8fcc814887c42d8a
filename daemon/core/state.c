#include "daemon/core/state.h"

#include <signal.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "lib/base/alloc.h"

bool state_is_clustered(const struct state *state)
{
	return state->cluster && cluster_is_enabled(state->cluster);
}

char *state_member_name(const struct state *state)
{
	return state->cluster ? cluster_member_name(state->cluster) : xstrdup("none");
}

char *state_server_name(const struct state *state)
{
	char host[256] = "";

	if (state_is_clustered(state))
		return state_member_name(state);

	gethostname(host, sizeof(host) - 1);
	return xstrdup(host);
}

void state_stop(struct state *state)
{
	(void)state;
	kill(getpid(), SIGTERM);
}
