/* "muster project". */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/instance_wish.h"
#include "client/objects.h"
#include "client/output.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static const char *feature(struct json_object *project, const char *key)
{
	return output_yes(str_equals(jv_text(jv_member(project, "config"), key), "true"));
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "NAME",     "IMAGES",
		                               "PROFILES", "STORAGE VOLUMES",
		                               "NETWORKS", "DESCRIPTION",
		                               "USED BY",  NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/projects?recursion=1");
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *p = jv_item(all, i);
		const char *name = str_or_empty(jv_text(p, "name"));

		table_addf(table, "%s%s", name,
		           str_equals(name, server_project(server)) ? " (current)" : "");
		table_add(table, feature(p, "features.images"));
		table_add(table, feature(p, "features.profiles"));
		table_add(table, feature(p, "features.storage.volumes"));
		table_add(table, feature(p, "features.networks"));
		table_add(table, jv_text(p, "description"));
		table_addf(table, "%zu", jv_len(jv_member(p, "used_by")));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

static int fill(const struct cli *cli, struct json_object *body, struct error **err)
{
	return instance_wish_config(cli, body, err);
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	return object_create(client, cli, 0, fill, err);
}

static char *limit_text(const char *resource, int64_t value)
{
	if (value < 0)
		return xstrdup("UNLIMITED");
	if (strcmp(resource, "disk") == 0 || strcmp(resource, "memory") == 0)
		return output_size_iec(value);
	return xasprintf("%lld", (long long)value);
}

static int info_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "RESOURCE", "LIMIT", "USAGE", NULL };
	scoped(jv_unrefp) struct json_object *state = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "project", &server, &name, err);

	if (r == 0)
		r = server_get(server, &state, err, "/1.0/projects/%s/state", name);
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(headers);
	JV_FOREACH (jv_member(state, "resources"), resource, value) {
		table_add_take(table, output_upper(resource));
		table_add_take(table, limit_text(resource, jv_number(value, "Limit")));
		table_add_take(table, limit_text(resource, jv_number(value, "Usage")));
	}
	table_sort(table);
	return output_list(cli, table, state, err);
}

static int switch_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped_free char *remote = NULL;
	scoped(jv_unrefp) struct json_object *project = NULL;
	struct server *server;
	const char *name;
	int r = remotes_split(client->remotes, cli_word(cli, 0), &remote, &name, err);

	if (r == 0)
		r = client_remote(client, remote, &server, err);
	if (r == 0)
		r = server_get(server, &project, err, "/1.0/projects/%s", name);
	if (r < 0)
		return r;
	jv_set_string(remotes_get(client->remotes, remote), "project", name);
	return remotes_save(client->remotes, err);
}

static int get_current_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		printf("%s\n", server_project(server));
	return r;
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	const char *name;
	int r;

	if (!cli_flag(cli, "force"))
		return object_delete_run(client, cli, err);
	r = client_named(client, cli_word(cli, 0), "project", &server, &name, err);
	if (r == 0)
		r = server_send(server, "DELETE", NULL, err, "/1.0/projects/%s?force=1", name);
	if (r == 0)
		client_say(client, "Project %s deleted", name);
	return r;
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option create_options[] = {
	{ "config",      'c', OPTION_LIST, NULL, "key=value for the config of the project", WORD_NONE },
	{ "description", 0,   OPTION_TEXT, NULL, "Description of the project", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option delete_options[] = {
	{ "force", 'f', OPTION_FLAG, NULL, "Delete all that is in it first", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_project_commands[] = {
	{ .path = "project", .usage = "", .summary = "Manage projects" },
	{ .path = "project list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List projects",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "project create",
	  .usage = "[<remote>:]<project>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create a project" },
	{ .path = "project delete",
	  .usage = "[<remote>:]<project>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = delete_run,
	  .options = delete_options,
	  .summary = "Delete a project",
	  .aliases = "rm",
	  .kinds = { WORD_PROJECT } },
	{ .path = "project info",
	  .usage = "[<remote>:]<project>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = info_run,
	  .options = list_options,
	  .summary = "Show what a project uses and may use",
	  .kinds = { WORD_PROJECT } },
	{ .path = "project switch",
	  .usage = "[<remote>:]<project>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = switch_run,
	  .summary = "Work in another project from now on",
	  .kinds = { WORD_PROJECT } },
	{ .path = "project get-current",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = get_current_run,
	  .summary = "Show the project that is worked in",
	  .kinds = { WORD_REMOTE } },
	OBJECT_COMMAND_RENAME("project", "project", WORD_PROJECT),
	OBJECT_COMMAND_SHOW("project", "project", WORD_PROJECT, NULL),
	OBJECT_COMMAND_EDIT("project", "project", WORD_PROJECT, NULL),
	OBJECT_COMMAND_GET("project", "project", WORD_PROJECT, object_property_options),
	OBJECT_COMMAND_SET("project", "project", WORD_PROJECT, object_property_options),
	OBJECT_COMMAND_UNSET("project", "project", WORD_PROJECT, object_property_options),
	{ .path = NULL },
};
