/*
 * Commands inside an instance: POST /1.0/instances/NAME/exec.
 *
 * The command's streams are websockets, or files that the client fetches afterwards ("recorded"
 * output, see instance_logs.h), or nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"
#include "lib/base/smap.h"

struct json_object;
struct operation;
struct requestor;

/* A record; zero is a sensible default but for the command. */
struct instance_exec_request {
	char **command;
	struct smap environment; /* What the request says; defaults are added. */
	char *cwd;
	bool has_streams; /* "wait-for-websocket" */
	bool is_recorded; /* "record-output"; only without streams. */
	bool is_interactive;
	uint32_t uid, gid;
	uint16_t width, height;
};

/* Reads and checks the body of the request: 400. */
int instance_exec_parse(struct json_object *body, struct instance_exec_request *ret_request,
                        struct error **err);
void instance_exec_request_done(struct instance_exec_request *request);

/*
 * Makes the operation that runs it. 400 if the instance does not run. 'inst' and the content of
 * 'request' are taken, whatever the result.
 */
int instance_exec(struct instance *inst_take, struct instance_exec_request *request_take,
                  const struct requestor *requestor, struct operation **ret_op, struct error **err);
