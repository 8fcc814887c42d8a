/* "muster init" and "muster launch": new instances. Also "muster rebuild". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/console.h"
#include "client/follow.h"
#include "client/image_source.h"
#include "client/instance_create.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

/* Name and image: with --empty there is no image, with one word no name. */
static int split_words(const struct cli *cli, const char **ret_image, const char **ret_name,
                       struct error **err)
{
	const char *first = cli_word(cli, 0), *second = cli_word(cli, 1);

	if (cli_flag(cli, "empty")) {
		if (second)
			return error_set(err, 400, "--empty cannot be combined with an image name");
		*ret_image = NULL;
		*ret_name = first;
		return 0;
	}
	if (!first)
		return error_set(err, 400, "Missing image name");
	*ret_image = first;
	*ret_name = second;
	return 0;
}

/* The name that the server has chosen, from the operation's resources. Owned by the caller. */
static char *name_of(struct json_object *op)
{
	struct json_object *resources = jv_member(op, "resources");
	struct json_object *list = jv_member(resources, "instances");
	scoped_free char *path = NULL;
	char *name;

	if (!jv_len(list))
		list = jv_member(resources, "containers");
	const char *url = jv_string(jv_item(list, 0));
	if (!url)
		return NULL;
	path = xasprintf("%.*s", (int)strcspn(url, "?"), url);
	const char *slash = strrchr(path, '/');
	if (!slash || url_decode(slash + 1, strlen(slash + 1), false, &name) < 0)
		return NULL;
	return name;
}

static int start(struct client *client, struct server *server, const char *name, struct error **err)
{
	int r = follow_state(client, server, name, "start", false, err);

	return r < 0 ? error_wrap(err, "Failed starting \"%s\" (try `muster info --show-log %s`)",
	                          name, name)
	             : 0;
}

/* Where the cluster has put it, and why not elsewhere. */
static void say_place(struct json_object *placement)
{
	struct json_object *rejected = jv_member(placement, "rejected");

	if (!placement)
		return;
	printf("Placed on %s: %s\n", str_or_empty(jv_text(placement, "member")),
	       str_or_empty(jv_text(placement, "reason")));
	for (size_t i = 0; i < jv_len(rejected); i++)
		printf("  not %s: %s\n", str_or_empty(jv_text(jv_item(rejected, i), "member")),
		       str_or_empty(jv_text(jv_item(rejected, i), "reason")));
}

static int create(struct client *client, const struct cli *cli, struct server *server,
                  const char *name, struct json_object *body, struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL, *done = NULL;
	bool launch = strcmp(cli->command->path, "launch") == 0;
	bool in_one = launch && server_has(server, "instance_create_start");
	struct follow follow = { .label = "Retrieving image" };

	if (*name)
		jv_set_string(body, "name", name);
	if (in_one)
		jv_set_bool(body, "start", true);
	if (!client->quiet && *name)
		printf("%s %s\n", in_one ? "Launching" : "Creating", name);
	else if (!client->quiet)
		printf("%s the instance\n", in_one ? "Launching" : "Creating");
	fflush(stdout);
	int r = server_start(server, "POST", body, &op, err, "/1.0/instances");
	if (r == 0)
		r = follow_operation(client, server, op, &follow, &done, err);
	if (r < 0)
		return error_wrap(err, "Failed instance creation");
	if (client->verbose)
		say_place(jv_member(jv_member(done, "metadata"), "placement"));
	scoped_free char *made = *name ? xstrdup(name) : name_of(done ? done : op);
	if (!*name && made)
		client_say(client, "Instance name is: %s", made);
	if (launch && !in_one && made) {
		client_say(client, "Starting %s", made);
		r = start(client, server, made, err);
	}
	if (r == 0 && cli_given(cli, "console") && made)
		r = console_attach(client, server, made, err);
	return r;
}

