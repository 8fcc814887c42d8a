#include "daemon/instance/instance_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/instance/instance_logs.h"
#include "daemon/instance/instance_session.h"
#include "daemon/instance/instance_spec.h"
#include "drivers/instance/instance_environment.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* What the shell says too when it cannot run a command, or cannot find one. */
#define CANNOT_RUN 126
#define NOT_FOUND 127

/* A command that was asked for; the operation's. */
struct job {
	struct instance *inst; /* Until it is started. */
	struct instance_exec_request request;
	char *name;
	char *project;
	bool is_recorded; /* Files were made. */
};

/* --- The request --- */

static int get_number(struct json_object *body, const char *key, int64_t max, int64_t *ret,
                      struct error **err)
{
	*ret = 0;
	int r = jv_get_int(body, key, ret, err);
	if (r >= 0 && (*ret < 0 || *ret > max))
		return error_set(err, 400, "Invalid \"%s\": %lld", key, (long long)*ret);

	return r;
}

static int get_numbers(struct json_object *body, struct instance_exec_request *req,
                       struct error **err)
{
	int64_t uid, gid, width, height;

	if (get_number(body, "user", UINT32_MAX - 1, &uid, err) < 0 ||
	    get_number(body, "group", UINT32_MAX - 1, &gid, err) < 0 ||
	    get_number(body, "width", UINT16_MAX, &width, err) < 0 ||
	    get_number(body, "height", UINT16_MAX, &height, err) < 0)
		return (*err)->code;

	req->uid = (uint32_t)uid;
	req->gid = (uint32_t)gid;
	req->width = (uint16_t)width;
	req->height = (uint16_t)height;
	return 0;
}

static int check(const struct instance_exec_request *req, struct error **err)
{
	if (strv_len(req->command) == 0 || !req->command[0][0])
		return error_set(err, 400, "No command is given");
	SMAP_FOREACH (e, &req->environment) {
		if (!e->key[0] || strchr(e->key, '='))
			return error_set(err, 400, "Invalid name of an environment variable \"%s\"",
			                 e->key);
	}

	return 0;
}

int instance_exec_parse(struct json_object *body, struct instance_exec_request *ret_request,
                        struct error **err)
{
	scoped(instance_exec_request_done) struct instance_exec_request req = { 0 };
	const char *cwd = NULL;

	if (jv_get_strv(body, "command", &req.command, err) < 0 ||
	    jv_get_smap(body, "environment", &req.environment, err) < 0 ||
	    jv_get_string(body, "cwd", &cwd, err) < 0 ||
	    jv_get_bool(body, "wait-for-websocket", &req.has_streams, err) < 0 ||
	    jv_get_bool(body, "record-output", &req.is_recorded, err) < 0 ||
	    jv_get_bool(body, "interactive", &req.is_interactive, err) < 0 ||
	    get_numbers(body, &req, err) < 0 || check(&req, err) < 0)
		return (*err)->code;

	/* Without streams there is nobody at the terminal; with them nothing is recorded. */
	req.is_interactive = req.is_interactive && req.has_streams;
	req.is_recorded = req.is_recorded && !req.has_streams;
	req.cwd = xstrdup(cwd ? cwd : "");
	*ret_request = req;
	req = (struct instance_exec_request){ 0 };
	return 0;
}

void instance_exec_request_done(struct instance_exec_request *request)
{
	strv_free(request->command);
	smap_done(&request->environment);
	free(request->cwd);
	*request = (struct instance_exec_request){ 0 };
}

/* --- The operation --- */

static void free_job(void *arg)
{
	struct job *job = arg;

	instance_free(job->inst);
	instance_exec_request_done(&job->request);
	free(job->name);
	free(job->project);
	free(job);
}

/* Where output goes that nobody has a websocket for. */
static int open_outputs(const struct job *job, const char *op_id, int fds[3], struct error **err)
{
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fds[0] < 0)
		return error_set_errno(err, -errno, "Failed opening \"/dev/null\"");
	if (job->request.is_recorded)
		return instance_logs_record(job->inst, op_id, fds + 1, err);

	return 0;
}

static int run_command(const struct job *job, const char *op_id, struct instance_process **ret,
                       struct error **err)
{
	const struct instance_exec_request *req = &job->request;
	const struct instance *inst = job->inst;
	struct instance_spec_built built;
	scoped(strv_freep) char **environment = NULL;
	int fds[3] = { -1, -1, -1 };

