/* /1.0/instances and /1.0/instances/{name}. */
#include "daemon/api/instances.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/connect.h"
#include "daemon/api/instance_alias.h"
#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/auth/auth.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_create.h"
#include "daemon/instance/instance_delete.h"
#include "daemon/instance/instance_json.h"
#include "daemon/instance/instance_peers.h"
#include "daemon/instance/instance_refresh.h"
#include "daemon/instance/instance_remote.h"
#include "daemon/instance/instance_text.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/parse.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

/* Whether an instance belongs into this list: its project, and the caller's rights. */
static bool is_listed(const struct request *req, const struct db_expanded *row, int64_t type)
{
	if (type >= 0 && row->row.type != type)
		return false;
	if (!req->all_projects)
		return strcmp(row->row.project, req->project) == 0;

	scoped(error_freep) struct error *ignored = NULL;
	return request_authorize(req, "instance", "can_view", row->row.project, &ignored) == 0;
}

/* ?instance-type=, and the old paths: -1 for all. */
static int64_t listed_type(const struct request *req)
{
	const char *type = request_query(req, "instance-type");

	if (type && strcmp(type, "virtual-machine") == 0)
		return DB_INSTANCE_VM;

	return type && strcmp(type, "container") == 0 ? DB_INSTANCE_CONTAINER : -1;
}

static struct json_object *item_json(const struct request *req, const struct instance *inst,
                                     const struct instance_remote *remote)
{
	struct instance_status_name status = instance_remote_status(remote, inst);
	struct json_object *obj = instance_json(inst, &status);

	if (req->recursion >= 2)
		instance_json_add_full(inst, obj, instance_remote_state(remote, inst));

	return obj;
}

/*
 * What of the state a list with recursion 2 shows: all, or what "2;fields=state.disk,state.network"
 * names; the rest of it costs nothing.
 */
static int state_parts(const struct request *req, uint32_t *ret_parts, struct error **err)
{
	const char *text = request_query(req, "recursion");
	const char *semicolon = text ? strchr(text, ';') : NULL;

	if (req->recursion < 2)
		return 0;
	if (!semicolon) {
		*ret_parts = INSTANCE_JSON_ALL;
		return 0;
	}
	if (strncmp(semicolon, ";fields=", strlen(";fields=")) != 0)
		return error_set(err, 400, "Invalid recursion \"%s\"", text);

	scoped(strv_freep) char **fields = strv_split_trimmed(semicolon + strlen(";fields="), ',');
	*ret_parts = INSTANCE_STATE_USAGE;
	STRV_FOREACH (field, fields) {
		if (strcmp(field, "state.disk") == 0)
			*ret_parts |= INSTANCE_JSON_DISK;
		else if (strcmp(field, "state.network") == 0)
			*ret_parts |= INSTANCE_STATE_NETWORK;
		else if (*field)
			return error_set(err, 400, "Invalid field \"%s\"", field);
	}
	return 0;
}

/* The members that the instances of a list are on. */
static char **members_of(const struct request *req, const struct db_view *view, int64_t type)
{
	char **members = NULL;
	size_t n = 0;
	const struct db_expanded *const *rows = db_cache_instances(view, &n);

	for (size_t i = 0; i < n; i++)
		if (is_listed(req, rows[i], type))
			strv_add_once(&members, rows[i]->row.member);
	return members;
}

static void list_items(struct request *req, struct response *res, struct db_view *view,
                       int64_t type, const struct instance_remote *remote)
{
	struct json_object *list = jv_array();
	size_t n = 0;
	const struct db_expanded *const *rows = db_cache_instances(view, &n);

	for (size_t i = 0; i < n; i++) {
		if (!is_listed(req, rows[i], type))
			continue;

		struct instance *inst = instance_of_row(req->state, rows[i]);
		inst->view = db_cache_view_ref(view);
		struct json_object *item = item_json(req, inst, remote);
		if (request_filter_passes(req, item)) {
			scoped_free char *url = instance_alias_url(req, inst->url);

			if (req->recursion > 0)
				jv_add_take(list, jv_ref(item));
			else
				jv_add_string(list, url);
		}
		json_object_put(item);
		instance_free(inst);
	}
	response_sync(res, list);
}

/* Without a look into the items: their text is there already. */
static void list_texts(struct request *req, struct response *res, struct db_view *view,
                       int64_t type, const struct instance_remote *remote)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	size_t n = 0;
	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	char separator = '[';

	response_text_begin(&b);
	for (size_t i = 0; i < n; i++) {
		if (!is_listed(req, rows[i], type))
			continue;

		const struct instance_text *text = instance_text_of(rows[i]);
		strbuf_add_char(&b, separator);
		separator = ',';
		if (remote) {
			struct instance inst = instance_text_handle(req->state, rows[i]);

			instance_text_print(text, instance_remote_status(remote, &inst), &b);
		} else {
			scoped_free char *url = instance_alias_url(req, text->url);

			jv_print_string(url, strlen(url), &b);
		}
	}
	strbuf_add(&b, separator == '[' ? "[]" : "]");
	response_text(res, &b, NULL);
}

