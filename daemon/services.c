#include "daemon/services.h"

#include "daemon/core/state.h"

int services_start(struct state *state, struct error **err)
{
	(void)state;
	(void)err;
	return 0;
}

void services_stop(struct state *state)
{
	(void)state;
}

void services_stop_instances(struct state *state)
{
	(void)state;
}
