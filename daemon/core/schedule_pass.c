#include "daemon/core/schedule_pass.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/core/operation.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/schedule.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

void schedule_pass_done(struct schedule_pass *pass)
{
	strv_free(pass->operations);
	pass->operations = NULL;
}

int64_t schedule_pass_due(const struct schedule_pass *pass, const char *text, int64_t id,
                          int64_t created)
{
	struct schedule schedule;

	if (str_is_empty(text) || schedule_parse(text, (uint64_t)id, &schedule) < 0)
		return DATE_NONE;
	return schedule_last_due(&schedule, created > pass->after ? created : pass->after,
	                         pass->now);
}

struct job {
	struct state *state;
	const struct schedule_kind *kind;
	char *project, *pool, *name, *id, *url;
	struct schedule_object object; /* Of those. */
	char **expired;
};

static void job_free(void *arg)
{
	struct job *job = arg;

	free(job->project);
	free(job->pool);
	free(job->name);
	free(job->id);
	free(job->url);
	strv_free(job->expired);
	free(job);
}

static struct job *job_new(struct state *state, const struct schedule_kind *kind,
                           const struct schedule_object *object, char **expired_take)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->state = state;
	job->kind = kind;
	job->project = xstrdup(object->project);
	job->pool = object->pool ? xstrdup(object->pool) : NULL;
	job->name = xstrdup(object->name);
	job->id = xstrdup(object->id);
	job->url = xstrdup(object->url);
	job->object =
		(struct schedule_object){ job->project, job->pool, job->name, job->id, job->url };
	job->expired = expired_take;
	return job;
}

static int take(struct operation *op, void *arg, struct error **err)
{
	const struct job *job = arg;

	return job->kind->take(job->state, &job->object, op, err);
}

static int expire(struct operation *op, void *arg, struct error **err)
{
	const struct job *job = arg;

	STRV_FOREACH (name, job->expired) {
		int r = job->kind->expire(job->state, &job->object, name, op, err);

		/* Somebody else was faster. */
		if (r == -ENOENT) {
			error_clear(err);
			continue;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

void schedule_pass_start(struct schedule_pass *pass, const struct schedule_kind *kind,
                         const struct schedule_object *object, char **expired_take)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(error_freep) struct error *err = NULL;
	bool is_end = expired_take;
	scoped_free char *key = xasprintf("schedule/%s/%s", is_end ? "end" : "take", object->id);
	struct job *job = job_new(pass->state, kind, object, expired_take);
	const struct operation_spec spec = {
		.project = object->project,
		.description = is_end ? kind->expire_text : kind->take_text,
		.entity_url = object->url,
		.conflict = key,
		.run = is_end ? expire : take,
		.free_arg = job_free,
		.arg = job,
	};

	int r = operation_new(pass->state, &spec, &op, &err);
	if (r == 0)
		r = operation_start(op, &err);
	if (r == 0)
		strv_add_take(&pass->operations, operation_url(op));
	else if (err->status != 409)
		log_warn("Failed starting \"%s\": %s", spec.description, err->msg);
}
