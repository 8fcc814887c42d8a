/* "muster storage": pools. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/objects.h"
#include "client/output.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "NAME",    "DRIVER", "DESCRIPTION",
		                               "USED BY", "STATE",  NULL };
	static const char *const with_source[] = { "NAME",    "DRIVER", "SOURCE", "DESCRIPTION",
		                                   "USED BY", "STATE",  NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/storage-pools?recursion=1");
	if (r < 0)
		return r;
	/* Members of a cluster have sources of their own. */
	bool clustered =
		jv_len(jv_member(jv_item(all, 0), "locations")) > 1 || server_is_clustered(server);
	scoped(table_freep) struct table *table = table_new(clustered ? headers : with_source);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *p = jv_item(all, i);

		table_add(table, jv_text(p, "name"));
		table_add(table, jv_text(p, "driver"));
		if (!clustered)
			table_add(table, jv_text(jv_member(p, "config"), "source"));
		table_add(table, jv_text(p, "description"));
		table_addf(table, "%zu", jv_len(jv_member(p, "used_by")));
		table_add_take(table, output_upper(jv_text(p, "status")));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

/* "/1.0/instances/c1?target=m1" below the heading of its kind. */
static void add_user(struct json_object *groups, const char *url)
{
	scoped(strv_freep) char **parts = strv_split(url, '/');
	scoped_free char *name = NULL;
	size_t n = strv_len(parts);

	if (n < 4)
		return;
	bool volume = strcmp(parts[2], "storage-pools") == 0 && n >= 7;
	const char *kind = volume ? "volumes" : parts[2];
	const char *raw = volume ? parts[6] : parts[3];
	size_t len = strcspn(raw, "?");
	if (url_decode(raw, len, false, &name) < 0)
		return;
	struct json_object *list = jv_member(groups, kind);
	if (!list) {
		list = jv_array();
		jv_set_take(groups, kind, list);
	}
	const char *target = strstr(url, "?target=");
	scoped_free char *entry =
		target ? xasprintf("%s (target \"%s\")", name, target + strlen("?target="))
		       : xstrdup(name);
	jv_add_string(list, entry);
}

static struct json_object *users_of(struct json_object *pool)
{
	struct json_object *groups = jv_object(), *list = jv_member(pool, "used_by");

	for (size_t i = 0; i < jv_len(list); i++)
		add_user(groups, str_or_empty(jv_string(jv_item(list, i))));
	return groups;
}

static void set_space(struct json_object *info, const char *key, int64_t bytes, bool raw)
{
	scoped_free char *text = raw ? xasprintf("%lld", (long long)bytes) : output_size_iec(bytes);

	jv_set_string(info, key, text);
}

static int info_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *pool = NULL, *used = NULL, *doc = jv_object();
	struct json_object *info = jv_object(), *space;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "storage pool", &server, &name, err);

	jv_set_take(doc, "info", info);
	if (r < 0)
		return r;
	server_set_target(server, cli_option(cli, "target"));
	r = server_get(server, &pool, err, "/1.0/storage-pools/%s", name);
	if (r == 0)
		r = server_get(server, &used, err, "/1.0/storage-pools/%s/resources", name);
	if (r < 0)
		return r;
	space = jv_member(used, "space");
	jv_set_string(info, "description", jv_text(pool, "description"));
	jv_set_string(info, "driver", jv_text(pool, "driver"));
	jv_set_string(info, "name", jv_text(pool, "name"));
	set_space(info, "space used", jv_number(space, "used"), cli_flag(cli, "bytes"));
	set_space(info, "total space", jv_number(space, "total"), cli_flag(cli, "bytes"));
	jv_set_take(doc, "used by", users_of(pool));
	output_yaml(doc, stdout);
	return 0;
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *used = NULL;
	struct server *server;
	const char *name;
	int r;

	if (!cli_flag(cli, "resources"))
		return object_show_run(client, cli, err);
	r = client_named(client, cli_word(cli, 0), "storage pool", &server, &name, err);
	if (r < 0)
		return r;
	server_set_target(server, cli_option(cli, "target"));
	r = server_get(server, &used, err, "/1.0/storage-pools/%s/resources", name);
	if (r == 0)
		output_yaml(used, stdout);
	return r;
}

static int fill(const struct cli *cli, struct json_object *body, struct error **err)
{
	(void)err;
	jv_set_string(body, "driver", cli_word(cli, 1));
	return 0;
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	return object_create(client, cli, 2, fill, err);
}

/* clang-format off */
#define TARGET { "target", 0, OPTION_TEXT, NULL, "Cluster member whose own part is meant", WORD_MEMBER }

static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option info_options[] = {
	{ "bytes", 0, OPTION_FLAG, NULL, "Print sizes in bytes", WORD_NONE },
	TARGET,
	{ .name = NULL },
};

static const struct cli_option show_options[] = {
	{ "resources", 0, OPTION_FLAG, NULL, "Show how full it is", WORD_NONE },
	TARGET,
	{ .name = NULL },
};

static const struct cli_option create_options[] = {
	{ "description", 0, OPTION_TEXT, NULL, "Description of the pool", WORD_NONE },
	TARGET,
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_storage_commands[] = {
	{ .path = "storage", .usage = "", .summary = "Manage storage pools and volumes" },
	{ .path = "storage list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List storage pools",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "storage info",
	  .usage = "[<remote>:]<pool>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = info_run,
	  .options = info_options,
	  .summary = "Show how full a storage pool is and who uses it",
	  .kinds = { WORD_POOL } },
	{ .path = "storage show",
	  .usage = "[<remote>:]<pool>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = show_run,
	  .options = show_options,
	  .summary = "Show a storage pool",
	  .kinds = { WORD_POOL } },
	{ .path = "storage create",
	  .usage = "[<remote>:]<pool> <driver> [key=value...]",
	  .min_words = 2,
	  .max_words = CLI_ANY,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create a storage pool",
	  .details = "In a cluster: once with --target for each member, then once without." },
	OBJECT_COMMAND_DELETE("storage", "pool", WORD_POOL, NULL),
	OBJECT_COMMAND_EDIT("storage", "pool", WORD_POOL, NULL),
	OBJECT_COMMAND_GET("storage", "pool", WORD_POOL, object_target_set_options),
	OBJECT_COMMAND_SET("storage", "pool", WORD_POOL, object_target_set_options),
	OBJECT_COMMAND_UNSET("storage", "pool", WORD_POOL, object_target_set_options),
	{ .path = NULL },
};
