/*
 * Lifecycle events: what happened to which object, for those who follow along.
 *
 * A service calls lifecycle_send() after the change is committed, with an action of LXD's list
 * ("instance-started") and the URL of the object.
 */
#pragma once

#include <stddef.h>

#include "lib/base/error.h"

struct json_object;
struct operation;
struct request;
struct requestor;
struct state;

/*
 * 'action' is "<kind>-<participle>" as LXD's API names them; lifecycle.c lists all that are sent,
 * and asserts it. 'url' is the object's path with its project ("/1.0/instances/c1?project=p"),
 * 'project' NULL for objects of the server. 'context_take' may be NULL.
 */
void lifecycle_send(struct state *state, const struct requestor *requestor, const char *action,
                    const char *project, const char *url, struct json_object *context_take);

/* The same from a handler and from an operation, by its requestor. */
void lifecycle_send_for(struct request *req, const char *action, const char *project,
                        const char *url, struct json_object *context_take);
void lifecycle_send_op(struct operation *op, const char *action, const char *project,
                       const char *url, struct json_object *context_take);

/*
 * "/1.0/<collection>/<name>..." percent-encoded, with ?project= when it is not "default" or NULL.
 * 'parts' ends with NULL. Owned by the caller.
 *
 *	lifecycle_url("p1", (const char *const[]){ "instances", "c1", "snapshots", "s 1", NULL })
 *	-> "/1.0/instances/c1/snapshots/s%201?project=p1"
 */
char *lifecycle_url(const char *project, const char *const *parts) MUST_CHECK;

/* The i-th action that is ever sent, NULL after the last: for docs/events.md. */
const char *lifecycle_action_at(size_t i);
