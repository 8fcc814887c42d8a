/* /1.0/instances/{name}/snapshots. */
#include "daemon/api/instance_snapshots.h"

#include <string.h>

#include "daemon/api/instance_job.h"
#include "daemon/api/instances_owner.h"
#include "daemon/api/recursion.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_json.h"
#include "daemon/instance/instance_snapshot.h"
#include "daemon/instance/instance_volumes.h"
#include "daemon/project/project_limits.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/data/jv.h"

static int load(struct request *req, struct instance **ret_inst, struct error **err)
{
	return instance_load(req->state, req->project, request_param(req, "name"), ret_inst, err);
}

/* The instance and the snapshot that the path names. */
static int load_snapshot(struct request *req, struct instance **ret_inst,
                         const struct db_instance_snapshot **ret_row, struct error **err)
{
	int r = load(req, ret_inst, err);

	if (r < 0)
		return r;

	*ret_row = instance_snapshot_find(*ret_inst, request_param(req, "snapshot"), err);
	return *ret_row ? 0 : (*err)->code;
}

static int snapshots_list(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	size_t n = 0;

	int r = load(req, &inst, err);
	if (r < 0)
		return r;

	struct json_object *list = jv_array();
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(inst->view, inst->row->row.id, &n);
	for (size_t i = 0; i < n; i++) {
		scoped_free char *url = instance_url_of(inst, "snapshots", rows[i].name, NULL);

		recursion_add(req, list, url,
		              recursion_needs_items(req) ? instance_json_snapshot(inst, &rows[i])
		                                         : NULL);
	}
	response_sync(res, list);
	return 0;
}

static int run_create(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;
	const struct instance_snapshot_new new = {
		.name = job->snapshot,
		.expires = job->number,
		.with_volumes = job->with_volumes,
	};

	return instance_snapshot_create(job->state, job->project, job->name, &new, op, err);
}

struct wish {
	const char *name;
	int64_t expires;
	bool has_expiry;
	bool is_stateful;
	bool with_volumes;
};

static int read_wish(struct json_object *body, struct wish *wish, struct error **err)
{
	const char *mode = NULL;

	int r = jv_get_string(body, "name", &wish->name, err);
	if (r >= 0)
		r = jv_get_bool(body, "stateful", &wish->is_stateful, err);
	if (r >= 0)
		r = jv_get_string(body, "disk_volumes_mode", &mode, err);
	if (r >= 0) {
		r = jv_get_date(body, "expires_at", &wish->expires, err);
		wish->has_expiry = r > 0;
	}
	if (r < 0)
		return r;
	if (wish->is_stateful)
		return error_set(err, 400, "Stateful snapshots are not supported for containers");
	return instance_volumes_parse_mode(mode, &wish->with_volumes, err);
}

static int snapshots_create(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *name = NULL;
	struct json_object *body = NULL;
	struct wish wish = { .expires = DATE_NONE };

	int r = request_json(req, &body, err);
	if (r == 0)
		r = read_wish(body, &wish, err);
	if (r == 0)
		r = load(req, &inst, err);
	if (r == 0)
		r = project_limits_check_snapshots(
			db_cache_project(inst->view, inst->row->row.project), err);
	if (r < 0)
		return r;

	if (wish.name && *wish.name)
		name = xstrdup(wish.name);
	else
		r = instance_snapshot_next_name(inst, &name, err);
	if (r == 0)
		r = instance_snapshot_check_name(name, err);
	if (r < 0)
		return r;

	scoped_free char *url = instance_url_of(inst, "snapshots", name, NULL);
	return instance_job_start(
		req, res, inst,
		&(struct instance_job_spec){
			.description = "Snapshotting instance",
			.entity_url = url,
			.run = run_create,
			.snapshot = name,
			.number = wish.has_expiry ? wish.expires : instance_snapshot_expiry(inst),
			.with_volumes = wish.with_volumes,
		},
		err);
}

static struct json_object *etag_of(const struct db_instance_snapshot *row)
{
	struct json_object *obj = jv_object();

	jv_set_date(obj, "expires_at", row->expires);
	return obj;
}

static int snapshot_get(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	const struct db_instance_snapshot *row = NULL;

	int r = load_snapshot(req, &inst, &row, err);
	if (r < 0)
		return r;

	scoped(jv_unrefp) struct json_object *etag = etag_of(row);
	response_sync_etag(res, instance_json_snapshot(inst, row), etag);
	return 0;
}

