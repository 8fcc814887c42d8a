#include "daemon/services.h"

#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/storage/storage_service.h"
#include "lib/base/log.h"

int services_start(struct state *state, struct error **err)
{
	storage_service_new(state);

	int r = storage_service_start(state, err);
	if (r < 0)
		return r;
	if (r > 0)
		log_warn("%d storage pools are not available", r);

	return instance_service_new(state, err);
}

void services_stop(struct state *state)
{
	instance_service_free(state->instances);
	storage_service_free(state->storage);
}

void services_stop_instances(struct state *state)
{
	(void)state;
}
