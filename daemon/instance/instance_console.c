#include "daemon/instance/instance_console.h"

#include <stdlib.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/instance/instance_session.h"
#include "daemon/instance/instance_spec.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"

struct job {
	struct instance *inst; /* Until it is started. */
	struct instance_console_request request;
};

static void free_job(void *arg)
{
	struct job *job = arg;

	instance_free(job->inst);
	free(job);
}

static int start(struct operation *op, void *arg, struct instance_process **ret_process,
                 struct error **err)
{
	struct job *job = arg;
	const struct instance *inst = job->inst;
	const struct instance_console_request *req = &job->request;

	int r = inst->driver->console(inst->engine, inst->id, req->is_forced, ret_process, err);
	if (r < 0)
		return r;

	if (req->width && req->height)
		(void)instance_process_resize(*ret_process, req->width, req->height);

	struct json_object *context = jv_object();

	jv_set_string(context, "type", "console");
	lifecycle_send_op(op, "instance-console", inst->row->row.project, inst->url, context);
	instance_free(TAKE_PTR(job->inst));
	return 0;
}

int instance_console(struct instance *inst_take, const struct instance_console_request *request,
                     const struct requestor *requestor, struct operation **ret_op,
                     struct error **err)
{
	struct job *job = xcalloc(1, sizeof(*job));
	const struct operation_spec spec = {
		.project = inst_take->row->row.project,
		.description = "Showing console",
		.entity_url = inst_take->url,
		.requestor = requestor,
	};
	const struct instance_session_setup setup = {
		.has_streams = true,
		.is_interactive = true,
		.is_console = true,
		.start = start,
		.free_arg = free_job,
		.arg = job,
	};

	job->inst = inst_take;
	job->request = *request;
	int r = instance_is_running(inst_take)
	                ? instance_session_new(inst_take->state, &spec, &setup, ret_op, err)
	                : error_set(err, 400, "Instance is not running");
	if (r < 0)
		free_job(job);

	return r;
}

int instance_console_log(const struct instance *inst, char **ret_log, size_t *ret_size,
                         struct error **err)
{
	struct instance_spec_built built;

	if (!inst->engine)
		return error_set(err, 400, "Instances of this type do not run here");
	int r = instance_spec_init(inst, &built, err);
	if (r < 0)
		return r;

	r = inst->driver->console_log(inst->engine, &built.spec, ret_log, ret_size, err);
	instance_spec_done(inst, &built);
	return r;
}

int instance_console_clear(const struct instance *inst, struct error **err)
{
	struct instance_spec_built built;

	if (!inst->engine)
		return error_set(err, 400, "Instances of this type do not run here");
	int r = instance_spec_init(inst, &built, err);
	if (r < 0)
		return r;

	r = inst->driver->console_clear(inst->engine, &built.spec, err);
	instance_spec_done(inst, &built);
	return r;
}