static int instances_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(instance_remote_freep) struct instance_remote *remote = NULL;
	int64_t type = listed_type(req);
	uint32_t parts = 0;

	int r = state_parts(req, &parts, err);
	if (r == 0)
		r = request_view(req, INSTANCE_FAMILIES, &view, err);
	if (r < 0)
		return r;
	if (!req->all_projects && !db_cache_project(view, req->project))
		return error_set(err, 404, "Project \"%s\" not found", req->project);
	if (req->recursion > 0 || request_has_filter(req)) {
		scoped(strv_freep) char **members = members_of(req, view, type);

		remote = instance_remote_new(req->state, members, parts);
	}

	if (req->recursion > 1 || request_has_filter(req))
		list_items(req, res, view, type, remote);
	else
		list_texts(req, res, view, type, remote);
	return 0;
}

/* The member that has the row fills it; its operation is the answer. */
static int ask_member(struct request *req, struct response *res, const struct db_instance *row,
                      const struct instance_filling *filling, struct json_object *placement,
                      struct error **err)
{
	scoped(jv_unrefp) struct json_object *body =
		instance_create_filling_json(row->project, row->name, filling);
	struct json_object *operation = NULL;

	scoped_free char *requestor = auth_forward_header(req->requestor);

	if (placement)
		jv_set_take(body, "placement", jv_ref(placement));
	const struct connect_header header = { AUTH_REQUESTOR_HEADER, requestor };
	const struct connect_call call = {
		.method = "POST",
		.path = "/internal/instances",
		.body = body,
		.headers = &header,
		.n_headers = 1,
	};
	int r = connect_call_member(req->state->cluster, row->member, &call, &operation, err);
	if (r < 0)
		return r;

	scoped_free char *url = xasprintf("/1.0/operations/%s", jv_text(operation, "id"));
	response_async(res, url, operation);
	return 0;
}

static int forward_filling(struct request *req, struct response *res,
                           const struct instance_new *new, struct json_object *placement,
                           struct error **err)
{
	const struct db_instance *row = &new->row.row;

	int r = ask_member(req, res, row, &new->filling, placement, err);
	if (r < 0)
		instance_create_undo(req->state, row->id, row->name);
	return r;
}

/* An earlier copy that is brought up to date, by the member that has it. */
static int refresh(struct request *req, struct response *res, const struct instance *inst,
                   struct instance_filling *filling, struct error **err)
{
	const struct db_instance *row = &inst->row->row;
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *here = state_member_name(req->state);

