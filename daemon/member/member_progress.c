#include "daemon/member/member_progress.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/connect.h"
#include "daemon/core/state.h"
#include "daemon/member/member_phase.h"
#include "daemon/member/member_service.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/map.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"

#define ASK_MS 500
#define ANSWER_MS 1000

struct member_receipt {
	struct state *state;
	char *key; /* "PLAN/ORDINAL" */
	char *plan;
	int64_t ordinal;
	int64_t pass;
	_Atomic uint64_t bytes;
};

struct member_receipt *member_progress_receive(struct state *state,
                                               const struct member_phase *phase) NO_LOCK_CHECK
{
	struct member_service *service = state->members;
	struct member_receipt *receipt = xcalloc(1, sizeof(*receipt));

	receipt->state = state;
	receipt->key = xasprintf("%s/%lld", phase->plan, (long long)phase->ordinal);
	receipt->plan = xstrdup(phase->plan);
	receipt->ordinal = phase->ordinal;
	receipt->pass = phase->pass;
	mutex_lock(&service->mutex);
	map_set(service->receipts, receipt->key, receipt);
	mutex_unlock(&service->mutex);
	return receipt;
}

_Atomic uint64_t *member_progress_bytes(struct member_receipt *receipt)
{
	return &receipt->bytes;
}

void member_progress_received(struct member_receipt *receipt) NO_LOCK_CHECK
{
	if (!receipt)
		return;

	struct member_service *service = receipt->state->members;
	mutex_lock(&service->mutex);
	if (map_get(service->receipts, receipt->key) == receipt)
		map_remove(service->receipts, receipt->key);
	mutex_unlock(&service->mutex);
	free(receipt->key);
	free(receipt->plan);
	free(receipt);
}

struct json_object *member_progress_local(struct state *state, const char *plan) NO_LOCK_CHECK
{
	struct member_service *service = state->members;
	struct json_object *answer = jv_object();

	mutex_lock(&service->mutex);
	MAP_FOREACH (entry, service->receipts) {
		struct member_receipt *receipt = entry->value;
		struct json_object *one;

		if (strcmp(receipt->plan, plan) != 0)
			continue;

		scoped_free char *key = xasprintf("%lld", (long long)receipt->ordinal);
		one = jv_object();
		jv_set_int(one, "pass", receipt->pass);
		jv_set_uint(one, "bytes", atomic_load(&receipt->bytes));
		jv_set_take(answer, key, one);
	}
	mutex_unlock(&service->mutex);
	return answer;
}

struct copying {
	const char *target;
	int64_t ordinal;
	bool is_under_way;
	int64_t n_passes;
	int64_t bytes; /* -1: nothing was heard. */
	int64_t rate;  /* Bytes a second. */
	int64_t heard_at;
};

struct member_progress {
	struct mutex mutex;
	struct cond idle;
	struct state *state;
	char *plan;
	void (*changed)(void *arg);
	void *arg;
	struct copying *steps GUARDED;
	size_t n_steps;
	bool is_asking GUARDED;
	int64_t next GUARDED;
};

struct member_progress *member_progress_new(struct state *state, const char *plan,
                                            const struct db_plan_steps *steps,
                                            void (*changed)(void *arg), void *arg) NO_LOCK_CHECK
{
	struct member_progress *progress = xcalloc(1, sizeof(*progress));

	mutex_init(&progress->mutex);
	cond_init(&progress->idle);
	progress->state = state;
	progress->plan = xstrdup(plan);
	progress->changed = changed;
	progress->arg = arg;
	progress->steps = xcalloc(steps->n + 1, sizeof(*progress->steps));
	progress->n_steps = steps->n;
	progress->next = date_deadline(ASK_MS);
	for (size_t i = 0; i < steps->n; i++)
		progress->steps[i] = (struct copying){
			.target = steps->rows[i].target,
			.ordinal = steps->rows[i].ordinal,
			.bytes = -1,
		};
	return progress;
}

void member_progress_free(struct member_progress *progress) NO_LOCK_CHECK
{
	if (!progress)
		return;

	mutex_lock(&progress->mutex);
	while (progress->is_asking)
		cond_wait(&progress->idle, &progress->mutex);
	mutex_unlock(&progress->mutex);
	cond_done(&progress->idle);
	mutex_done(&progress->mutex);
	free(progress->steps);
	free(progress->plan);
	free(progress);
}