	int r = req->has_streams ? 0 : open_outputs(job, op_id, fds, err);
	if (r < 0) {
		if (fds[0] >= 0)
			close(fds[0]);
		return r;
	}

	SMAP_FOREACH (e, &req->environment) {
		strv_addf(&environment, "%s=%s", e->key, e->value);
	}
	const struct instance_exec exec = {
		.argv = (const char *const *)req->command,
		.environment = (const char *const *)environment,
		.cwd = req->cwd,
		.uid = req->uid,
		.gid = req->gid,
		.is_interactive = req->is_interactive,
		.width = req->width,
		.height = req->height,
		.stdin_fd = fds[0],
		.stdout_fd = fds[1] >= 0 ? fds[1] : fds[0],
		.stderr_fd = fds[2] >= 0 ? fds[2] : fds[0],
	};
	r = instance_spec_init(inst, &built, err);
	if (r == 0) {
		r = inst->driver->exec(inst->engine, &built.spec, &exec, ret, err);
		instance_spec_done(inst, &built);
	}
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}

	return r;
}

static int start(struct operation *op, void *arg, struct instance_process **ret_process,
                 struct error **err)
{
	struct job *job = arg;

	int r = run_command(job, operation_id(op), ret_process, err);
	if (r < 0)
		return r;

	struct json_object *context = jv_object();

	jv_set_strv(context, "command", job->request.command);
	lifecycle_send_op(op, "instance-exec", job->project, job->inst->url, context);
	job->is_recorded = job->request.is_recorded;
	/* It may run for weeks, and would keep the rows of today in memory. */
	instance_free(TAKE_PTR(job->inst));
	return 0;
}

static int end(struct operation *op, void *arg, int status, struct error **err)
{
	const struct job *job = arg;
	scoped(jv_unrefp) struct json_object *metadata = jv_object();

	jv_set_int(metadata, "return", status);
	if (job->is_recorded)
		jv_set_take(metadata, "output",
		            instance_logs_recorded(job->name, operation_id(op)));
	operation_set_metadata(op, metadata);

	switch (status) {
	case -1:
		return error_set(err, 500, "Failed to learn the command's exit status");
	case CANNOT_RUN:
		return error_set(err, 400, "Command not executable");
	case NOT_FOUND:
		return error_set(err, 400, "Command not found");
	default:
		return 0;
	}
}

/* What clients see of it beforehand, for those that have streams. */
static void describe(struct operation *op, const struct instance_exec_request *req)
{
	scoped(jv_unrefp) struct json_object *metadata = jv_object();

	jv_set_strv(metadata, "command", req->command);
	jv_set_smap(metadata, "environment", &req->environment);
	jv_set_bool(metadata, "interactive", req->is_interactive);
	operation_set_metadata(op, metadata);
}

static int make(struct job *job, const struct requestor *requestor, struct operation **ret_op,
                struct error **err)
{
	struct instance_exec_request *req = &job->request;
	struct state *state = job->inst->state;
	const struct operation_spec spec = {
		.project = job->project,
		.description = "Executing command",
		.entity_url = job->inst->url,
		.requestor = requestor,
	};
	const struct instance_session_setup setup = {
		.has_streams = req->has_streams,
		.is_interactive = req->is_interactive,
		.start = start,
		.end = end,
		.free_arg = free_job,
		.arg = job,
	};

	switch (instance_status(job->inst)) {
	case INSTANCE_STOPPED:
		return error_set(err, 400, "Instance is not running");
	case INSTANCE_FROZEN:
		return error_set(err, 400, "Instance is frozen");
	case INSTANCE_RUNNING:
		break;
	}

	instance_environment_complete(&job->inst->row->config, req->uid, &req->environment);
	return instance_session_new(state, &spec, &setup, ret_op, err);
}

int instance_exec(struct instance *inst_take, struct instance_exec_request *request_take,
                  const struct requestor *requestor, struct operation **ret_op, struct error **err)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->inst = inst_take;
	job->request = *request_take;
	*request_take = (struct instance_exec_request){ 0 };
	job->name = xstrdup(inst_take->row->row.name);
	job->project = xstrdup(inst_take->row->row.project);
	int r = make(job, requestor, ret_op, err);
	if (r < 0) {
		free_job(job);
		return r;
	}

	if (job->request.has_streams)
		describe(*ret_op, &job->request);
	return 0;
}
