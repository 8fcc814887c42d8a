/*
 * An operation that is a process inside an instance: exec and console.
 *
 * Its streams are websockets that the client connects one by one; when those that are needed are
 * there the process is started, and the operation ends when the process has ended and its output
 * has gone out. Nothing of it holds a thread: starting the process is a job of a moment, all else
 * happens on the loop. Whoever made the request may be gone at any time; a connection that breaks
 * while the process runs ends it.
 *
 *	waiting --streams there--> starting --> running --exit, output sent--> over
 */
#pragma once

#include <stdbool.h>

#include "daemon/core/operation.h"
#include "drivers/instance/instance_process.h"
#include "lib/base/error.h"

struct state;

struct instance_session_setup {
	bool has_streams;    /* Websockets; without them the process starts at once. */
	bool is_interactive; /* One websocket for the terminal, "0"; else "0", "1" and "2". */
	bool is_console;     /* A lost connection detaches; there is nothing to be killed. */

	/* Starts the process; on a worker thread, once at most. */
	int (*start)(struct operation *op, void *arg, struct instance_process **ret_process,
	             struct error **err);

	/*
	 * The process ended with 'status' (instance_process_on_exit()): stores what the operation
	 * says of it and returns how the operation ends. On the loop thread. May be NULL.
	 */
	int (*end)(struct operation *op, void *arg, int status, struct error **err);

	void (*free_arg)(void *arg);
	void *arg;
};

/*
 * Makes the operation, for the caller to answer with; it is a websocket operation with secrets if
 * it has streams, else a task. 'spec' says its description, project, URL and requestor.
 * 'setup->arg' is taken on success.
 */
int instance_session_new(struct state *state, const struct operation_spec *spec,
                         const struct instance_session_setup *setup, struct operation **ret_op,
                         struct error **err);
