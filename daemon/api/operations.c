#include "daemon/api/operations.h"

#include <string.h>

#include "cluster/cluster.h"
#include "cluster/notify.h"
#include "daemon/api/operations_plan.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/core/token.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/parse.h"
#include "lib/base/refs.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/digest.h"
#include "lib/net/stream.h"
#include "lib/net/url.h"

/* Members that do not answer a list within this are left out. */
#define GATHER_MS 3000

/* Operations of the server as a whole are shown with every project, to administrators. */
static bool is_shown(const struct request *req, const char *project)
{
	if (!project || !*project)
		return access_is_admin(req->requestor);
	if (!access_may_enter(req->requestor, project))
		return false;

	return req->all_projects || str_equals(project, req->project);
}

struct listing {
	const struct request *req;
	struct json_object *groups; /* By status. */
	bool is_recursive;
};

static void list_one(struct listing *l, struct json_object *op_take)
{
	scoped(jv_unrefp) struct json_object *op = op_take;
	scoped_free char *status = str_lower(jv_text(op, "status"));
	struct json_object *group = jv_member(l->groups, status);

	if (!request_filter_passes(l->req, op))
		return;

	if (!group) {
		group = jv_array();
		jv_set_take(l->groups, status, group);
	}

	if (l->is_recursive) {
		jv_add_take(group, TAKE_PTR(op));
	} else {
		scoped_free char *url = xasprintf("/1.0/operations/%s", jv_text(op, "id"));

		jv_add_string(group, url);
	}
}

static bool visit(struct operation *op, void *arg)
{
	struct listing *l = arg;

	if (is_shown(l->req, operation_project(op)))
		list_one(l, operation_json(op, false));

	return true;
}

static void list_groups(struct listing *l, struct json_object *groups)
{
	JV_FOREACH (groups, status, ops) {
		(void)status;
		for (size_t i = 0; i < jv_len(ops); i++)
			list_one(l, jv_ref(jv_item(ops, i)));
	}
}

/* What the other members have; each applies the projects and restrictions itself. */
static void gather(struct listing *l)
{
	struct notify_answers answers = { 0 };
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *project = url_escape(l->req->project);
	scoped_free char *path =
		l->req->all_projects ? xstrdup("/1.0/operations?recursion=1&all-projects=true")
				     : xasprintf("/1.0/operations?recursion=1&project=%s", project);
	const struct connect_call call = { .path = path, .timeout_ms = GATHER_MS };

	(void)notify_members(l->req->state->cluster, NOTIFY_TRY, &call, &answers, &err);
	for (size_t i = 0; i < answers.n_answers; i++)
		list_groups(l, answers.answers[i].metadata);
	notify_answers_done(&answers);
}

static int list_tokens(struct listing *l, struct error **err)
{
	scoped(jv_unrefp) struct json_object *tokens = NULL;

	if (!is_shown(l->req, NULL))
		return 0;

	int r = token_list(l->req->state, &tokens, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < jv_len(tokens); i++)
		list_one(l, jv_ref(jv_item(tokens, i)));

	return 0;
}

static int operations_list(struct request *req, struct response *res, struct error **err)
{
	scoped(jv_unrefp) struct json_object *groups = jv_object();
	struct listing l = {
		.req = req,
		.groups = groups,
		.is_recursive = req->recursion > 0,
	};

	operation_each(req->state, visit, &l);
	if (!req->is_peer) {
		int r = list_tokens(&l, err);
		if (r < 0)
			return r;

		/* A restricted client's view of other members goes through their projects only. */
		if (state_is_clustered(req->state) && access_is_admin(req->requestor))
			gather(&l);
	}

	response_sync(res, TAKE_PTR(groups));
	return 0;
}

/* The id tells; what no member has may be a token, which every member knows. */
static int owner(struct request *req, char **ret_member, struct error **err)
{
	int64_t id = operation_member_id(request_param(req, "id"));
	scoped(operation_unrefp) struct operation *here = NULL;
	scoped(error_freep) struct error *none = NULL;

	(void)err;

	/* One that joined the cluster meanwhile has another id than when it made the operation. */
	if (operation_find(req->state, request_param(req, "id"), &here, &none) == 0)
		return 0;

	if (id == 0 || !state_is_clustered(req->state) ||
	    id == cluster_member_id(req->state->cluster))
		return 0;

	scoped(member_list_unrefp) struct member_list *members =
		cluster_members(req->state->cluster);
	const struct member *member = member_list_by_id(members, id);

	if (member)
		*ret_member = xstrdup(member->name);

	return 0;
}

