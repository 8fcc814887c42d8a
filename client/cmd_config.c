/* "muster config get", "set", "unset", "show" and "edit", for instances and the server. */
#include <string.h>

#include "client/commands.h"
#include "client/instance_resource.h"
#include "client/output.h"
#include "client/resource.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

/* Whether the first word names something; else it is a key, and the server is meant. */
static bool names_object(const char *word)
{
	size_t colon = strcspn(word, ":"), equals = strcspn(word, "="), dot = strcspn(word, ".");

	if (word[equals] && equals < colon)
		return false;
	return word[colon] || !word[dot];
}

static int get_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *word = cli->n_words > 1 ? cli_word(cli, 0) : NULL;
	const char *key = cli_word(cli, cli->n_words - 1);
	bool is_server;

	int r = instance_resource_open(client, word, cli_option(cli, "target"), &res, &is_server,
	                               err);
	if (r < 0)
		return r;
	if (!cli_flag(cli, "expanded"))
		return resource_config_get(&res, key, cli_flag(cli, "property"), err);
	if (is_server)
		return error_set(err, 400, "--expanded cannot be used with the server");

	scoped(jv_unrefp) struct json_object *o = NULL;
	r = resource_get(&res, &o, NULL, err);
	if (r == 0)
		printf("%s\n", str_or_empty(jv_text(jv_member(o, "expanded_config"), key)));
	return r;
}

static int set_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	bool named = names_object(cli_word(cli, 0)) && cli->n_words > 1, is_server;
	int r = instance_resource_open(client, named ? cli_word(cli, 0) : NULL,
	                               cli_option(cli, "target"), &res, &is_server, err);

	return r < 0 ? r
	             : resource_config_set(&res, (const char *const *)cli->words + named,
	                                   cli_flag(cli, "property"), err);
}

static int unset_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *word = cli->n_words > 1 ? cli_word(cli, 0) : NULL;
	const char *key = cli_word(cli, cli->n_words - 1);
	bool is_server;
	int r = instance_resource_open(client, word, cli_option(cli, "target"), &res, &is_server,
	                               err);

	return r < 0 ? r : resource_config_unset(&res, key, cli_flag(cli, "property"), err);
}

/* The expanded config and devices in place of the instance's own. */
static int show_expanded(const struct resource *res, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL, *part = NULL;
	int r = resource_get(res, &o, NULL, err);

	if (r < 0)
		return r;
	part = output_pick(o, instance_resource_writable);
	jv_set_take(part, "config", jv_ref(jv_member(o, "expanded_config")));
	jv_set_take(part, "devices", jv_ref(jv_member(o, "expanded_devices")));
	output_yaml(part, stdout);
	return 0;
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	bool is_server, is_snapshot = cli_word(cli, 0) && strchr(cli_word(cli, 0), '/');
	int r = instance_resource_open(client, cli_word(cli, 0), cli_option(cli, "target"), &res,
	                               &is_server, err);

	if (r < 0)
		return r;
	if (!is_server && !is_snapshot && cli_flag(cli, "expanded"))
		return show_expanded(&res, err);
	return resource_show(&res, is_snapshot ? NULL : res.writable, err);
}

static int edit_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	bool is_server;
	int r = instance_resource_open(client, cli_word(cli, 0), cli_option(cli, "target"), &res,
	                               &is_server, err);

	return r < 0 ? r : resource_edit(&res, err);
}

/* clang-format off */
#define TARGET { "target", 0, OPTION_TEXT, NULL, "Cluster member whose own keys are meant", WORD_MEMBER }

static const struct cli_option get_options[] = {
	{ "expanded", 'e', OPTION_FLAG, NULL, "With what comes from profiles", WORD_NONE },
	RESOURCE_PROPERTY_OPTION,
	TARGET,
	{ .name = NULL },
};

static const struct cli_option set_options[] = { RESOURCE_PROPERTY_OPTION, TARGET, { .name = NULL } };

static const struct cli_option show_options[] = {
	{ "expanded", 'e', OPTION_FLAG, NULL, "With what comes from profiles", WORD_NONE },
	TARGET,
	{ .name = NULL },
};

static const struct cli_option edit_options[] = { TARGET, { .name = NULL } };
/* clang-format on */

const struct cli_command cmd_config_commands[] = {
	{ .path = "config",
	  .usage = "",
	  .summary = "Manage the config of instances and of the server" },
	{ .path = "config get",
	  .usage = "[<remote>:][<instance>] <key>",
	  .min_words = 1,
	  .max_words = 2,
	  .run = get_run,
	  .options = get_options,
	  .summary = "Get the value of a key",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = "config set",
	  .usage = "[<remote>:][<instance>] <key>=<value>...",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = set_run,
	  .options = set_options,
	  .summary = "Set keys of an instance or of the server",
	  .details =
	          "A single key may also be given as \"<key> <value>\"; \"-\" as value is read from\n"
	          "stdin.\n"
	          "\n"
	          "Examples:\n"
	          "  muster config set c1 limits.cpu=2\n"
	          "  muster config set core.https_address=[::]:8443",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = "config unset",
	  .usage = "[<remote>:][<instance>] <key>",
	  .min_words = 1,
	  .max_words = 2,
	  .run = unset_run,
	  .options = set_options,
	  .summary = "Unset a key of an instance or of the server",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = "config show",
	  .usage = "[<remote>:][<instance>[/<snapshot>]]",
	  .max_words = 1,
	  .run = show_run,
	  .options = show_options,
	  .summary = "Show the config of an instance or of the server",
	  .kinds = { WORD_INSTANCE } },
	{ .path = "config edit",
	  .usage = "[<remote>:][<instance>[/<snapshot>]]",
	  .max_words = 1,
	  .run = edit_run,
	  .options = edit_options,
	  .summary = "Edit the config of an instance or of the server as YAML",
	  .kinds = { WORD_INSTANCE } },
	{ .path = NULL },
};
