#include "daemon/api/internal.h"

#include <string.h>

#include "daemon/auth/auth.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/core/warning.h"
#include "daemon/image/image_expire.h"
#include "daemon/instance/instance_schedule.h"
#include "db/db.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* Answers once the start is complete: the dispatcher has waited for that. */
static int ready_get(struct request *req, struct response *res, struct error **err)
{
	if (!atomic_load(&req->state->is_ready) || atomic_load(&req->state->is_shutting_down))
		return error_set(err, 503, "The daemon is not ready");

	response_empty(res);
	return 0;
}

static int shutdown_put(struct request *req, struct response *res, struct error **err)
{
	struct state *state = req->state;
	bool is_forced;

	int r = request_query_bool(req, "force", &is_forced, err);
	if (r < 0)
		return r;

	atomic_store(&state->is_full_stop, true);
	response_empty(res);
	state_stop(state);
	return 0;
}

static int config_put(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body, *keys = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_need_object(body, "config", &keys, err);
	if (r < 0)
		return r;

	server_conf_take_over(req->state, keys);
	response_empty(res);
	return 0;
}

static int identities_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *fingerprint;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = auth_refresh(req->state, err);
	if (r < 0)
		return r;

	fingerprint = jv_text(body, "fingerprint");
	if (fingerprint)
		auth_end_streams(req->state, fingerprint);
	response_empty(res);
	return 0;
}

static int profile_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *project, *name;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	if (jv_need_string(body, "project", &project, err) < 0 ||
	    jv_need_string(body, "name", &name, err) < 0)
		return (*err)->code;

	if (req->state->profile_changed)
		req->state->profile_changed(req->state, project, name);
	response_empty(res);
	return 0;
}

static int warnings_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *project = "", *message = "";

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	if (jv_get_string(body, "project", &project, err) < 0 ||
	    jv_get_string(body, "message", &message, err) < 0)
		return (*err)->code;

	warning_raise(req->state, WARNING_UNKNOWN, project, NULL, message);
	response_empty(res);
	return 0;
}

static int prune(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_token_prune(tx, date_now(), err);
}

static int prune_post(struct request *req, struct response *res, struct error **err)
{
	int r = db_write(req->state->db, prune, NULL, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

struct pause {
	int64_t ms;
};

static int run_pause(struct operation *op, void *arg, struct error **err)
{
	const struct pause *p = arg;

	int r = cancel_wait(operation_cancel_token(op), date_deadline(p->ms));
	return r == -ECANCELED ? error_set_errno(err, r, "Cancelled") : 0;
}

/* An operation that does nothing for a while: {"duration": "2s"}. */
static int operation_wait_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *duration = "1s";
	struct pause *p = NULL;
	int64_t ms;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_string(body, "duration", &duration, err);
	if (r < 0)
		return r;
	if (parse_duration(duration, &ms) < 0)
		return error_set(err, 400, "Invalid duration \"%s\"", duration);

	p = xcalloc(1, sizeof(*p));
	p->ms = ms;

	scoped(operation_unrefp) struct operation *op = NULL;
	const struct operation_spec spec = {
		.project = req->project,
		.description = "Waiting",
		.run = run_pause,
		.free_arg = free,
		.arg = p,
	};

	r = operation_new_for(req, &spec, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

/* Moves this daemon's wall clock: {"shift": "25h"} from the real one. */
static int clock_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *shift = "0";
	int64_t ms;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_string(body, "shift", &shift, err);
	if (r < 0)
		return r;
	if (parse_duration(shift, &ms) < 0 || ms > INT32_MAX * INT64_C(1000) ||
	    ms < INT32_MIN * INT64_C(1000))
		return error_set(err, 400, "Invalid duration \"%s\"", shift);

	date_shift_clock(ms * 1000000);
	response_empty(res);
	return 0;
}

/* One pass over images. */
static int images_post(struct request *req, struct response *res, struct error **err)
{
	int r = image_expire_run(req->state, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* One pass over snapshots; answers with the operations that it started. */
static int snapshots_post(struct request *req, struct response *res, struct error **err)
{
	scoped(strv_freep) char **operations = NULL;

	int r = instance_schedule_run(req->state, &operations, err);
	if (r < 0)
		return r;

	response_sync(res, jv_of_strv(operations));
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",  .path = "/internal/ready",                   .handler = ready_get,           .access = ACCESS_ANYONE },
	{ .method = "PUT",  .path = "/internal/shutdown",                .handler = shutdown_put,        .access = ACCESS_PEER },
	{ .method = "PUT",  .path = "/internal/config",                  .handler = config_put,          .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/identity-cache-refresh",  .handler = identities_post,     .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/profile-changed",         .handler = profile_post,        .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/testing/warnings",        .handler = warnings_post,       .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/testing/prune-tokens",    .handler = prune_post,          .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/testing/clock",           .handler = clock_post,          .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/testing/images",          .handler = images_post,         .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/testing/snapshots",       .handler = snapshots_post,      .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/testing/operation-wait",  .handler = operation_wait_post, .access = ACCESS_PEER },
};
/* clang-format on */

const struct route_table internal_routes = ROUTE_TABLE(routes);
