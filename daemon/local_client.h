/* How the subcommands reach the daemon: its unix socket in the state directory. */
#pragma once

#include "lib/base/error.h"

struct http_client;
struct json_object;

/* Never fails; the first request does when no daemon is there. */
struct http_client *local_client_new(void) MUST_CHECK;

/*
 * Sends a request and, when it is answered with an operation, waits for its end. '*ret_metadata' is
 * owned by the caller and may be NULL; so may the pointer.
 */
int local_client_call(struct http_client *client, const char *method, const char *path,
                      struct json_object *body, struct json_object **ret_metadata,
                      struct error **err);
