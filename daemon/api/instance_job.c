#include "daemon/api/instance_job.h"

#include <stdlib.h>

#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/instance/instance.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"

static void free_job(void *arg)
{
	struct instance_job *job = arg;

	free(job->project);
	free(job->name);
	free(job->snapshot);
	free(job->new_name);
	free(job->text);
	free(job);
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

int instance_job_start(struct request *req, struct response *res, const struct instance *inst,
                       const struct instance_job_spec *spec, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct instance_job *job = xcalloc(1, sizeof(*job));

	job->state = req->state;
	job->project = xstrdup(inst->row->row.project);
	job->name = xstrdup(inst->row->row.name);
	job->snapshot = copy(spec->snapshot);
	job->new_name = copy(spec->new_name);
	job->text = copy(spec->text);
	job->number = spec->number;
	job->with_volumes = spec->with_volumes;
	const struct operation_spec operation = {
		.description = spec->description,
		.project = req->project,
		.entity_url = spec->entity_url ? spec->entity_url : inst->url,
		.run = spec->run,
		.free_arg = free_job,
		.arg = job,
	};
	int r = operation_new_for(req, &operation, &op, err);
	if (r < 0)
		return r;

	operation_add_resource(op, "instances", inst->url);
	if (spec->original_url)
		operation_set_metadata_key(op, "original_entity_url",
		                           jv_of_string(spec->original_url));
	return spec->is_done_first ? response_operation_done(res, op, err)
	                           : response_operation(res, op, err);
}
