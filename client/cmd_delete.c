/* "muster delete": instances and snapshots. */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/follow.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int stop_first(struct client *client, struct server *server, const char *name, bool force,
                      bool *ret_gone, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	int r = server_get(server, &o, err, "/1.0/instances/%s", name);

	if (r < 0 || jv_number(o, "status_code") == 0 ||
	    str_equals(jv_text(o, "status"), "Stopped"))
		return r;
	if (!force)
		return error_set(
			err, 400,
			"The instance is currently running, stop it first or pass --force");
	r = follow_state(client, server, name, "stop", true, err);
	/* An ephemeral one is gone as soon as it stops. */
	*ret_gone = r == 0 && jv_flag(o, "ephemeral");
	return r;
}

static int delete_one(struct client *client, const struct cli *cli, const char *word,
                      struct error **err)
{
	struct server *server;
	const char *name;
	bool gone = false, yes = true;
	int r = client_named(client, word, "instance", &server, &name, err);

	if (r == 0 && cli_flag(cli, "interactive")) {
		scoped_free char *question = xasprintf("Remove %s", word);

		r = client_confirm(question, &yes, err);
		if (r == 0 && !yes)
			r = error_set(err, 400, "The user aborted the delete operation");
	}
	if (r < 0)
		return r;
	const char *slash = strchr(name, '/');
	if (slash) {
		scoped_free char *instance = xasprintf("%.*s", (int)(slash - name), name);

		return follow_change(client, server, &(struct follow_request){ .method = "DELETE" },
		                     err, "/1.0/instances/%s/snapshots/%s", instance, slash + 1);
	}
	r = stop_first(client, server, name, cli_flag(cli, "force"), &gone, err);
	if (r < 0 || gone)
		return r;
	return follow_change(client, server, &(struct follow_request){ .method = "DELETE" }, err,
	                     "/1.0/instances/%s", name);
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	int first = 0;

	for (size_t i = 0; i < cli->n_words; i++) {
		scoped(error_freep) struct error *one = NULL;
		int r = delete_one(client, cli, cli->words[i], &one);

		if (r == 0)
			continue;
		if (cli->n_words == 1) {
			*err = TAKE_PTR(one);
			return r;
		}
		fprintf(stderr, "%s: error: %s\n", cli->words[i], one->msg);
		first = first ? first : r;
	}
	return first ? error_set(err, 400, "Some instances failed to delete") : 0;
}

/* clang-format off */
static const struct cli_option delete_options[] = {
	{ "force",       'f', OPTION_FLAG, NULL, "Stop running instances first", WORD_NONE },
	{ "interactive", 'i', OPTION_FLAG, NULL, "Ask before each one", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_delete_commands[] = {
	{ .path = "delete",
	  .usage = "[<remote>:]<instance>[/<snapshot>] [[<remote>:]<instance>[/<snapshot>]...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = delete_run,
	  .options = delete_options,
	  .summary = "Delete instances and snapshots",
	  .aliases = "rm",
	  .kinds = { WORD_INSTANCE } },
	{ .path = NULL },
};
