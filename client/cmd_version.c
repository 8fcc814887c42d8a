/* "muster version": which versions talk to each other. */
#include <stdio.h>

#include "client/commands.h"
#include "client/version.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int version_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(error_freep) struct error *unreachable = NULL;
	struct json_object *info;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r < 0)
		return r;
	printf("Client version: %s\n", VERSION);
	if (server_info(server, &info, &unreachable) < 0)
		printf("Server version: unreachable\n");
	else
		printf("Server version: %s\n",
		       str_or_empty(jv_text(jv_member(info, "environment"), "server_version")));
	return 0;
}

const struct cli_command cmd_version_commands[] = {
	{ .path = "version",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = version_run,
	  .summary = "Show the versions of client and server",
	  .kinds = { WORD_REMOTE } },
	{ .path = NULL },
};
