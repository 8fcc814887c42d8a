/* "muster config device" and "muster profile device": the devices of instances and profiles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/instance_resource.h"
#include "client/instance_wish.h"
#include "client/output.h"
#include "client/resource.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

/* An instance or a profile with its document. */
struct owner {
	struct resource res;
	struct json_object *document;
	char *etag;
	const char *name; /* As the user wrote it. */
};

static void owner_done(struct owner *o)
{
	resource_done(&o->res);
	jv_unref(o->document);
	free(o->etag);
}

static int open_profile(struct client *client, const char *word, struct resource *ret_resource,
                        struct error **err)
{
	static const char *const writable[] = { "config", "description", "devices", NULL };
	struct server *server;
	const char *name;
	int r = client_named(client, word, "profile", &server, &name, err);

	if (r == 0)
		*ret_resource =
			(struct resource){ .client = client,
			                   .server = server,
			                   .path = server_path(server, "/1.0/profiles/%s", name),
			                   .writable = writable };
	return r;
}

static int owner_open(struct client *client, const struct cli *cli, struct owner *ret_owner,
                      struct error **err)
{
	bool is_server = false;
	int r;

	ret_owner->name = cli_word(cli, 0);
	if (str_starts(cli->command->path, "profile"))
		r = open_profile(client, cli_word(cli, 0), &ret_owner->res, err);
	else
		r = instance_resource_open(client, cli_word(cli, 0), NULL, &ret_owner->res,
		                           &is_server, err);
	if (r == 0 && is_server)
		return error_set(err, 400, "Missing instance name");
	return r < 0 ? r
	             : resource_get(&ret_owner->res, &ret_owner->document, &ret_owner->etag, err);
}

static int owner_save(struct client *client, struct owner *o, const char *fmt, const char *device,
                      struct error **err)
{
	int r = resource_put(&o->res, o->document, o->etag, err);

	if (r == 0 && fmt)
		client_say(client, "Device %s %s %s", device, fmt, o->name);
	return r;
}

static int find_device(struct owner *o, const char *name, struct json_object **ret_device,
                       struct error **err)
{
	*ret_device = jv_member(jv_member(o->document, "devices"), name);
	if (*ret_device)
		return 0;
	if (jv_member(jv_member(o->document, "expanded_devices"), name))
		return error_set(err, 400,
		                 "The device \"%s\" comes from a profile; change it there or use "
		                 "\"device override\"",
		                 name);
	return error_set(err, 404, "The device \"%s\" does not exist", name);
}

static int add_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	const char *name = cli_word(cli, 1);
	int r = owner_open(client, cli, &o, err);

	if (r < 0)
		return r;
	struct json_object *devices = instance_wish_map(o.document, "devices");
	if (jv_member(devices, name))
		return error_set(err, 409, "The device already exists");
	struct json_object *device = jv_object();
	jv_set_take(devices, name, device);
	r = resource_parse_pairs((const char *const *)cli->words + 3, device, err);
	jv_set_string(device, "type", cli_word(cli, 2));
	return r < 0 ? r : owner_save(client, &o, "added to", name, err);
}

static int override_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	const char *name = cli_word(cli, 1);
	int r = owner_open(client, cli, &o, err);

	if (r < 0)
		return r;
	struct json_object *devices = instance_wish_map(o.document, "devices");
	struct json_object *inherited = jv_member(jv_member(o.document, "expanded_devices"), name);
	if (jv_member(devices, name))
		return error_set(err, 409, "The device already exists");
	if (!inherited)
		return error_set(err, 404, "The profile device does not exist");
	struct json_object *device = jv_copy(inherited);
	jv_set_take(devices, name, device);
	r = resource_parse_pairs((const char *const *)cli->words + 2, device, err);
	return r < 0 ? r : owner_save(client, &o, "overridden for", name, err);
}

static int get_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	struct json_object *device;
	int r = owner_open(client, cli, &o, err);

	if (r == 0)
		r = find_device(&o, cli_word(cli, 1), &device, err);
	if (r == 0)
		printf("%s\n", str_or_empty(jv_text(device, cli_word(cli, 2))));
	return r;
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	int r = owner_open(client, cli, &o, err);

	if (r == 0)
		resource_print_keys(jv_member(o.document, "devices"));
	return r;
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	int r = owner_open(client, cli, &o, err);

	if (r == 0)
		output_yaml(instance_wish_map(o.document, "devices"), stdout);
	return r;
}

