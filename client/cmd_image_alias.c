/* "muster image alias". */
#include <string.h>

#include "client/commands.h"
#include "client/image_source.h"
#include "client/output.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static bool passes(struct json_object *alias, const struct cli *cli, size_t first)
{
	for (size_t i = first; cli_word(cli, i); i++) {
		const char *f = cli_word(cli, i);

		if (!strstr(str_or_empty(jv_text(alias, "name")), f) &&
		    !str_starts(jv_text(alias, "target"), f))
			return false;
	}
	return true;
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "ALIAS", "FINGERPRINT", "TYPE", "DESCRIPTION",
		                               NULL };
	scoped(jv_unrefp) struct json_object *all = NULL, *kept = jv_array();
	const char *first = cli_word(cli, 0);
	bool remote = first && str_ends(first, ":");
	struct server *server;
	int r = client_server_only(client, remote ? first : NULL, &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/images/aliases?recursion=1");
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *a = jv_item(all, i);

		if (!passes(a, cli, remote))
			continue;
		jv_add_take(kept, jv_ref(a));
		table_add(table, jv_text(a, "name"));
		table_addf(table, "%.12s", str_or_empty(jv_text(a, "target")));
		table_add_take(table, output_upper(jv_text(a, "type")));
		table_add(table, jv_text(a, "description"));
	}
	table_sort(table);
	return output_list(cli, table, kept, err);
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped_free char *fingerprint = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "alias", &server, &name, err);

	if (r == 0)
		r = image_source_resolve(server, cli_word(cli, 1), false, &fingerprint, err);
	if (r < 0)
		return r;
	jv_set_string(body, "name", name);
	jv_set_string(body, "target", fingerprint);
	jv_set_string(body, "description", cli_option(cli, "description"));
	return server_send(server, "POST", body, err, "/1.0/images/aliases");
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "alias", &server, &name, err);

	return r < 0 ? r : server_send(server, "DELETE", NULL, err, "/1.0/images/aliases/%s", name);
}

static int rename_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "alias", &server, &name, err);

	jv_set_string(body, "name", cli_word(cli, 1));
	return r < 0 ? r : server_send(server, "POST", body, err, "/1.0/images/aliases/%s", name);
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option create_options[] = {
	{ "description", 0, OPTION_TEXT, NULL, "Description of the alias", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_image_alias_commands[] = {
	{ .path = "image alias", .usage = "", .summary = "Manage image aliases" },
	{ .path = "image alias list",
	  .usage = "[<remote>:] [<filter>...]",
	  .max_words = CLI_ANY,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List image aliases",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "image alias create",
	  .usage = "[<remote>:]<alias> <fingerprint>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create an alias for an image",
	  .kinds = { WORD_NONE, WORD_IMAGE } },
	{ .path = "image alias delete",
	  .usage = "[<remote>:]<alias>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = delete_run,
	  .summary = "Delete an image alias",
	  .aliases = "rm",
	  .kinds = { WORD_IMAGE } },
	{ .path = "image alias rename",
	  .usage = "[<remote>:]<alias> <new-name>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = rename_run,
	  .summary = "Rename an image alias",
	  .aliases = "mv",
	  .kinds = { WORD_IMAGE, WORD_NONE } },
	{ .path = NULL },
};
