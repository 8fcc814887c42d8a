/* The request that makes an instance, from the options of launch, init and explain. */
#pragma once

#include <json-c/json.h>

#include "client/cli.h"
#include "client/client.h"
#include "client/instance_wish.h"
#include "lib/base/error.h"

/*
 * The body of POST /1.0/instances without a name; config, devices and profiles may come from YAML
 * on stdin. 'image' is "[remote:]image", or NULL for an instance without one. Owned by the caller.
 */
int instance_create_body(struct client *client, const struct cli *cli, struct server *server,
                         const char *image, struct json_object **ret_body, struct error **err);

/* clang-format off */
#define INSTANCE_CREATE_OPTIONS                                                                             \
	INSTANCE_WISH_OPTIONS,                                                                              \
	{ "empty",     0,   OPTION_FLAG, NULL, "An instance without an image", WORD_NONE },                 \
	{ "ephemeral", 'e', OPTION_FLAG, NULL, "Delete the instance when it stops", WORD_NONE },            \
	{ "network",   'n', OPTION_TEXT, NULL, "Network to attach", WORD_NONE },                            \
	{ "target",    0,   OPTION_TEXT, NULL, "Cluster member, or @group, to create it on", WORD_MEMBER }, \
	{ "type",      't', OPTION_TEXT, NULL, "Instance type, as clouds name them", WORD_NONE },           \
	{ "vm",        0,   OPTION_FLAG, NULL, "Create a virtual machine", WORD_NONE }
/* clang-format on */