void member_progress_set(struct member_progress *progress, size_t index, bool is_copying,
                         int64_t n_passes)
{
	mutex_lock(&progress->mutex);
	struct copying *step = &progress->steps[index];
	step->is_under_way = is_copying;
	step->n_passes = n_passes;
	step->bytes = -1;
	step->rate = 0;
	mutex_unlock(&progress->mutex);
}

bool member_progress_read(struct member_progress *progress, size_t index, int64_t *ret_bytes,
                          int64_t *ret_rate)
{
	mutex_lock(&progress->mutex);
	const struct copying *step = &progress->steps[index];
	bool is_heard = step->is_under_way && step->bytes >= 0;
	if (is_heard) {
		*ret_bytes = step->bytes;
		*ret_rate = step->rate;
	}
	mutex_unlock(&progress->mutex);

	return is_heard;
}

/* A target that has copies under way and was not asked yet; NULL: no more. */
static const char *next_target(struct member_progress *progress, struct map *asked)
{
	const char *target = NULL;

	mutex_lock(&progress->mutex);
	for (size_t i = 0; i < progress->n_steps && !target; i++) {
		const struct copying *step = &progress->steps[i];

		if (step->is_under_way && map_add(asked, step->target, progress))
			target = step->target;
	}
	mutex_unlock(&progress->mutex);

	return target;
}

static struct json_object *ask(struct member_progress *progress, const char *target)
{
	scoped_free char *here = state_member_name(progress->state);
	scoped(jv_unrefp) struct json_object *body = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	struct json_object *answer = NULL;

	if (strcmp(target, here) == 0)
		return member_progress_local(progress->state, progress->plan);

	body = jv_object();
	jv_set_string(body, "plan", progress->plan);
	const struct connect_call call = {
		.method = "POST",
		.path = "/internal/plans/progress",
		.body = body,
		.timeout_ms = ANSWER_MS,
	};
	(void)connect_call_member(progress->state->cluster, target, &call, &answer, &ignored);
	return answer;
}

/* Half of what was measured now, half of before: a number that does not jump. */
static void measure(struct copying *step, int64_t bytes)
{
	int64_t now = date_monotonic();

	if (step->bytes >= 0 && bytes >= step->bytes && now > step->heard_at) {
		int64_t rate = (bytes - step->bytes) * 1000 / (now - step->heard_at);

		step->rate = step->rate > 0 ? (step->rate + rate) / 2 : rate;
	}
	step->bytes = bytes;
	step->heard_at = now;
}

static void take(struct member_progress *progress, const char *target, struct json_object *answer)
{
	mutex_lock(&progress->mutex);
	for (size_t i = 0; answer && i < progress->n_steps; i++) {
		struct copying *step = &progress->steps[i];

		if (!step->is_under_way || strcmp(step->target, target) != 0)
			continue;

		scoped_free char *key = xasprintf("%lld", (long long)step->ordinal);
		struct json_object *one = jv_member(answer, key);
		/* What is said of a pass that has ended since is counted already. */
		if (one && jv_number(one, "pass") >= step->n_passes)
			measure(step, jv_number(one, "bytes"));
	}
	mutex_unlock(&progress->mutex);
}

static void run(void *arg)
{
	struct member_progress *progress = arg;
	scoped(map_freep) struct map *asked = map_new(NULL);
	const char *target;

	while ((target = next_target(progress, asked))) {
		scoped(jv_unrefp) struct json_object *answer = ask(progress, target);

		take(progress, target, answer);
	}
	progress->changed(progress->arg);

	mutex_lock(&progress->mutex);
	progress->is_asking = false;
	progress->next = date_deadline(ASK_MS);
	cond_broadcast(&progress->idle);
	mutex_unlock(&progress->mutex);
}

void member_progress_ask(struct member_progress *progress)
{
	bool is_copying = false;

	mutex_lock(&progress->mutex);
	for (size_t i = 0; i < progress->n_steps; i++)
		is_copying |= progress->steps[i].is_under_way;
	bool is_due = is_copying && !progress->is_asking && date_left(progress->next) == 0;
	if (is_due)
		progress->is_asking = true;
	mutex_unlock(&progress->mutex);
	if (!is_due || worker_submit(progress->state->members->looks, run, progress) == 0)
		return;

	mutex_lock(&progress->mutex);
	progress->is_asking = false;
	mutex_unlock(&progress->mutex);
}
