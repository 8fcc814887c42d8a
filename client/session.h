/*
 * A program or console in an instance, joined to this terminal: websockets on one side, stdin,
 * stdout and stderr on the other, signals and window size beside them. One thread, one poll().
 */
#pragma once

#include <stdbool.h>

#include <json-c/json.h>

#include "client/server.h"
#include "lib/base/error.h"

struct session {
	struct server *server;
	struct json_object *operation; /* Of the exec or console request, with its "fds". */
	bool interactive;              /* One stream for all, the terminal in raw mode. */
	bool is_console;               /* ^A q leaves it. */
	int stdin_fd;                  /* -1: nothing is read, the program sees the end at once. */
};

/*
 * Runs until the streams are closed by the server (or the user has left a console, which sets
 * '*ret_left'). The result of the program is in the operation.
 */
int session_run(const struct session *session, bool *ret_left, struct error **err);
