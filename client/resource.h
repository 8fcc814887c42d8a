/*
 * What instances, profiles, projects, pools, volumes, members and groups have in common: a document
 * with a config, perhaps devices, that can be shown, edited and changed key by key.
 */
#pragma once

#include <stdbool.h>

#include <json-c/json.h>

#include "client/cli.h"
#include "client/client.h"
#include "client/server.h"
#include "lib/base/error.h"

struct resource {
	const struct client *client;
	struct server *server;
	char *path;                  /* Owned; of server_path(). */
	const char *const *writable; /* The members that a PUT takes; ends with NULL. */
	const char *help;            /* Above the document in the editor. */
	bool empty_unsets;           /* A key goes if it is sent empty, not if it is left out. */
};

void resource_done(struct resource *res);

/* What the server has, and its ETag; both owned by the caller. */
int resource_get(const struct resource *res, struct json_object **ret_document, char **ret_etag,
                 struct error **err);

/* Sends the writable members of 'document' and waits. */
int resource_put(const struct resource *res, struct json_object *document, const char *etag,
                 struct error **err);

/* Prints it as YAML; 'fields' ends with NULL, or is NULL for all. */
int resource_show(const struct resource *res, const char *const *fields, struct error **err);
int resource_edit(const struct resource *res, struct error **err);

/*
 * One config key, or with 'property' a member of the document itself. A key that is not there
 * prints an empty line.
 */
int resource_config_get(const struct resource *res, const char *key, bool property,
                        struct error **err);

/* "key=value" words, or the two words "key" "value"; "-" as value is read from stdin. */
int resource_config_set(const struct resource *res, const char *const *words, bool property,
                        struct error **err);
int resource_config_unset(const struct resource *res, const char *key, bool property,
                          struct error **err);

/* "key=value" words into an object of strings. */
int resource_parse_pairs(const char *const *words, struct json_object *into, struct error **err);

/* The option that get, set and unset share. */
#define RESOURCE_PROPERTY_OPTION                                                     \
	{                                                                            \
		"property", 'p', OPTION_FLAG, NULL,                                  \
			"Take the key as a property of the object itself", WORD_NONE \
	}

/* A question about one thing: prints an item list's names, one per line. */
void resource_print_keys(struct json_object *object);
