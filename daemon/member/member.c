#include "daemon/member/member.h"

#include <stdlib.h>

#include "daemon/core/state.h"
#include "daemon/member/member_plan_operation.h"
#include "daemon/member/member_service.h"
#include "daemon/member/member_slots.h"
#include "daemon/member/member_sweep.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/map.h"
#include "lib/base/worker.h"

#define MAX_PLANS 16
#define QUEUE_MAX 1024
#define LATER_MS 1000

/* Between whoever wakes the service, from threads of the cluster's, and its end. */
static struct mutex gate = MUTEX_INIT;

static void wake(void *arg)
{
	struct member_service *service = arg;

	loop_timer_stop(service->timer);
	member_service_wake(service->state);
}

/* On the loop. */
static void arm(void *arg)
{
	struct member_service *service = arg;

	if (service->timer)
		loop_timer_set(service->timer, LATER_MS, 0);
}

/* On the loop. */
static void end_timer(void *arg)
{
	struct member_service *service = arg;

	loop_timer_free(service->timer);
	service->timer = NULL;
}

int member_service_new(struct state *state, struct error **err) NO_LOCK_CHECK
{
	struct member_service *service = xcalloc(1, sizeof(*service));

	mutex_init(&service->mutex);
	cond_init(&service->idle);
	service->state = state;
	service->coordinated = map_new(NULL);
	service->receipts = map_new(NULL);
	service->slots = member_slots_new();
	service->plans = worker_new("plan", MAX_PLANS, QUEUE_MAX);
	service->steps = worker_new("step", MEMBER_MAX_STEPS, QUEUE_MAX);
	service->looks = worker_new("look", MEMBER_MAX_LOOKS, QUEUE_MAX);
	service->phases = worker_new("phase", MEMBER_MAX_PHASES, QUEUE_MAX);
	service->timer = loop_timer_new(state->loop, LATER_MS, 0, wake, service);
	loop_timer_stop(service->timer);
	state->members = service;

	int r = member_sweep(state, err);
	if (r < 0)
		return r;

	member_service_wake(state);
	return 0;
}

void member_service_stop(struct state *state)
{
	mutex_lock(&gate);
	if (state->members)
		atomic_store(&state->members->is_stopping, true);
	mutex_unlock(&gate);
}

void member_service_free(struct state *state) NO_LOCK_CHECK
{
	struct member_service *service = state->members;

	if (!service)
		return;

	/* From here on nobody wakes it; what arms its timer was called before what ends it. */
	member_service_stop(state);
	loop_call_wait(state->loop, end_timer, service);
	worker_free(service->plans);
	mutex_lock(&service->mutex);
	while (map_count(service->coordinated) > 0)
		cond_wait(&service->idle, &service->mutex);
	mutex_unlock(&service->mutex);
	worker_free(service->steps);
	worker_free(service->looks);
	worker_free(service->phases);
	mutex_lock(&gate);
	state->members = NULL;
	mutex_unlock(&gate);
	map_free(service->coordinated);
	map_free(service->receipts);
	member_slots_free(service->slots);
	cond_done(&service->idle);
	mutex_done(&service->mutex);
	free(service);
}

static void adopt(void *arg)
{
	struct state *state = arg;
	scoped(error_freep) struct error *err = NULL;

	if (member_plan_operation_adopt(state, &err) < 0)
		log_warn("Failed looking for open plans: %s", err->msg);
}

static bool is_awake(const struct state *state)
{
	return state->members && !atomic_load(&state->members->is_stopping);
}

void member_service_wake(struct state *state)
{
	int r = 0;

	FAILPOINT_HERE("member.wake", NULL, "Before the carrying out of plans is woken");
	mutex_lock(&gate);
	if (is_awake(state))
		r = worker_submit(state->members->plans, adopt, state);
	mutex_unlock(&gate);
	if (r < 0)
		log_warn("Nobody has time to look for open plans");
}

void member_service_wake_later(struct state *state)
{
	mutex_lock(&gate);
	if (is_awake(state))
		loop_call(state->loop, arm, state->members);
	mutex_unlock(&gate);
}
