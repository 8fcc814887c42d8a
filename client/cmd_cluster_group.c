/* "muster cluster group". */
#include <string.h>

#include "client/commands.h"
#include "client/objects.h"
#include "client/output.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static const char *const member_writable[] = { "config", "description", "failure_domain",
	                                       "groups", "roles",       NULL };

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "NAME", "DESCRIPTION", "MEMBERS", NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/cluster/groups?recursion=1");
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *g = jv_item(all, i);

		table_add(table, jv_text(g, "name"));
		table_add(table, jv_text(g, "description"));
		table_addf(table, "%zu", jv_len(jv_member(g, "members")));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	return object_create(client, cli, 0, NULL, err);
}

/* The groups of a member, changed as the command says. */
static int change(char ***groups, const char *command, const char *word, const char *member,
                  struct error **err)
{
	if (str_ends(command, " assign")) {
		strv_free(*groups);
		*groups = strv_split_trimmed(word, ',');
	} else if (str_ends(command, " add")) {
		if (strv_contains(*groups, word))
			return error_set(err, 409, "Cluster member %s is already in group %s",
			                 member, word);
		strv_add(groups, word);
	} else {
		if (!strv_contains(*groups, word))
			return error_set(err, 404, "Cluster member %s is not in group %s", member,
			                 word);
		if (strv_len(*groups) == 1)
			return error_set(err, 400,
			                 "Cannot remove group %s from %s: it is its only group",
			                 word, member);
		strv_remove(*groups, word);
	}
	return 0;
}

static int member_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { .client = client,
		                                      .writable = member_writable };
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(strv_freep) char **groups = NULL;
	scoped_free char *etag = NULL;
	const char *member, *word = cli_word(cli, 1), *command = cli->command->path;
	int r = client_named(client, cli_word(cli, 0), "cluster member", &res.server, &member, err);

	if (r < 0)
		return r;
	res.path = server_path(res.server, "/1.0/cluster/members/%s", member);
	r = resource_get(&res, &o, &etag, err);
	if (r == 0)
		r = jv_get_strv(o, "groups", &groups, err);
	if (r >= 0)
		r = change(&groups, command, word, member, err);
	if (r < 0)
		return r;
	jv_set_strv(o, "groups", groups);
	r = resource_put(&res, o, etag, err);
	if (r < 0)
		return r;
	if (str_ends(command, " assign"))
		client_say(client, "Cluster member %s added to cluster groups %s", member, word);
	else if (str_ends(command, " add"))
		client_say(client, "Cluster member %s added to group %s", member, word);
	else
		client_say(client, "Cluster member %s removed from group %s", member, word);
	return 0;
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option create_options[] = {
	{ "description", 0, OPTION_TEXT, NULL, "Description of the group", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

#define WORDS "cluster group"

const struct cli_command cmd_cluster_group_commands[] = {
	{ .path = WORDS, .usage = "", .summary = "Manage cluster groups" },
	{ .path = WORDS " list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List cluster groups",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = WORDS " create",
	  .usage = "[<remote>:]<group>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create a cluster group" },
	{ .path = WORDS " assign",
	  .usage = "[<remote>:]<member> <group[,group...]>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = member_run,
	  .summary = "Set the groups of a cluster member",
	  .aliases = "apply",
	  .kinds = { WORD_MEMBER, WORD_GROUP } },
	{ .path = WORDS " add",
	  .usage = "[<remote>:]<member> <group>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = member_run,
	  .summary = "Put a cluster member into one more group",
	  .kinds = { WORD_MEMBER, WORD_GROUP } },
	{ .path = WORDS " remove",
	  .usage = "[<remote>:]<member> <group>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = member_run,
	  .summary = "Take a cluster member out of a group",
	  .kinds = { WORD_MEMBER, WORD_GROUP } },
	OBJECT_COMMAND_DELETE(WORDS, "group", WORD_GROUP, NULL),
	OBJECT_COMMAND_RENAME(WORDS, "group", WORD_GROUP),
	OBJECT_COMMAND_SHOW(WORDS, "group", WORD_GROUP, NULL),
	OBJECT_COMMAND_EDIT(WORDS, "group", WORD_GROUP, NULL),
	{ .path = NULL },
};
