#include "daemon/member/member.h"

#include <stdlib.h>

#include "daemon/core/state.h"
#include "daemon/member/member_plan.h"
#include "daemon/member/member_service.h"
#include "daemon/member/member_sweep.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/worker.h"

#define MAX_PLANS 16
#define QUEUE_MAX 1024

int member_service_new(struct state *state, struct error **err)
{
	struct member_service *service = xcalloc(1, sizeof(*service));

	mutex_init(&service->mutex);
	service->state = state;
	service->coordinated = map_new(NULL);
	service->plans = worker_new("plan", MAX_PLANS, QUEUE_MAX);
	service->steps = worker_new("step", MEMBER_MAX_STEPS, QUEUE_MAX);
	service->phases = worker_new("phase", MEMBER_MAX_PHASES, QUEUE_MAX);
	state->members = service;

	int r = member_sweep(state, err);
	if (r < 0)
		return r;

	member_service_wake(state);
	return 0;
}

void member_service_stop(struct state *state)
{
	if (state->members)
		atomic_store(&state->members->is_stopping, true);
}

void member_service_free(struct state *state)
{
	struct member_service *service = state->members;

	if (!service)
		return;

	atomic_store(&service->is_stopping, true);
	worker_free(service->plans);
	worker_free(service->steps);
	worker_free(service->phases);
	map_free(service->coordinated);
	mutex_done(&service->mutex);
	free(service);
	state->members = NULL;
}

static void adopt(void *arg)
{
	struct state *state = arg;
	scoped(error_freep) struct error *err = NULL;

	if (member_plan_adopt(state, &err) < 0)
		log_warn("Failed looking for open plans: %s", err->msg);
}

void member_service_wake(struct state *state)
{
	if (state->members && worker_submit(state->members->plans, adopt, state) < 0)
		log_warn("Nobody has time to look for open plans");
}