static int init_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL;
	const char *image = NULL, *word = NULL, *name;
	struct server *server;
	int r = split_words(cli, &image, &word, err);

	if (r < 0)
		return r;
	if (!word) { /* The remote of the image is the default one's business. */
		name = "";
		r = client_remote(client, NULL, &server, err);
	} else {
		r = client_server(client, word, &server, &name, err);
	}
	if (r == 0)
		r = instance_create_body(client, cli, server, image, &body, err);
	if (r < 0)
		return r;
	server_set_target(server, cli_option(cli, "target"));
	r = create(client, cli, server, name, body, err);
	server_set_target(server, NULL);
	return r;
}

static int rebuild_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object(), *o = NULL;
	struct json_object *source = NULL;
	bool empty = cli_flag(cli, "empty");
	const char *word = cli_word(cli, empty ? 0 : 1), *name;
	struct server *server;

	if (!word || (empty && cli->n_words > 1))
		return error_set(err, 400, "Name the image (or --empty) and the instance");
	int r = client_named(client, word, "instance", &server, &name, err);
	if (r == 0)
		r = server_get(server, &o, err, "/1.0/instances/%s", name);
	if (r < 0)
		return r;
	if (!str_equals(jv_text(o, "status"), "Stopped")) {
		if (!cli_flag(cli, "force"))
			return error_set(err, 400,
			                 "The instance is running, stop it first or pass --force");
		r = follow_state(client, server, name, "stop", true, err);
	}
	if (r == 0 && empty) {
		source = jv_object();
		jv_set_string(source, "type", "none");
	} else if (r == 0) {
		bool vm = str_equals(jv_text(o, "type"), "virtual-machine");

		r = image_source_make(client, cli_word(cli, 0), server, vm, &source, err);
	}
	if (r < 0)
		return r;
	jv_set_take(body, "source", source);
	r = follow_change(client, server,
	                  &(struct follow_request){
				  .method = "POST", .body = body, .label = "Rebuilding instance" },
	                  err, "/1.0/instances/%s/rebuild", name);
	if (r == 0 && !str_equals(jv_text(o, "status"), "Stopped"))
		r = start(client, server, name, err);
	return r;
}

/* clang-format off */
static const struct cli_option init_options[] = { INSTANCE_CREATE_OPTIONS, { .name = NULL } };

static const struct cli_option launch_options[] = {
	{ "console", 0, OPTION_OPTIONAL, "console", "Attach to the console at once", WORD_NONE },
	INSTANCE_CREATE_OPTIONS,
	{ .name = NULL },
};

static const struct cli_option rebuild_options[] = {
	{ "empty", 0,   OPTION_FLAG, NULL, "Rebuild it as an empty instance", WORD_NONE },
	{ "force", 'f', OPTION_FLAG, NULL, "Stop it first, and start it again afterwards", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

static const char details[] =
	"A YAML document on stdin may hold the config, devices and profiles.\n"
	"\n"
	"Examples:\n"
	"  muster launch busybox c1 -c limits.memory=64MiB\n"
	"  muster launch busybox c1 < config.yaml";

const struct cli_command cmd_init_commands[] = {
	{ .path = "init",
	  .usage = "[<remote>:]<image> [<remote>:][<name>]",
	  .max_words = 2,
	  .run = init_run,
	  .options = init_options,
	  .summary = "Create an instance from an image",
	  .details = details,
	  .aliases = "create",
	  .kinds = { WORD_IMAGE, WORD_NONE } },
	{ .path = "launch",
	  .usage = "[<remote>:]<image> [<remote>:][<name>]",
	  .max_words = 2,
	  .run = init_run,
	  .options = launch_options,
	  .summary = "Create an instance from an image and start it",
	  .details = details,
	  .kinds = { WORD_IMAGE, WORD_NONE } },
	{ .path = "rebuild",
	  .usage = "[<remote>:]<image> [<remote>:]<instance>",
	  .min_words = 1,
	  .max_words = 2,
	  .run = rebuild_run,
	  .options = rebuild_options,
	  .summary = "Give an instance a new root disk",
	  .kinds = { WORD_IMAGE, WORD_INSTANCE } },
	{ .path = NULL },
};
