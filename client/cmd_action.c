/* "muster start", "stop", "restart" and "pause". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/console.h"
#include "client/follow.h"
#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

struct action {
	const char *command, *name;
};

/* A frozen instance is not started but thawed; one with a saved state says so itself. */
static int choose_action(struct server *server, const char *name, const char **action,
                         struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	int r = server_get(server, &o, err, "/1.0/instances/%s", name);

	if (r == 0 && str_equals(jv_text(o, "status"), "Frozen"))
		*action = "unfreeze";
	return r;
}

static int act(struct client *client, const struct cli *cli, const char *word, const char *action,
               struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct server *server;
	const char *name, *text = cli_option(cli, "timeout");
	int timeout = -1;
	int r = client_named(client, word, "instance", &server, &name, err);

	if (r == 0 && text && parse_int(text, &timeout) < 0)
		r = error_set(err, 400, "Invalid timeout \"%s\"", text);
	if (r == 0 && strcmp(action, "start") == 0)
		r = choose_action(server, name, &action, err);
	if (r < 0)
		return r;
	jv_set_string(body, "action", action);
	jv_set_int(body, "timeout", text ? timeout : 0);
	jv_set_bool(body, "force", cli_flag(cli, "force"));
	jv_set_bool(body, "stateful", cli_flag(cli, "stateful"));
	r = follow_change(client, server, &(struct follow_request){ .method = "PUT", .body = body },
	                  err, "/1.0/instances/%s/state", name);
	if (r < 0 && strcmp(action, "start") == 0)
		error_wrap(err, "Failed starting \"%s\" (try `muster info --show-log %s`)", name,
		           word);
	return r;
}

/* Those that an action makes sense for, on the default or the named remote. */
static int all_names(struct client *client, const struct cli *cli, const char *action,
                     char ***names, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL;
	const char *remote = cli_word(cli, 0);
	struct server *server;
	int r = client_server_only(client, remote, &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/instances?recursion=1");
	for (size_t i = 0; r == 0 && i < jv_len(all); i++) {
		struct json_object *o = jv_item(all, i);
		bool stopped = str_equals(jv_text(o, "status"), "Stopped");
		bool starts = strcmp(action, "start") == 0;
		bool frozen = str_equals(jv_text(o, "status"), "Frozen");

		if (starts ? stopped || frozen : !stopped)
			strv_addf(names, "%s%s", str_or_empty(remote),
			          str_or_empty(jv_text(o, "name")));
	}
	return r;
}

static int action_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const struct action actions[] = { { "start", "start" },
		                                 { "stop", "stop" },
		                                 { "restart", "restart" },
		                                 { "pause", "freeze" } };
	scoped(strv_freep) char **names = NULL;
	const char *action = NULL;
	bool many, failed = false;
	int r = 0;

	for (size_t i = 0; i < COUNT_OF(actions); i++) {
		if (strcmp(actions[i].command, cli->command->path) == 0)
			action = actions[i].name;
	}
	if (cli_flag(cli, "all"))
		r = all_names(client, cli, action, &names, err);
	else
		names = strv_copy((char *const *)cli->words);
	if (r < 0)
		return r;
	if (!names && !cli_flag(cli, "all"))
		return error_set(err, 400, "Missing instance name");
	many = strv_len(names) > 1;
	if (cli_given(cli, "console") && many)
		return error_set(err, 400, "--console works with a single instance only");
	STRV_FOREACH (name, names) {
		scoped(error_freep) struct error *one = NULL;

		r = act(client, cli, name, action, &one);
		if (r == 0)
			continue;
		if (!many) {
			*err = TAKE_PTR(one);
			return r;
		}
		fprintf(stderr, "%s: error: %s\n", name, one->msg);
		failed = true;
	}
	if (failed)
		return error_set(err, 400, "Some instances failed to %s", cli->command->path);
	if (cli_given(cli, "console") && names)
		return console_attach_word(client, names[0], err);
	return 0;
}

/* clang-format off */
#define ALL { "all", 0, OPTION_FLAG, NULL, "Act on all instances", WORD_NONE }
#define CONSOLE { "console", 0, OPTION_OPTIONAL, "console", "Attach to the console at once", WORD_NONE }
#define FORCE { "force", 'f', OPTION_FLAG, NULL, "Do not wait for an orderly end", WORD_NONE }
#define TIMEOUT { "timeout", 0, OPTION_TEXT, "-1", "Seconds to wait for an orderly end before giving up", WORD_NONE }

static const struct cli_option start_options[] = {
	ALL,
	CONSOLE,
	{ "stateless", 0, OPTION_FLAG, NULL, "Ignore a saved state", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option stop_options[] = {
	ALL,
	CONSOLE,
	FORCE,
	{ "stateful", 0, OPTION_FLAG, NULL, "Save the state of the running instance", WORD_NONE },
	TIMEOUT,
	{ .name = NULL },
};

static const struct cli_option restart_options[] = { ALL, CONSOLE, FORCE, TIMEOUT, { .name = NULL } };
static const struct cli_option pause_options[] = { ALL, { .name = NULL } };
/* clang-format on */

#define INSTANCES "[<remote>:]<instance> [[<remote>:]<instance>...]"

const struct cli_command cmd_action_commands[] = {
	{ .path = "start",
	  .usage = INSTANCES,
	  .max_words = CLI_ANY,
	  .run = action_run,
	  .options = start_options,
	  .summary = "Start instances, or let paused ones go on",
	  .kinds = { WORD_INSTANCE } },
	{ .path = "stop",
	  .usage = INSTANCES,
	  .max_words = CLI_ANY,
	  .run = action_run,
	  .options = stop_options,
	  .summary = "Stop instances",
	  .kinds = { WORD_INSTANCE } },
	{ .path = "restart",
	  .usage = INSTANCES,
	  .max_words = CLI_ANY,
	  .run = action_run,
	  .options = restart_options,
	  .summary = "Restart instances",
	  .kinds = { WORD_INSTANCE } },
	{ .path = "pause",
	  .usage = INSTANCES,
	  .max_words = CLI_ANY,
	  .run = action_run,
	  .options = pause_options,
	  .summary = "Pause instances",
	  .aliases = "freeze",
	  .kinds = { WORD_INSTANCE } },
	{ .path = NULL },
};
