#include "daemon/api/operations_plan.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/core/access.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/member/member_plan.h"
#include "daemon/member/member_plan_act.h"
#include "daemon/member/member_plan_operation.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/loop.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"

#define LOOK_MS 40
#define PATIENCE_MS 60000 /* For a database that has no leader just now. */

bool operations_plan_has(struct request *req)
{
	const char *id = request_param(req, "id");
	scoped(error_freep) struct error *none = NULL;
	bool is_open = false;

	return operation_member_id(id) == 0 && state_is_clustered(req->state) &&
	       access_is_admin(req->requestor) &&
	       member_plan_is_open(req->state, id, &is_open, &none) != -ENOENT;
}

int operations_plan_get(struct request *req, struct json_object **ret_json, struct error **err)
{
	return member_plan_operation_json(req->state, request_param(req, "id"), ret_json, err);
}

int operations_plan_cancel(struct request *req, struct error **err)
{
	return member_plan_act(req->state, request_param(req, "id"), "cancel", err);
}

struct waiting {
	struct state *state;
	char *id;
	struct response_later *later;
	int64_t deadline;
	atomic_bool is_gone;
	struct json_object *json;
	struct error *err;
};

/* On the loop, where 'gone' is called too: never after this. */
static void finish(void *arg)
{
	struct waiting *w = arg;

	response_later_send(w->later, w->json, w->err);
	free(w->id);
	free(w);
}

static void gone(void *arg)
{
	struct waiting *w = arg;

	atomic_store(&w->is_gone, true);
}

static bool is_over(const struct waiting *w)
{
	return atomic_load(&w->is_gone) || date_left(w->deadline) == 0 ||
	       atomic_load(&w->state->is_shutting_down);
}

static void look_until_ended(struct waiting *w, struct error **err)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	int64_t patience = date_deadline(PATIENCE_MS);
	bool is_open = true;

	for (;;) {
		scoped(error_freep) struct error *failed = NULL;

		int r = member_plan_is_open(w->state, w->id, &is_open, &failed);
		if (r == 0)
			patience = date_deadline(PATIENCE_MS);
		if (r == -ENOENT || (r < 0 && date_left(patience) == 0)) {
			(void)error_move(err, &failed);
			return;
		}
		if (!is_open || is_over(w))
			return;
		nanosleep(&pause, NULL);
	}
}

static void run_wait(void *arg)
{
	struct waiting *w = arg;

	look_until_ended(w, &w->err);
	if (!w->err)
		(void)member_plan_operation_json(w->state, w->id, &w->json, &w->err);
	loop_call(w->state->loop, finish, w);
}

static void arm(void *arg)
{
	struct waiting *w = arg;

	response_later_on_gone(w->later, gone, w);
	if (worker_submit(w->state->forwards, run_wait, w) < 0) {
		error_set(&w->err, 503, "Too many requests wait");
		finish(w);
	}
}

void operations_plan_wait(struct request *req, struct response *res, uint64_t timeout_ms)
{
	struct waiting *w = xcalloc(1, sizeof(*w));

	w->state = req->state;
	w->id = xstrdup(request_param(req, "id"));
	w->deadline =
		timeout_ms > INT64_MAX / 2 ? DEADLINE_NEVER : date_deadline((int64_t)timeout_ms);
	w->later = response_defer(res);
	loop_call(w->state->loop, arm, w);
}
