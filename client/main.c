/*
 * The command line client.
 *
 * Parses, opens what all commands share, runs one, prints its error and turns it into the exit
 * status: 1, or for exec what the command in the instance ended with.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/alias.h"
#include "client/cli.h"
#include "client/cli_help.h"
#include "client/client.h"
#include "client/complete.h"
#include "client/version.h"
#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/strv.h"

static void print_error(const struct error *err)
{
	fflush(stdout);
	fprintf(stderr, "Error: %s\n", err && err->msg ? err->msg : "Unknown failure");
}

/* What is answered without a server. Returns a status, or -1 to go on. */
static int answer_locally(const struct cli *cli)
{
	bool all = cli_flag(cli, "sub-commands");

	if (cli_flag(cli, "version")) {
		puts(VERSION);
		return 0;
	}
	if (!cli->command || cli_flag(cli, "help")) {
		cli_help_print(stdout, cli->command, all);
		return 0;
	}
	if (!cli->command->run) {
		cli_help_print(stderr, cli->command, all);
		return 0;
	}
	if (cli_words_fit(cli))
		return -1;
	cli_help_print(cli->n_words ? stderr : stdout, cli->command, false);
	if (!cli->n_words)
		return 0;
	fputs("\nError: Invalid number of arguments\n", stderr);
	return 1;
}

static int run(const struct cli *cli, struct remotes *remotes)
{
	scoped(error_freep) struct error *err = NULL;
	struct client client = { 0 };

	client_init_take(&client, cli, remotes);
	int r = cli->command->run(&client, cli, &err);
	if (r < 0)
		print_error(err);
	int status = r < 0 && !client.status ? 1 : client.status;
	client_done(&client);
	return status;
}

/* The shells' scripts hand over words that need not be a command line yet. */
static int complete(struct remotes *remotes, const char *const *words)
{
	struct client client = { 0 };
	struct cli none = { 0 };

	client_init_take(&client, &none, remotes);
	complete_print(&client, words, stdout);
	client_done(&client);
	return 0;
}

int main(int argc, char **argv)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(strv_freep) char **words = NULL;
	scoped(remotes_freep) struct remotes *remotes = NULL;
	scoped(cli_done) struct cli cli = { 0 };
	scoped_free char *dir = remotes_default_dir();

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	if (remotes_load(dir, &remotes, &err) < 0) {
		print_error(err);
		return 1;
	}
	if (argv[1] && strcmp(argv[1], "__complete") == 0)
		return complete(TAKE_PTR(remotes), (const char *const *)argv + 2);
	words = alias_expand(remotes_aliases(remotes), (const char *const *)argv + 1);
	if (cli_parse((const char *const *)words, &cli, &err) < 0) {
		print_error(err);
		return 1;
	}
	int status = answer_locally(&cli);
	if (status < 0)
		status = run(&cli, TAKE_PTR(remotes));
	if (fflush(stdout) != 0 && !status)
		status = 1;
	return status;
}