static int remove_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	int r = owner_open(client, cli, &o, err);

	for (size_t i = 1; r == 0 && cli_word(cli, i); i++) {
		struct json_object *unused;

		r = find_device(&o, cli_word(cli, i), &unused, err);
		if (r == 0)
			jv_unset(jv_member(o.document, "devices"), cli_word(cli, i));
	}
	if (r == 0)
		r = owner_save(client, &o, NULL, NULL, err);
	for (size_t i = 1; r == 0 && cli_word(cli, i); i++)
		client_say(client, "Device %s removed from %s", cli_word(cli, i), o.name);
	return r;
}

static int set_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	struct json_object *device;
	int r = owner_open(client, cli, &o, err);

	if (r == 0)
		r = find_device(&o, cli_word(cli, 1), &device, err);
	if (r < 0)
		return r;
	if (cli->n_words == 4 && !strchr(cli_word(cli, 2), '='))
		jv_set_string(device, cli_word(cli, 2), cli_word(cli, 3));
	else
		r = resource_parse_pairs((const char *const *)cli->words + 2, device, err);
	return r < 0 ? r : owner_save(client, &o, NULL, NULL, err);
}

static int unset_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(owner_done) struct owner o = { 0 };
	struct json_object *device;
	int r = owner_open(client, cli, &o, err);

	if (r == 0)
		r = find_device(&o, cli_word(cli, 1), &device, err);
	if (r < 0)
		return r;
	jv_unset(device, cli_word(cli, 2));
	return owner_save(client, &o, NULL, NULL, err);
}

/* The same eight commands below "config" and "profile". */
/* clang-format off */
#define DEVICE_COMMANDS(above, what, kind)                                                                       \
	{ .path = above " device", .usage = "", .summary = "Manage the devices of " what "s" },                  \
	{ .path = above " device add", .usage = "[<remote>:]<" what "> <device> <type> [key=value...]",          \
	  .min_words = 3, .max_words = CLI_ANY, .run = add_run, .summary = "Add a device",                       \
	  .kinds = { kind, WORD_NONE } },                                                                        \
	{ .path = above " device get", .usage = "[<remote>:]<" what "> <device> <key>",                          \
	  .min_words = 3, .max_words = 3, .run = get_run, .summary = "Get the value of a device's key",          \
	  .kinds = { kind, WORD_NONE } },                                                                        \
	{ .path = above " device list", .usage = "[<remote>:]<" what ">",                                        \
	  .min_words = 1, .max_words = 1, .run = list_run, .summary = "List the devices", .aliases = "ls",       \
	  .kinds = { kind } },                                                                                   \
	{ .path = above " device remove", .usage = "[<remote>:]<" what "> <device>...",                          \
	  .min_words = 2, .max_words = CLI_ANY, .run = remove_run, .summary = "Remove devices", .aliases = "rm", \
	  .kinds = { kind, WORD_NONE } },                                                                        \
	{ .path = above " device set", .usage = "[<remote>:]<" what "> <device> <key>=<value>...",               \
	  .min_words = 3, .max_words = CLI_ANY, .run = set_run, .summary = "Set keys of a device",               \
	  .kinds = { kind, WORD_NONE } },                                                                        \
	{ .path = above " device show", .usage = "[<remote>:]<" what ">",                                        \
	  .min_words = 1, .max_words = 1, .run = show_run, .summary = "Show all devices",                        \
	  .kinds = { kind } },                                                                                   \
	{ .path = above " device unset", .usage = "[<remote>:]<" what "> <device> <key>",                        \
	  .min_words = 3, .max_words = 3, .run = unset_run, .summary = "Unset a key of a device",                \
	  .kinds = { kind, WORD_NONE } }

const struct cli_command cmd_config_device_commands[] = {
	DEVICE_COMMANDS("config", "instance", WORD_INSTANCE),
	{ .path = "config device override",
	  .usage = "[<remote>:]<instance> <device> [key=value...]",
	  .min_words = 2, .max_words = CLI_ANY, .run = override_run,
	  .summary = "Copy a device of a profile to the instance and change it there",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	DEVICE_COMMANDS("profile", "profile", WORD_PROFILE),
	{ .path = NULL },
};
/* clang-format on */
