/* "muster placement-group": rules for which members run the instances of a group. */
#include "client/commands.h"
#include "client/objects.h"
#include "client/output.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "NAME",  "DESCRIPTION", "POLICY",
		                               "RIGOR", "USED BY",     NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err,
		               cli_flag(cli, "all-projects")
		                       ? "/1.0/placement-groups?recursion=1&all-projects=true"
		                       : "/1.0/placement-groups?recursion=1");
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *g = jv_item(all, i), *config = jv_member(g, "config");

		table_add(table, jv_text(g, "name"));
		table_add(table, jv_text(g, "description"));
		table_add(table, jv_text(config, "policy"));
		table_add(table, jv_text(config, "rigor"));
		table_addf(table, "%zu", jv_len(jv_member(g, "used_by")));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	return object_create(client, cli, 1, NULL, err);
}

static int state_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *state = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "placement group", &server, &name, err);

	if (r == 0)
		r = server_get(server, &state, err, "/1.0/placement-groups/%s/state", name);
	if (r == 0)
		output_yaml(state, stdout);
	return r;
}

/* clang-format off */
static const struct cli_option list_options[] = {
	{ "all-projects", 0, OPTION_FLAG, NULL, "Show the groups of all projects", WORD_NONE },
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};

static const struct cli_option create_options[] = {
	{ "description", 0, OPTION_TEXT, NULL, "Description of the group", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

#define WORDS "placement-group"
#define WHAT "placement group"

const struct cli_command cmd_placement_group_commands[] = {
	{ .path = WORDS, .usage = "", .summary = "Manage placement groups" },
	{ .path = WORDS " list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List placement groups",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = WORDS " create",
	  .usage = "[<remote>:]<placement group> [key=value...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create a placement group",
	  .details = "Example:\n"
	             "  muster placement-group create web policy=spread rigor=strict" },
	{ .path = WORDS " state",
	  .usage = "[<remote>:]<placement group>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = state_run,
	  .summary = "Show whether the instances of a group comply with it",
	  .kinds = { WORD_PLACEMENT } },
	OBJECT_COMMAND_DELETE(WORDS, WHAT, WORD_PLACEMENT, NULL),
	OBJECT_COMMAND_RENAME(WORDS, WHAT, WORD_PLACEMENT),
	OBJECT_COMMAND_SHOW(WORDS, WHAT, WORD_PLACEMENT, NULL),
	OBJECT_COMMAND_EDIT(WORDS, WHAT, WORD_PLACEMENT, NULL),
	OBJECT_COMMAND_GET(WORDS, WHAT, WORD_PLACEMENT, object_property_options),
	OBJECT_COMMAND_SET(WORDS, WHAT, WORD_PLACEMENT, object_property_options),
	OBJECT_COMMAND_UNSET(WORDS, WHAT, WORD_PLACEMENT, object_property_options),
	{ .path = NULL },
};
