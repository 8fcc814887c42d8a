/*
 * Copies of instances, inside a server and between two of them.
 *
 * Between servers one of them opens an operation with secrets and the other one connects to it:
 * with "pull" the target connects to the source, with "push" it is the other way round.
 */
#pragma once

#include <stdbool.h>

#include <json-c/json.h>

#include "client/client.h"
#include "client/server.h"
#include "lib/base/error.h"

struct instance_copy {
	struct client *client;
	struct server *from, *to;
	const char *source;     /* "c1" or "c1/snapshot". */
	const char *name;       /* Of the copy; "" lets the server choose. */
	const char *mode;       /* "pull" or "push". */
	const char *to_project; /* Or NULL: that of the source. */
	const char *to_target;  /* Member, or NULL. */
	bool instance_only, live, refresh, allow_inconsistent;
	bool keep_volatile; /* A move keeps what makes the instance itself. */
	const char *label;

	/* Changes the new instance's document before it is sent; or NULL. */
	int (*adjust)(void *arg, struct json_object *body, struct error **err);
	void *arg;
};

int instance_copy_run(const struct instance_copy *copy, struct error **err);
