#include "daemon/services.h"

#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_boot.h"
#include "daemon/instance/instance_create.h"
#include "daemon/instance/instance_delete.h"
#include "daemon/instance/instance_rebuild.h"
#include "daemon/instance/instance_rename.h"
#include "daemon/instance/instance_transfer.h"
#include "daemon/member/member.h"
#include "daemon/storage/storage_service.h"
#include "lib/base/log.h"

/* What is of use only once, and whose failure leaves the daemon of use. */
static void tidy(struct state *state)
{
	static int (*const mends[])(struct state * state, struct error * *err) = {
		instance_rename_mend, instance_rebuild_mend, instance_transfer_mend,
		instance_delete_mend, instance_create_sweep,
	};

	for (size_t i = 0; i < COUNT_OF(mends); i++) {
		scoped(error_freep) struct error *err = NULL;

		if (mends[i](state, &err) < 0)
			log_warn("Failed ending what was cut off: %s", err->msg);
	}
}

int services_start(struct state *state, struct error **err)
{
	storage_service_new(state);

	/* Pools that are not there now are tried again; the daemon is of use without them. */
	int r = storage_service_start(state, err);
	if (r > 0)
		log_warn("%d storage pools are not available", r);
	if (r >= 0)
		r = instance_service_new(state, err);
	if (r >= 0)
		r = instance_boot_find(state, err);
	if (r < 0)
		return r;

	tidy(state);
	r = member_service_new(state, err);
	if (r < 0)
		return r;

	instance_boot_start(state);
	return 0;
}

void services_stop(struct state *state)
{
	member_service_free(state);
	instance_service_free(state->instances);
	storage_service_free(state->storage);
	state->storage = NULL;
}

void services_quiesce(struct state *state)
{
	member_service_stop(state);
}

void services_stop_instances(struct state *state)
{
	if (state->instances)
		instance_boot_stop(state);
}