	if (strcmp(row->member, here) != 0)
		return ask_member(req, res, row, filling, NULL, err);
	int r = instance_create_operation(req, row->project, row->name, filling, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

static int instances_create(struct request *req, struct response *res, struct error **err)
{
	struct instance_new new = { 0 };
	struct json_object *body = NULL;
	scoped(jv_unrefp) struct json_object *placement = NULL;
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(instance_freep) struct instance *copy = NULL;
	scoped_free char *here = state_member_name(req->state);

	int r = request_json(req, &body, err);
	if (r == 0)
		r = instance_refresh_parse(req, body, &copy, &new.filling, err);
	if (r > 0)
		r = refresh(req, res, copy, &new.filling, err);
	if (r < 0 || copy) {
		instance_create_filling_done(&new.filling);
		return r;
	}
	if (r == 0)
		r = instance_create_parse(req, body, &new, err);
	if (r < 0)
		return r;

	r = instance_create_place(req, &new, &placement, err);
	if (r == 0)
		FAILPOINT_HERE("instance.placed", NULL, "When a new instance has its row");
	if (r == 0 && strcmp(new.row.row.member, here) != 0) {
		r = forward_filling(req, res, &new, placement, err);
	} else if (r == 0) {
		const struct db_instance *row = &new.row.row;

		r = instance_create_operation(req, row->project, row->name, &new.filling, &op, err);
		if (r == 0) {
			operation_set_metadata_key(op, "placement", jv_ref(placement));
			r = response_operation(res, op, err);
		}
		if (r < 0)
			instance_create_undo(req->state, row->id, row->name);
	}
	instance_create_new_done(&new);
	return r;
}

static int placement_explain(struct request *req, struct response *res, struct error **err)
{
	struct instance_new new = { 0 };
	struct json_object *body = NULL;
	struct json_object *placement = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = instance_create_parse(req, body, &new, err);
	if (r < 0)
		return r;

	r = instance_create_explain(req, &new, &placement, err);
	instance_create_new_done(&new);
	if (r == 0)
		response_sync(res, placement);

	return r;
}

/* On the member that was chosen. */
static int internal_fill(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body = NULL;
	struct instance_filling filling = { 0 };
	scoped(operation_unrefp) struct operation *op = NULL;
	const char *project = NULL;
	const char *name = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_string(body, "project", &project, err);
	if (r == 0)
		r = jv_need_string(body, "name", &name, err);
	if (r == 0)
		r = instance_create_filling_parse(body, &filling, err);
	if (r < 0)
		return r;

	r = instance_create_operation(req, project, name, &filling, &op, err);
	instance_create_filling_done(&filling);
	if (r < 0)
		return r;

	struct json_object *placement = jv_member(body, "placement");
	if (placement)
		operation_set_metadata_key(op, "placement", jv_ref(placement));
	return response_operation(res, op, err);
}

static int internal_states(struct request *req, struct response *res, struct error **err)
{
	struct json_object *answer = NULL;
	const char *text = request_query(req, "parts");
	uint32_t parts = 0;

	if (text && parse_uint32(text, &parts) < 0)
		return error_set(err, 400, "Invalid value for \"parts\"");

	int r = instance_remote_answer(req->state, parts & INSTANCE_JSON_ALL, &answer, err);
	if (r == 0)
		response_sync(res, answer);

	return r;
}

static int internal_running(struct request *req, struct response *res, struct error **err)
{
	(void)err;
	response_sync(res, instance_peers_answer(req->state));
	return 0;
}

static int instance_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(instance_freep) struct instance *inst = NULL;

	int r = request_view(req, INSTANCE_FAMILIES, &view, err);
	if (r == 0)
		r = instance_load_from(req->state, view, req->project, request_param(req, "name"),
		                       &inst, err);
	if (r < 0)
		return r;

	const struct instance_text *text = instance_text_of(inst->row);
	if (req->recursion == 0) {
		scoped(strbuf_done) struct strbuf b = { 0 };

		response_text_begin(&b);
		instance_text_print(text, instance_json_status(instance_status(inst)), &b);
		response_text(res, &b, text->etag);
		return 0;
	}

	struct json_object *state = NULL;
	r = instance_json_state(inst, INSTANCE_JSON_ALL, &state, err);
	if (r < 0)
		return r;

	struct json_object *obj = instance_json(inst, NULL);
	scoped(jv_unrefp) struct json_object *etag = instance_json_etag(&inst->row->row);
	instance_json_add_full(inst, obj, state);
	response_sync_etag(res, obj, etag);
	return 0;
}

struct deletion {
	struct state *state;
	char *project;
	char *name;
	bool is_forced;
};

static int run_deletion(struct operation *op, void *arg, struct error **err)
{
	const struct deletion *deletion = arg;

	return instance_delete(deletion->state, deletion->project, deletion->name,
	                       deletion->is_forced, op, err);
}

static void free_deletion(void *arg)
{
	struct deletion *deletion = arg;

	free(deletion->project);
	free(deletion->name);
	free(deletion);
}

static int instance_remove(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(operation_unrefp) struct operation *op = NULL;
	bool is_forced = false;

	int r = request_query_bool(req, "force", &is_forced, err);
	if (r == 0)
		r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r == 0 && !(is_forced && instance_is_running(inst)))
		r = instance_delete_check(inst, err);
	if (r < 0)
		return r;

	struct deletion *deletion = xcalloc(1, sizeof(*deletion));
	deletion->state = req->state;
	deletion->project = xstrdup(req->project);
	deletion->name = xstrdup(inst->row->row.name);
	deletion->is_forced = is_forced;
	const struct operation_spec spec = {
		.description = "Deleting instance",
		.project = req->project,
		.entity_url = inst->url,
		.run = run_deletion,
		.free_arg = free_deletion,
		.arg = deletion,
	};
	r = operation_new_for(req, &spec, &op, err);
	if (r < 0)
		return r;

	operation_add_resource(op, "instances", inst->url);
	return response_operation(res, op, err);
}

/* clang-format off */
static const struct route routes[] = {
	/* method    path                         handler           access           entity      entitlement             placement      extension             owner            body */
	{ "GET",    "/1.0/instances",             instances_list,   ACCESS_TRUSTED,  "instance", NULL,                   ON_ANY_MEMBER, "instances",          NULL,            ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/instances",             instances_create, ACCESS_ENTITLED, "project",  "can_create_instances", ON_ANY_MEMBER, "instances",          NULL,            ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}",      instance_get,     ACCESS_ENTITLED, "instance", "can_view",             ON_OWNER,      "instances",          instances_owner, ROUTE_BODY_JSON, false },
	{ "DELETE", "/1.0/instances/{name}",      instance_remove,  ACCESS_ENTITLED, "instance", "can_delete",           ON_OWNER,      "instances",          instances_owner, ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/cluster/placement-explain", placement_explain, ACCESS_ENTITLED, "project", "can_create_instances", ON_ANY_MEMBER, "instance_placement_groups", NULL, ROUTE_BODY_JSON, false },
	{ "POST",   "/internal/instances",        internal_fill,    ACCESS_PEER,     NULL,       NULL,                   ON_ANY_MEMBER, NULL,                 NULL,            ROUTE_BODY_JSON, false },
	{ "GET",    "/internal/instances/running", internal_running, ACCESS_PEER,    NULL,       NULL,                   ON_ANY_MEMBER, NULL,                 NULL,            ROUTE_BODY_JSON, false },
	{ "GET",    "/internal/instances/states", internal_states,  ACCESS_PEER,     NULL,       NULL,                   ON_ANY_MEMBER, NULL,                 NULL,            ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instances_routes = ROUTE_TABLE(routes);
