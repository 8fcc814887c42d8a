/* "muster alias": the user's own commands. */
#include "client/commands.h"
#include "client/output.h"
#include "lib/data/jv.h"

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "ALIAS", "TARGET", NULL };
	struct json_object *aliases = remotes_aliases(client->remotes);
	scoped(table_freep) struct table *table = table_new(headers);

	JV_FOREACH (aliases, name, target) {
		table_add(table, name);
		table_add(table, jv_string(target));
	}
	table_sort(table);
	return output_list(cli, table, aliases, err);
}

static int add_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *aliases = remotes_aliases(client->remotes);

	if (jv_member(aliases, cli_word(cli, 0)))
		return error_set(err, 409, "Alias %s already exists", cli_word(cli, 0));
	jv_set_string(aliases, cli_word(cli, 0), cli_word(cli, 1));
	return remotes_save(client->remotes, err);
}

static int remove_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *aliases = remotes_aliases(client->remotes);

	if (!jv_member(aliases, cli_word(cli, 0)))
		return error_set(err, 404, "Alias %s does not exist", cli_word(cli, 0));
	jv_unset(aliases, cli_word(cli, 0));
	return remotes_save(client->remotes, err);
}

static int rename_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *aliases = remotes_aliases(client->remotes);
	struct json_object *target = jv_member(aliases, cli_word(cli, 0));

	if (!target)
		return error_set(err, 404, "Alias %s does not exist", cli_word(cli, 0));
	if (jv_member(aliases, cli_word(cli, 1)))
		return error_set(err, 409, "Alias %s already exists", cli_word(cli, 1));
	jv_set_take(aliases, cli_word(cli, 1), jv_ref(target));
	jv_unset(aliases, cli_word(cli, 0));
	return remotes_save(client->remotes, err);
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };
/* clang-format on */

const struct cli_command cmd_alias_commands[] = {
	{ .path = "alias", .usage = "", .summary = "Manage aliases of commands" },
	{ .path = "alias list",
	  .usage = "",
	  .run = list_run,
	  .options = list_options,
	  .summary = "List aliases",
	  .aliases = "ls" },
	{ .path = "alias add",
	  .usage = "<alias> <target>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = add_run,
	  .summary = "Add an alias",
	  .details =
	          "In the target, @ARGS@ stands for all arguments and @ARG1@ for the first one.\n"
	          "\n"
	          "Example:\n"
	          "  muster alias add login \"exec @ARGS@ -- su -l\"" },
	{ .path = "alias remove",
	  .usage = "<alias>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = remove_run,
	  .summary = "Remove an alias",
	  .aliases = "rm" },
	{ .path = "alias rename",
	  .usage = "<old alias> <new alias>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = rename_run,
	  .summary = "Rename an alias",
	  .aliases = "mv" },
	{ .path = NULL },
};
