/* "muster exec" and "muster shell": run a program in an instance. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/session.h"
#include "client/terminal.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int wants_terminal(const struct cli *cli, bool *ret_yes, struct error **err)
{
	const char *mode = cli_option(cli, "mode");
	bool both = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;

	if (cli_flag(cli, "force-interactive") && cli_flag(cli, "force-noninteractive"))
		return error_set(err, 400, "-t and -T cannot be used together");
	if (cli_given(cli, "mode") &&
	    (cli_flag(cli, "force-interactive") || cli_flag(cli, "force-noninteractive")))
		return error_set(err, 400, "--mode cannot be used with -t or -T");
	if (str_equals(mode, "interactive") || cli_flag(cli, "force-interactive"))
		*ret_yes = true;
	else if (str_equals(mode, "non-interactive") || cli_flag(cli, "force-noninteractive"))
		*ret_yes = false;
	else if (str_equals(mode, "auto"))
		*ret_yes = both;
	else
		return error_set(err, 400, "Invalid mode \"%s\"", mode);
	return 0;
}

static int add_environment(const struct cli *cli, bool terminal, struct json_object *body,
                           struct error **err)
{
	struct json_object *env = jv_object();
	const char *pair, *term = getenv("TERM");

	jv_set_take(body, "environment", env);
	if (term && terminal)
		jv_set_string(env, "TERM", term);
	for (size_t i = 0; (pair = cli_list(cli, "env", i)); i++) {
		const char *equals = strchr(pair, '=');
		char key[256];

		if (!equals || equals == pair || (size_t)(equals - pair) >= sizeof(key))
			return error_set(err, 400, "Invalid environment variable \"%s\"", pair);
		memcpy(key, pair, (size_t)(equals - pair));
		key[equals - pair] = '\0';
		jv_set_string(env, key, equals + 1);
	}
	return 0;
}

static int make_body(const struct cli *cli, bool terminal, struct json_object **ret_body,
                     struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct json_object *command = jv_array();
	unsigned columns = 0, rows = 0;
	uint32_t user, group;

	jv_set_take(body, "command", command);
	if (strcmp(cli->command->path, "shell") == 0) {
		jv_add_string(command, "su");
		jv_add_string(command, "-l");
	}
	for (size_t i = 1; cli_word(cli, i); i++)
		jv_add_string(command, cli_word(cli, i));
	if (parse_uint32(cli_option(cli, "user"), &user) < 0 ||
	    parse_uint32(cli_option(cli, "group"), &group) < 0)
		return error_set(err, 400, "User and group are numbers");
	if (terminal)
		terminal_size(STDOUT_FILENO, &columns, &rows);
	jv_set_bool(body, "wait-for-websocket", true);
	jv_set_bool(body, "interactive", terminal);
	jv_set_int(body, "width", columns);
	jv_set_int(body, "height", rows);
	jv_set_bool(body, "record-output", false);
	jv_set_int(body, "user", user);
	jv_set_int(body, "group", group);
	jv_set_string(body, "cwd", cli_option(cli, "cwd"));
	int r = add_environment(cli, terminal, body, err);
	if (r == 0)
		*ret_body = TAKE_PTR(body);
	return r;
}

/* The status of the program, also where the operation calls it a failure. */
static int result(struct client *client, struct server *server, const char *uuid,
                  struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	int r = server_get(server, &op, err, "/1.0/operations/%s/wait?timeout=-1", uuid);

	if (r < 0)
		return r;
	struct json_object *metadata = jv_member(op, "metadata");
	if (jv_member(metadata, "return"))
		client->status = (int)jv_number(metadata, "return");
	if (jv_number(op, "status_code") >= 400)
		return error_set(err, 400, "%s", str_or_empty(jv_text(op, "err")));
	/* What a shell says of a command that it cannot find or run. */
	if (client->status == 127)
		return error_set(err, 404, "Command not found");
	if (client->status == 126)
		return error_set(err, 400, "Command not executable");
	return 0;
}

static int exec_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL, *op = NULL;
	struct server *server;
	const char *name;
	bool terminal = true, shell = strcmp(cli->command->path, "shell") == 0;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0 && !shell && cli->n_words < 2)
		r = error_set(err, 400, "Missing command line");
	if (r == 0)
		r = wants_terminal(cli, &terminal, err);
	if (r == 0)
		r = make_body(cli, terminal, &body, err);
	if (r == 0)
		r = server_start(server, "POST", body, &op, err, "/1.0/instances/%s/exec", name);
	if (r < 0)
		return r;
	struct session session = { .server = server,
		                   .operation = op,
		                   .interactive = terminal,
		                   .stdin_fd = cli_flag(cli, "disable-stdin") ? -1 : STDIN_FILENO };
	r = session_run(&session, NULL, err);
	return r < 0 ? r : result(client, server, str_or_empty(jv_text(op, "id")), err);
}

/* clang-format off */
#define EXEC_OPTIONS \
	{ "cwd",                  0,   OPTION_TEXT, NULL, "Directory to run in (/root by default)", WORD_NONE }, \
	{ "disable-stdin",        'n', OPTION_FLAG, NULL, "Give the command no input", WORD_NONE }, \
	{ "env",                  0,   OPTION_LIST, NULL, "Environment variable, as NAME=value", WORD_NONE }, \
	{ "force-interactive",    't', OPTION_FLAG, NULL, "Give the command a terminal", WORD_NONE }, \
	{ "force-noninteractive", 'T', OPTION_FLAG, NULL, "Give the command no terminal", WORD_NONE }, \
	{ "group",                0,   OPTION_TEXT, "0", "Group ID to run as", WORD_NONE }, \
	{ "mode",                 0,   OPTION_TEXT, "auto", "auto, interactive or non-interactive", WORD_NONE }, \
	{ "user",                 0,   OPTION_TEXT, "0", "User ID to run as", WORD_NONE }

static const struct cli_option exec_options[] = { EXEC_OPTIONS, { .name = NULL } };
/* clang-format on */

const struct cli_command cmd_exec_commands[] = {
	{ .path = "exec",
	  .usage = "[<remote>:]<instance> [flags] [--] <command line>",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = exec_run,
	  .options = exec_options,
	  .summary = "Run a command in an instance",
	  .details =
	          "There is no shell in between; for patterns, pipes and variables start one:\n"
	          "  muster exec c1 -- sh -c \"cd /tmp && pwd\"\n"
	          "\n"
	          "The command gets a terminal if both stdin and stdout are one here. The exit status\n"
	          "is that of the command.",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = "shell",
	  .usage = "[<remote>:]<instance> [flags]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = exec_run,
	  .options = exec_options,
	  .summary = "Open a login shell in an instance",
	  .details = "Runs \"su -l\", with further words as its arguments.",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = NULL },
};
