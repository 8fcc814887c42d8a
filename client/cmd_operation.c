/* "muster operation": what the server does in the background. */
#include <stdio.h>

#include "client/commands.h"
#include "client/output.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

/* The answer has a list for each status. */
static struct json_object *flatten(struct json_object *by_status)
{
	struct json_object *all = jv_array();

	if (json_object_is_type(by_status, json_type_array)) {
		for (size_t i = 0; i < jv_len(by_status); i++)
			jv_add_take(all, jv_ref(jv_item(by_status, i)));
		return all;
	}
	JV_FOREACH (by_status, status, list) {
		(void)status;
		for (size_t i = 0; i < jv_len(list); i++)
			jv_add_take(all, jv_ref(jv_item(list, i)));
	}
	return all;
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "ID",         "TYPE",    "DESCRIPTION", "STATUS",
		                               "CANCELABLE", "CREATED", "LOCATION",    NULL };
	scoped(jv_unrefp) struct json_object *answer = NULL, *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &answer, err,
		               cli_flag(cli, "all-projects")
		                       ? "/1.0/operations?recursion=1&all-projects=true"
		                       : "/1.0/operations?recursion=1");
	if (r < 0)
		return r;
	all = flatten(answer);
	bool clustered = jv_len(all) ? !str_equals(jv_text(jv_item(all, 0), "location"), "none")
	                             : server_is_clustered(server);
	const char *single[] = { "ID",         "TYPE",    "DESCRIPTION", "STATUS",
		                 "CANCELABLE", "CREATED", NULL };
	scoped(table_freep) struct table *table = table_new(clustered ? headers : single);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *op = jv_item(all, i);

		table_add(table, jv_text(op, "id"));
		table_add_take(table, output_upper(jv_text(op, "class")));
		table_add(table, jv_text(op, "description"));
		table_add_take(table, output_upper(jv_text(op, "status")));
		table_add(table, output_yes(jv_flag(op, "may_cancel")));
		table_add_take(table, output_date(jv_text(op, "created_at")));
		if (clustered)
			table_add(table, jv_text(op, "location"));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	struct server *server;
	const char *id;
	int r = client_named(client, cli_word(cli, 0), "operation", &server, &id, err);

	if (r == 0)
		r = server_get(server, &op, err, "/1.0/operations/%s", id);
	if (r == 0)
		output_yaml(op, stdout);
	return r;
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	const char *id;
	int r = client_named(client, cli_word(cli, 0), "operation", &server, &id, err);

	if (r == 0)
		r = server_send(server, "DELETE", NULL, err, "/1.0/operations/%s", id);
	if (r == 0)
		client_say(client, "Operation %s deleted", id);
	return r;
}

/* clang-format off */
static const struct cli_option list_options[] = {
	{ "all-projects", 0, OPTION_FLAG, NULL, "Show the operations of all projects", WORD_NONE },
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_operation_commands[] = {
	{ .path = "operation",
	  .usage = "",
	  .summary = "List, show and cancel background operations" },
	{ .path = "operation list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List background operations",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "operation show",
	  .usage = "[<remote>:]<operation>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = show_run,
	  .summary = "Show an operation",
	  .kinds = { WORD_OPERATION } },
	{ .path = "operation delete",
	  .usage = "[<remote>:]<operation>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = delete_run,
	  .summary = "Cancel an operation",
	  .aliases = "cancel rm",
	  .kinds = { WORD_OPERATION } },
	{ .path = NULL },
};