static int run_update(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;

	const struct instance_snapshot_change change = {
		.snapshot = job->snapshot,
		.description = job->text,
		.expires = job->number,
	};

	return instance_snapshot_update(job->state, job->project, job->name, &change, op, err);
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	const struct db_instance_snapshot *row = NULL;
	struct json_object *body = NULL;
	const char *description = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = load_snapshot(req, &inst, &row, err);
	if (r < 0)
		return r;

	int64_t expires = is_patch ? row->expires : DATE_NONE;
	scoped(jv_unrefp) struct json_object *etag = etag_of(row);
	r = request_check_etag(req, etag, err);
	if (r == 0)
		r = jv_get_date(body, "expires_at", &expires, err);
	if (r >= 0)
		r = jv_get_string(body, "description", &description, err);
	if (r < 0)
		return r;

	scoped_free char *url = instance_url_of(inst, "snapshots", row->name, NULL);
	return instance_job_start(req, res, inst,
	                          &(struct instance_job_spec){
					  .description = "Updating snapshot",
					  .entity_url = url,
					  .run = run_update,
					  .snapshot = row->name,
					  .text = description,
					  .number = expires,
					  .is_done_first = true,
				  },
	                          err);
}

static int snapshot_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int snapshot_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

static int run_rename(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;

	return instance_snapshot_rename(job->state, job->project, job->name, job->snapshot,
	                                job->new_name, op, err);
}

static int snapshot_post(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	const struct db_instance_snapshot *row = NULL;
	struct json_object *body = NULL;
	const char *new_name = NULL;
	bool is_migration = false;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_bool(body, "migration", &is_migration, err);
	if (r >= 0)
		r = jv_need_string(body, "name", &new_name, err);
	if (r == 0)
		r = load_snapshot(req, &inst, &row, err);
	if (r < 0)
		return r;
	if (is_migration)
		return error_set(err, 501, "Migration between servers is not supported");

	r = instance_snapshot_check_name(new_name, err);
	if (r < 0)
		return r;

	scoped(error_freep) struct error *free_name = NULL;
	if (instance_snapshot_find(inst, new_name, &free_name))
		return error_set(err, 409, "Name \"%s\" already in use", new_name);

	scoped_free char *old_url = instance_url_of(inst, "snapshots", row->name, NULL);
	scoped_free char *url = instance_url_of(inst, "snapshots", new_name, NULL);
	return instance_job_start(req, res, inst,
	                          &(struct instance_job_spec){
					  .description = "Renaming snapshot",
					  .entity_url = url,
					  .original_url = old_url,
					  .run = run_rename,
					  .snapshot = row->name,
					  .new_name = new_name,
				  },
	                          err);
}

static int run_delete(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;

	return instance_snapshot_delete(job->state, job->project, job->name, job->snapshot,
	                                job->with_volumes, op, err);
}

static int snapshot_delete(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	const struct db_instance_snapshot *row = NULL;
	bool with_volumes = false;

	int r = instance_volumes_parse_mode(request_query(req, "disk-volumes"), &with_volumes, err);
	if (r == 0)
		r = load_snapshot(req, &inst, &row, err);
	if (r < 0)
		return r;

	scoped_free char *url = instance_url_of(inst, "snapshots", row->name, NULL);
	return instance_job_start(req, res, inst,
	                          &(struct instance_job_spec){
					  .description = "Deleting snapshot",
					  .entity_url = url,
					  .run = run_delete,
					  .snapshot = row->name,
					  .with_volumes = with_volumes,
				  },
	                          err);
}

/* clang-format off */
static const struct route routes[] = {
	/* method    path                                        handler            access           entity               entitlement             placement   extension          owner            body */
	{ "GET",    "/1.0/instances/{name}/snapshots",            snapshots_list,   ACCESS_ENTITLED, "instance", "can_view",             ON_ANY_MEMBER, "instances",       NULL,            ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/instances/{name}/snapshots",            snapshots_create, ACCESS_ENTITLED, "instance", "can_manage_snapshots", ON_OWNER,      "instances",       instances_owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}/snapshots/{snapshot}", snapshot_get,     ACCESS_ENTITLED, "instance", "can_view",             ON_ANY_MEMBER, "instances",       NULL,            ROUTE_BODY_JSON, false },
	{ "PUT",    "/1.0/instances/{name}/snapshots/{snapshot}", snapshot_put,     ACCESS_ENTITLED, "instance", "can_manage_snapshots", ON_OWNER,      "snapshot_expiry", instances_owner, ROUTE_BODY_JSON, false },
	{ "PATCH",  "/1.0/instances/{name}/snapshots/{snapshot}", snapshot_patch,   ACCESS_ENTITLED, "instance", "can_manage_snapshots", ON_OWNER,      "snapshot_expiry", instances_owner, ROUTE_BODY_JSON, false },
	{ "POST",   "/1.0/instances/{name}/snapshots/{snapshot}", snapshot_post,    ACCESS_ENTITLED, "instance", "can_manage_snapshots", ON_OWNER,      "instances",       instances_owner, ROUTE_BODY_JSON, false },
	{ "DELETE", "/1.0/instances/{name}/snapshots/{snapshot}", snapshot_delete,  ACCESS_ENTITLED, "instance", "can_manage_snapshots", ON_OWNER,      "instances",       instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_snapshots_routes = ROUTE_TABLE(routes);
