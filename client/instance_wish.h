/*
 * What the options of launch, init, copy and move say about an instance: config, devices, profiles.
 */
#pragma once

#include <json-c/json.h>

#include "client/cli.h"
#include "client/server.h"
#include "lib/base/error.h"

/* Adds the pairs of --config to the config of 'body'. */
int instance_wish_config(const struct cli *cli, struct json_object *body, struct error **err);

/*
 * Adds --storage, --network and --device to the devices of 'body'. A device that comes from a
 * profile is completed from there, since the server takes it as a whole.
 */
int instance_wish_devices(const struct cli *cli, struct server *server, struct json_object *body,
                          struct error **err);

/* Sets the profiles of 'body' from --profile and --no-profiles, if either was given. */
void instance_wish_profiles(const struct cli *cli, struct json_object *body);

/* The member 'key' of 'body' as an object, made on demand; borrowed. */
struct json_object *instance_wish_map(struct json_object *body, const char *key);

/* clang-format off */
#define INSTANCE_WISH_OPTIONS                                                                                   \
	{ "config",      'c', OPTION_LIST, NULL, "key=value for the config of the instance", WORD_NONE },         \
	{ "device",      'd', OPTION_LIST, NULL, "device,key=value[,key=value...] to add or change", WORD_NONE }, \
	{ "no-profiles", 0,   OPTION_FLAG, NULL, "Apply no profiles", WORD_NONE },                                \
	{ "profile",     'p', OPTION_LIST, NULL, "Profile to apply instead of the default one", WORD_PROFILE },   \
	{ "storage",     's', OPTION_TEXT, NULL, "Storage pool of the root disk", WORD_POOL }
/* clang-format on */