static int find(struct request *req, struct operation **ret_op, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;

	int r = operation_find(req->state, request_param(req, "id"), &op, err);
	if (r < 0)
		return r;

	const char *project = operation_project(op);

	if (project ? !access_may_enter(req->requestor, project) : !access_is_admin(req->requestor))
		return error_set(err, 404, "Operation not found");

	*ret_op = TAKE_PTR(op);
	return 0;
}

/* What this member answers for though it has no such operation: plans and tokens. */
static int find_row(struct request *req, struct json_object **ret, struct error **err)
{
	if (!access_is_admin(req->requestor))
		return error_set(err, 404, "Operation not found");

	if (operations_plan_has(req))
		return operations_plan_get(req, ret, err);

	return token_get(req->state, request_param(req, "id"), ret, err);
}

static int operation_get(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(error_freep) struct error *none = NULL;
	struct json_object *json;

	if (find(req, &op, &none) == 0) {
		response_sync(res, operation_json(op, false));
		return 0;
	}

	int r = find_row(req, &json, err);
	if (r < 0)
		return r;

	response_sync(res, json);
	return 0;
}

static int operation_delete(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(error_freep) struct error *none = NULL;
	const char *project = NULL;
	int r;

	if (operations_plan_has(req)) {
		r = operations_plan_cancel(req, err);
	} else if (find(req, &op, &none) == 0) {
		project = operation_project(op);
		r = operation_cancel(op, err);
	} else {
		scoped(jv_unrefp) struct json_object *token = NULL;

		r = find_row(req, &token, err);
		if (r == 0)
			r = token_cancel(req->state, request_param(req, "id"), err);
	}
	if (r < 0)
		return r;

	scoped_free char *url = xasprintf("/1.0/operations/%s", request_param(req, "id"));

	lifecycle_send_for(req, "operation-cancelled", project, url, NULL);
	response_empty(res);
	return 0;
}

/*
 * Somebody who waits for an end. It is touched on the loop thread only once it was handed there:
 * the end of the operation, the timeout and the client's leaving all come as calls to the loop.
 */
struct waiter {
	struct refs refs;
	struct state *state;
	struct operation *op;      /* NULL: a token. */
	struct json_object *token; /* As it was. */
	struct response_later *later;
	struct loop_timer *timer;
	uint64_t timeout_ms; /* UINT64_MAX: for ever. */
	uint64_t hook;
	bool is_done;
};

static void waiter_unref(struct waiter *w)
{
	if (!refs_put(&w->refs))
		return;

	operation_unref(w->op);
	jv_unref(w->token);
	free(w);
}

static struct waiter *waiter_ref(struct waiter *w)
{
	refs_get(&w->refs);
	return w;
}

static void finish(struct waiter *w)
{
	if (w->is_done)
		return;

	w->is_done = true;
	loop_timer_free(w->timer);
	if (w->op && operation_on_end_cancel(w->op, w->hook))
		waiter_unref(w);
	response_later_send(w->later, w->op ? operation_json(w->op, false) : TAKE_PTR(w->token),
	                    NULL);
	waiter_unref(w);
}

static void finish_called(void *arg)
{
	finish(arg);
	waiter_unref(arg);
}

static void ended(struct operation *op, void *arg)
{
	struct waiter *w = arg;

	(void)op;
	loop_call(w->state->loop, finish_called, w);
}

static void gone(void *arg)
{
	struct waiter *w = arg;

	loop_call(w->state->loop, finish_called, waiter_ref(w));
}

static void timed_out(void *arg)
{
	finish(arg);
}

static void arm(void *arg)
{
	struct waiter *w = arg;

	if (!w->is_done && w->timeout_ms != UINT64_MAX)
		w->timer = loop_timer_new(w->state->loop, w->timeout_ms, 0, timed_out, w);
	response_later_on_gone(w->later, gone, w);
	if (w->op)
		w->hook = operation_on_end(w->op, ended, waiter_ref(w));
	waiter_unref(w);
}

