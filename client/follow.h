/*
 * Following an operation to its end.
 *
 * Progress comes with the server's operation events; where nobody would see it, the operation is
 * only waited for. The first ^C asks the server to cancel, the second one leaves it behind.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>

#include "client/client.h"
#include "client/server.h"
#include "lib/base/error.h"

struct follow {
	const char *label; /* In front of the progress, or NULL. */

	/* Shows the operation's state in place of the usual line; called for each change and with
	 * 'is_last' at the end. */
	void (*render)(void *arg, struct json_object *operation, bool is_last);
	void *render_arg;
};

/*
 * Waits for 'operation' (borrowed; NULL is done already). Fails with the operation's own error.
 * 'ret_operation' (owned by the caller) may be NULL; it is set to NULL for a NULL operation.
 */
int follow_operation(const struct client *client, struct server *server,
                     struct json_object *operation, const struct follow *follow,
                     struct json_object **ret_operation, struct error **err);

/* What follow_change() sends; 'body' and 'label' (shown before the progress) may be NULL. */
struct follow_request {
	const char *method;
	struct json_object *body;
	const char *label;
};

/* server_start() and follow_operation() in one, for changes without special progress. */
int follow_change(const struct client *client, struct server *server,
                  const struct follow_request *request, struct error **err, const char *fmt, ...)
	PRINTF(5, 6);

/* Starts or stops an instance on the way to something else, for however long that takes. */
int follow_state(const struct client *client, struct server *server, const char *name,
                 const char *action, bool is_forced, struct error **err);

/* The text of the progress in an operation's metadata, or NULL; borrowed. */
const char *follow_progress_text(struct json_object *operation);

/* Whether progress is shown: on a terminal, without --quiet. */
bool follow_is_shown(const struct client *client);

/* Shows a line in place of the one before; NULL removes it. */
void follow_show_line(const char *label, const char *text);

/* A callback for transfers: http's 'progress' with a struct follow_transfer. */
struct follow_transfer {
	const char *label;
	int64_t started, shown; /* Zero at first. */
};
void follow_transfer(void *arg, uint64_t done, uint64_t total);
