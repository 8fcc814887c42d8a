#include "daemon/api/instances_bulk.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/connect.h"
#include "daemon/api/instance_state.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_power.h"
#include "daemon/instance/instance_remote.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

#define MAX_PARALLEL 8

struct bulk {
	struct state *state;
	char *project;
	struct instance_power_request request;
};

/* One of them; made before the threads start, read after they have ended. */
struct item {
	const struct bulk *bulk;
	struct operation *op;
	char *name;
	char *member; /* NULL: this one. */
	struct error *error;
};

static void free_bulk(void *arg)
{
	struct bulk *bulk = arg;

	free(bulk->project);
	free(bulk);
}

static int change_here(const struct item *item, struct error **err)
{
	const struct bulk *bulk = item->bulk;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;

	int r = instance_lock(bulk->state, bulk->project, item->name,
	                      operation_cancel_token(item->op), &lock, &inst, err);

	return r < 0 ? r : instance_power_change(inst, item->op, &bulk->request, err);
}

/* The same request to the instance's member, and its operation's end. */
static int change_there(const struct item *item, struct error **err)
{
	const struct bulk *bulk = item->bulk;
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(jv_unrefp) struct json_object *operation = NULL;
	scoped(jv_unrefp) struct json_object *ended = NULL;
	scoped_free char *project = url_escape(bulk->project);
	scoped_free char *path =
		xasprintf("/1.0/instances/%s/state?project=%s", item->name, project);

	jv_set_string(body, "action", instance_power_name(bulk->request.action));
	jv_set_int(body, "timeout", bulk->request.timeout_s);
	jv_set_bool(body, "force", bulk->request.is_forced);
	const struct connect_call call = { .method = "PUT", .path = path, .body = body };
	int r = connect_call_member(bulk->state->cluster, item->member, &call, &operation, err);
	if (r < 0)
		return r;

	scoped_free char *wait = xasprintf("/1.0/operations/%s/wait", jv_text(operation, "id"));
	const struct connect_call wait_call = { .path = wait, .timeout_ms = CONNECT_NO_TIMEOUT };
	r = connect_call_member(bulk->state->cluster, item->member, &wait_call, &ended, err);
	if (r == 0 && jv_number(ended, "status_code") != OPERATION_SUCCESS)
		return error_set(err, 500, "%s", jv_text(ended, "err"));

	return r;
}

static void change(void *arg)
{
	struct item *item = arg;

	if (item->member)
		(void)change_there(item, &item->error);
	else
		(void)change_here(item, &item->error);
}

/* Whether the change is one for an instance in this state. */
static bool is_due(enum instance_action action, const char *status)
{
	bool is_stopped = strcmp(status, "Stopped") == 0;
	bool is_frozen = strcmp(status, "Frozen") == 0;

	switch (action) {
	case INSTANCE_START:
		return is_stopped;
	case INSTANCE_STOP:
	case INSTANCE_RESTART:
		return !is_stopped;
	case INSTANCE_FREEZE:
		return !is_stopped && !is_frozen;
	case INSTANCE_UNFREEZE:
		return is_frozen;
	case N_INSTANCE_ACTIONS:
		break;
	}
	return false;
}

static int collect(struct operation *op, const struct bulk *bulk, struct item **ret_items,
                   size_t *ret_n, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(instance_remote_freep) struct instance_remote *remote = NULL;
	scoped_free char *here = state_member_name(bulk->state);
	scoped(strv_freep) char **members = NULL;
	size_t n_rows = 0;
	size_t n = 0;

	int r = db_cache_view(bulk->state->cache, INSTANCE_FAMILIES, &view, err);
	if (r < 0)
		return r;

	const struct db_expanded *const *rows = db_cache_instances(view, &n_rows);
	for (size_t i = 0; i < n_rows; i++)
		if (strcmp(rows[i]->row.project, bulk->project) == 0)
			strv_add_once(&members, rows[i]->row.member);
	remote = instance_remote_new(bulk->state, members, 0);
	struct item *items = xcalloc(n_rows + 1, sizeof(*items));
	for (size_t i = 0; i < n_rows; i++) {
		const struct db_instance *row = &rows[i]->row;

		if (strcmp(row->project, bulk->project) != 0)
			continue;

		struct instance *inst = instance_of_row(bulk->state, rows[i]);
		bool is_wanted =
			is_due(bulk->request.action, instance_remote_status(remote, inst).text);
		instance_free(inst);
		if (!is_wanted)
			continue;
		items[n++] = (struct item){
			.bulk = bulk,
			.op = op,
			.name = xstrdup(row->name),
			.member = strcmp(row->member, here) == 0 ? NULL : xstrdup(row->member),
		};
	}
	*ret_items = items;
	*ret_n = n;
	return 0;
}

static int run(struct operation *op, void *arg, struct error **err)
{
	const struct bulk *bulk = arg;
	struct item *items = NULL;
	size_t n = 0;
	size_t n_failed = 0;

	int r = collect(op, bulk, &items, &n, err);
	if (r < 0)
		return r;

	struct worker *worker = worker_new("bulk", MAX_PARALLEL, 0);
	for (size_t i = 0; i < n; i++)
		if (worker_submit(worker, change, &items[i]) < 0)
			change(&items[i]);
	worker_free(worker);

	for (size_t i = 0; i < n; i++)
		n_failed += items[i].error != NULL;
	for (size_t i = 0; i < n; i++) {
		if (items[i].error && r == 0)
			r = error_set(err, 500,
			              "Failed changing the state of %zu of %zu instances: %s: %s",
			              n_failed, n, items[i].name, items[i].error->msg);
		error_free(items[i].error);
		free(items[i].name);
		free(items[i].member);
	}
	free(items);
	return r;
}

static int instances_put(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct instance_power_request request = { 0 };
	struct json_object *body = NULL;
	struct json_object *state = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_object(body, "state", &state, err);
	if (r == 0)
		r = instance_state_read(state, &request, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, DB_PROJECTS, &view, err);
	if (r < 0)
		return r;
	if (!db_cache_project(view, req->project))
		return error_set(err, 404, "Project not found");

	struct bulk *bulk = xcalloc(1, sizeof(*bulk));
	scoped_free char *url =
		lifecycle_url(NULL, (const char *const[]){ "projects", req->project, NULL });
	bulk->state = req->state;
	bulk->project = xstrdup(req->project);
	bulk->request = request;
	const struct operation_spec spec = {
		.description = "Updating the state of multiple instances",
		.project = req->project,
		.entity_url = url,
		.run = run,
		.free_arg = free_bulk,
		.arg = bulk,
	};
	r = operation_new_for(req, &spec, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ "PUT", "/1.0/instances", instances_put, ACCESS_ENTITLED, "project", "can_operate_instances", ON_ANY_MEMBER, "instance_bulk_state_change", NULL, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instances_bulk_routes = ROUTE_TABLE(routes);
