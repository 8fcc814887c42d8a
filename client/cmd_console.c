/* "muster console". */
#include <stdio.h>

#include "client/commands.h"
#include "client/console.h"
#include "lib/base/str.h"

static int show_log(struct client *client, const char *word, struct error **err)
{
	struct server_answer answer;
	struct server *server;
	const char *name;
	int r = client_named(client, word, "instance", &server, &name, err);

	if (r < 0)
		return r;
	scoped_free char *path = server_path(server, "/1.0/instances/%s/console", name);
	r = server_call(server, &(struct server_call){ 0 }, path, &answer, err);
	if (r < 0)
		return r;
	fputs("\nConsole log:\n\n", stdout);
	fwrite(answer.http.body, 1, answer.http.size, stdout);
	putchar('\n');
	server_answer_done(&answer);
	return 0;
}

static int console_run(struct client *client, const struct cli *cli, struct error **err)
{
	if (!str_equals(cli_option(cli, "type"), "console"))
		return error_set(err, 400, "Only consoles of type \"console\" are supported");
	if (cli_flag(cli, "show-log"))
		return show_log(client, cli_word(cli, 0), err);
	return console_attach_word(client, cli_word(cli, 0), err);
}

/* clang-format off */
static const struct cli_option console_options[] = {
	{ "show-log", 0,   OPTION_FLAG, NULL, "Print what the console has shown, and leave", WORD_NONE },
	{ "type",     't', OPTION_TEXT, "console", "Type of the console", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_console_commands[] = {
	{ .path = "console",
	  .usage = "[<remote>:]<instance>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = console_run,
	  .options = console_options,
	  .summary = "Attach to the console of an instance",
	  .details = "<ctrl>+a q leaves it; <ctrl>+a a sends a <ctrl>+a.",
	  .kinds = { WORD_INSTANCE } },
	{ .path = NULL },
};