static int read_timeout(struct request *req, uint64_t *ret_ms, struct error **err)
{
	const char *text = request_query(req, "timeout");
	int64_t seconds = -1;

	if (!str_is_empty(text) && parse_int64(text, &seconds) < 0)
		return error_set(err, 400, "Invalid timeout \"%s\"", text);

	*ret_ms = seconds < 0 || seconds > INT64_MAX / 1000 ? UINT64_MAX : (uint64_t)seconds * 1000;
	return 0;
}

/* As in find(): what has no project is shown to administrators. */
static bool may_see(const struct request *req, const struct operation *op)
{
	const char *project = op ? operation_project(op) : NULL;

	return project ? access_may_enter(req->requestor, project)
	               : access_is_admin(req->requestor);
}

/* Whoever does not see it anyway needs the secret that came with the operation. */
static int check_secret(struct request *req, struct operation *op, struct json_object *token,
                        struct error **err)
{
	const char *secret = request_query(req, "secret");
	bool is_right = false;

	if (may_see(req, op))
		return 0;

	if (secret && op)
		is_right = operation_has_secret(op, secret);
	else if (secret && token)
		is_right = digest_equal_secret(jv_text(jv_member(token, "metadata"), "secret"),
		                               secret);

	if (is_right)
		return 0;

	return access_is_trusted(req->requestor) ? error_set(err, 404, "Operation not found")
	                                         : error_set(err, 403, "Forbidden");
}

static int operation_wait_get(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(jv_unrefp) struct json_object *token = NULL;
	scoped(error_freep) struct error *none = NULL;
	uint64_t timeout_ms = UINT64_MAX;

	int r = read_timeout(req, &timeout_ms, err);
	if (r < 0)
		return r;

	if (operations_plan_has(req)) {
		operations_plan_wait(req, res, timeout_ms);
		return 0;
	}
	if (operation_find(req->state, request_param(req, "id"), &op, &none) < 0) {
		r = token_get(req->state, request_param(req, "id"), &token, err);
		if (r < 0 && !access_is_trusted(req->requestor)) {
			error_free(TAKE_PTR(*err));
			return error_set(err, 403, "Forbidden");
		}
		if (r < 0)
			return r;
	}

	r = check_secret(req, op, token, err);
	if (r < 0)
		return r;

	struct waiter *w = xcalloc(1, sizeof(*w));

	refs_init(&w->refs);
	w->state = req->state;
	w->op = TAKE_PTR(op);
	w->token = TAKE_PTR(token);
	w->timeout_ms = timeout_ms;
	w->later = response_defer(res);
	loop_call(w->state->loop, arm, waiter_ref(w));
	return 0;
}

struct connection {
	struct operation *op;
	const char *name; /* Borrowed from the operation. */
};

static void connected(struct stream *stream, void *arg)
{
	struct connection *c = arg;

	if (stream)
		operation_connect_stream(c->op, c->name, stream);
	operation_unref(c->op);
	free(c);
}

static int operation_websocket_get(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	const char *secret = request_query(req, "secret");
	const char *name;

	int r = operation_find(req->state, request_param(req, "id"), &op, err);
	if (r < 0)
		return r;

	if (operation_class(op) != OPERATION_WEBSOCKET)
		return error_set(err, 400, "Only websocket operations can be connected");
	if (str_is_empty(secret))
		return error_set(err, 400, "Missing websocket secret");

	r = operation_spend_secret(op, secret, &name, err);
	if (r < 0)
		return r;

	struct connection *c = xcalloc(1, sizeof(*c));

	c->op = operation_ref(op);
	c->name = name;
	r = response_websocket(res, connected, c, err);
	if (r < 0) {
		operation_unref(c->op);
		free(c);
	}

	return r;
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET",    "/1.0/operations",                operations_list,         ACCESS_TRUSTED, "operation", NULL, ON_ANY_MEMBER, NULL, NULL,  ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/operations/{id}",           operation_get,           ACCESS_TRUSTED, NULL,        NULL, ON_OWNER,      NULL, owner, ROUTE_BODY_JSON, false },
	{ "DELETE", "/1.0/operations/{id}",           operation_delete,        ACCESS_TRUSTED, NULL,        NULL, ON_OWNER,      NULL, owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/operations/{id}/wait",      operation_wait_get,      ACCESS_ANYONE,  NULL,        NULL, ON_OWNER,      NULL, owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/operations/{id}/websocket", operation_websocket_get, ACCESS_ANYONE,  NULL,        NULL, ON_OWNER,      NULL, owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table operations_routes = ROUTE_TABLE(routes);
