#include "daemon/services.h"

#include "daemon/core/state.h"
#include "daemon/storage/storage_service.h"

int services_start(struct state *state, struct error **err)
{
	storage_service_new(state);

	/* Pools that are not there now are tried again; the daemon is of use without them. */
	int r = storage_service_start(state, err);
	return r < 0 ? r : 0;
}

void services_stop(struct state *state)
{
	storage_service_free(state->storage);
	state->storage = NULL;
}

void services_stop_instances(struct state *state)
{
	(void)state;
}
