/* Changes of an instance as a whole: PUT, PATCH, rename and move, rebuild. */
#include "daemon/api/instance_change.h"

#include <string.h>

#include "daemon/api/instance_job.h"
#include "daemon/api/instance_move.h"
#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_rebuild.h"
#include "daemon/instance/instance_rename.h"
#include "daemon/instance/instance_snapshot.h"
#include "daemon/instance/instance_update.h"
#include "daemon/instance/instance_volumes.h"
#include "daemon/project/project.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"

static int load(struct request *req, struct instance **ret_inst, struct error **err)
{
	return instance_load(req->state, req->project, request_param(req, "name"), ret_inst, err);
}

static int run_restore(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;

	return instance_snapshot_restore(job->state, job->project, job->name, job->snapshot,
	                                 job->with_volumes, op, err);
}

/* "s0", or "c1/s0" as clients send it. */
static const char *snapshot_of(const struct instance *inst, const char *text)
{
	size_t len = strlen(inst->row->row.name);
	bool has_name = strncmp(text, inst->row->row.name, len) == 0 && text[len] == '/';

	return has_name ? text + len + 1 : text;
}

static int restore(struct request *req, struct response *res, const char *text, const char *mode,
                   struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	bool with_volumes = false;

	int r = instance_volumes_parse_mode(mode, &with_volumes, err);
	if (r == 0)
		r = load(req, &inst, err);
	if (r < 0)
		return r;

	const char *snapshot = snapshot_of(inst, text);
	const struct db_instance_snapshot *row = instance_snapshot_find(inst, snapshot, err);
	if (!row)
		return (*err)->code;
	if (with_volumes && instance_volumes_check(inst, row, err) < 0)
		return (*err)->code;

	return instance_job_start(req, res, inst,
	                          &(struct instance_job_spec){
					  .description = "Restoring snapshot",
					  .run = run_restore,
					  .snapshot = snapshot,
					  .with_volumes = with_volumes,
				  },
	                          err);
}

struct updating {
	struct request *req;
	struct json_object *body;
};

static int run_update(struct operation *op, void *arg, struct error **err)
{
	const struct updating *updating = arg;

	return instance_update(updating->req, request_param(updating->req, "name"), updating->body,
	                       false, op, err);
}

/* Done before the answer goes out, so that what is wrong with it is the answer. */
static int instance_put(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	struct json_object *body = NULL;
	const char *snapshot = NULL, *mode = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_string(body, "restore", &snapshot, err);
	if (r >= 0)
		r = jv_get_string(body, "restore_disk_volumes_mode", &mode, err);
	if (r < 0)
		return r;
	if (snapshot && *snapshot)
		return restore(req, res, snapshot, mode, err);

	r = load(req, &inst, err);
	if (r < 0)
		return r;

	struct updating updating = { .req = req, .body = body };
	const struct operation_spec spec = {
		.description = "Updating instance",
		.project = req->project,
		.entity_url = inst->url,
		.run = run_update,
		.arg = &updating,
	};
	r = operation_new_for(req, &spec, &op, err);
	if (r < 0)
		return r;

	operation_add_resource(op, "instances", inst->url);
	return response_operation_done(res, op, err);
}

static int instance_patch(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = instance_update(req, request_param(req, "name"), body, true, NULL, err);
	if (r == 0)
		response_empty(res);

	return r;
}

static int run_rename(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;

	return instance_rename(job->state, job->project, job->name, job->new_name, op, err);
}

static int instance_post(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	struct json_object *body = NULL;
	const char *new_name = NULL;
	bool is_migration = false;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_string(body, "name", &new_name, err);
	if (r >= 0)
		r = jv_get_bool(body, "migration", &is_migration, err);
	if (r >= 0)
		r = load(req, &inst, err);
	if (r < 0)
		return r;
	if (is_migration || req->target)
		return instance_move_post(req, res, inst, body, err);
	if (!new_name || !*new_name)
		return error_set(err, 400, "No name was given");

	r = instance_rename_check(inst, new_name, err);
	if (r < 0)
		return r;

	scoped_free char *url =
		lifecycle_url(req->project, (const char *const[]){ "instances", new_name, NULL });
	return instance_job_start(req, res, inst,
	                          &(struct instance_job_spec){
					  .description = "Renaming instance",
					  .entity_url = url,
					  .original_url = inst->url,
					  .run = run_rename,
					  .new_name = new_name,
				  },
	                          err);
}

static int run_rebuild(struct operation *op, void *arg, struct error **err)
{
	const struct instance_job *job = arg;

	return instance_rebuild(job->state, job->project, job->name, job->new_name, job->text, op,
	                        err);
}

/* The image of a rebuild: its effective project and fingerprint, the latter owned; or NULL. */
static int read_image(struct request *req, struct json_object *source, const struct instance *inst,
                      const char **ret_project, char **ret_fingerprint, struct error **err)
{
	const char *type = "";
	const char *alias = NULL;
	const char *fingerprint = NULL;

	int r = jv_get_string(source, "type", &type, err);
	if (r >= 0)
		r = jv_get_string(source, "alias", &alias, err);
	if (r >= 0)
		r = jv_get_string(source, "fingerprint", &fingerprint, err);
	if (r < 0)
		return r;
	if (strcmp(type, "none") == 0)
		return 0;
	if (strcmp(type, "image") != 0)
		return error_set(err, 400, "Unknown source type %s", type);

	bool is_alias = alias && *alias;
	const char *text = is_alias ? alias : fingerprint;
	if (!text || !*text)
		return error_set(err, 400,
		                 "Must specify one of alias, fingerprint or properties for "
		                 "init from image");

	r = project_effective(inst->view, req->project, PROJECT_IMAGES, ret_project, err);
	if (r < 0)
		return r;

	return image_resolve(req->state, *ret_project, text, is_alias, instance_type_name(inst),
	                     ret_fingerprint, err);
}

static int rebuild_post(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *fingerprint = NULL;
	struct json_object *body = NULL;
	struct json_object *source = NULL;
	const char *image_project = NULL;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_object(body, "source", &source, err);
	if (r == 0)
		r = load(req, &inst, err);
	if (r == 0)
		r = read_image(req, source, inst, &image_project, &fingerprint, err);
	if (r == 0)
		r = instance_rebuild_check(inst, err);
	if (r < 0)
		return r;

	return instance_job_start(req, res, inst,
	                          &(struct instance_job_spec){
					  .description = "Rebuilding instance",
					  .run = run_rebuild,
					  .new_name = image_project,
					  .text = fingerprint,
				  },
	                          err);
}

/* clang-format off */
static const struct route routes[] = {
	{ "PUT",   "/1.0/instances/{name}",         instance_put,   ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "instances",         instances_owner, ROUTE_BODY_JSON, false },
	{ "PATCH", "/1.0/instances/{name}",         instance_patch, ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "instances",         instances_owner, ROUTE_BODY_JSON, false },
	{ "POST",  "/1.0/instances/{name}",         instance_post,  ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "instances",         instances_owner, ROUTE_BODY_JSON, false },
	{ "POST",  "/1.0/instances/{name}/rebuild", rebuild_post,   ACCESS_ENTITLED, "instance", "can_edit", ON_OWNER, "instances_rebuild", instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_change_routes = ROUTE_TABLE(routes);
