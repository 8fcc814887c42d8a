/*
 * From the word that names an image to the "source" of a request: the same server resolves it, or
 * is told where to fetch it from.
 */
#pragma once

#include <json-c/json.h>

#include "client/client.h"
#include "client/server.h"
#include "lib/base/error.h"

/* The fingerprint of an alias or of the beginning of a fingerprint. Owned by the caller. */
int image_source_resolve(struct server *server, const char *name, bool is_vm,
                         char **ret_fingerprint, struct error **err);

/*
 * A source of type "image" for 'target'. 'word' is "[remote:]image". The object is owned by the
 * caller.
 */
int image_source_make(struct client *client, const char *word, struct server *target, bool is_vm,
                      struct json_object **ret_source, struct error **err);

/*
 * Fills a source with how 'target' reaches 'server': "server", "certificate" and "protocol", and a
 * "secret" for an image that is not public. Nothing is added if both are the same.
 */
int image_source_add_server(struct server *server, struct json_object *source,
                            const char *fingerprint, struct error **err);
