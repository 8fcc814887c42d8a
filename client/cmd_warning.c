/* "muster warning": what the server complains about. */
#include <stdio.h>
#include <stdlib.h>

#include "client/commands.h"
#include "client/list_columns.h"
#include "client/output.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static char *count_text(struct json_object *o)
{
	return xasprintf("%lld", (long long)jv_number(o, "count"));
}

static char *first_text(struct json_object *o)
{
	return output_long_date(jv_text(o, "first_seen_at"));
}

static char *last_text(struct json_object *o)
{
	return output_long_date(jv_text(o, "last_seen_at"));
}

static char *location_text(struct json_object *o)
{
	return xstrdup(str_or_empty(jv_text(o, "location")));
}

static char *project_text(struct json_object *o)
{
	return xstrdup(str_or_empty(jv_text(o, "project")));
}

static char *severity_text(struct json_object *o)
{
	return output_upper(jv_text(o, "severity"));
}

static char *status_text(struct json_object *o)
{
	return output_upper(jv_text(o, "status"));
}

static char *uuid_text(struct json_object *o)
{
	return xstrdup(str_or_empty(jv_text(o, "uuid")));
}

static char *type_text(struct json_object *o)
{
	return xstrdup(str_or_empty(jv_text(o, "type")));
}

/* clang-format off */
static const struct list_column columns[] = {
	{ 'c', "COUNT",      count_text,    false },
	{ 'f', "FIRST SEEN", first_text,    false },
	{ 'l', "LAST SEEN",  last_text,     false },
	{ 'L', "LOCATION",   location_text, false },
	{ 'p', "PROJECT",    project_text,  false },
	{ 's', "SEVERITY",   severity_text, false },
	{ 'S', "STATUS",     status_text,   false },
	{ 'u', "UUID",       uuid_text,     false },
	{ 't', "TYPE",       type_text,     false },
	{ 0, NULL, NULL, false },
};

static const struct cli_option list_options[] = {
	{ "all",     'a', OPTION_FLAG, NULL, "Show resolved and acknowledged warnings too", WORD_NONE },
	{ "columns", 'c', OPTION_TEXT, "utSscpLl", "Which columns, in which order", WORD_NONE },
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};

static const struct cli_option delete_options[] = {
	{ "all", 'a', OPTION_FLAG, NULL, "Delete all warnings", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL, *kept = jv_array();
	scoped(list_columns_done) struct list_columns shown = { 0 };
	struct server *server;
	int r = list_columns_parse(cli_option(cli, "columns"), columns, false, &shown, err);

	if (r == 0)
		r = client_server_only(client, cli_word(cli, 0), &server, err);
	if (r == 0)
		r = server_get(server, &all, err, "/1.0/warnings?recursion=1");
	if (r < 0)
		return r;
	for (size_t i = 0; i < jv_len(all); i++) {
		if (cli_flag(cli, "all") || str_equals(jv_text(jv_item(all, i), "status"), "new"))
			jv_add_take(kept, jv_ref(jv_item(all, i)));
	}
	scoped(table_freep) struct table *table = list_columns_table(&shown, kept);
	table_sort(table);
	return output_list(cli, table, kept, err);
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	struct server *server;
	const char *uuid;
	int r = client_named(client, cli_word(cli, 0), "warning", &server, &uuid, err);

	if (r == 0)
		r = server_get(server, &o, err, "/1.0/warnings/%s", uuid);
	if (r == 0)
		output_yaml(o, stdout);
	return r;
}

static int acknowledge_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct server *server;
	const char *uuid;
	int r = client_named(client, cli_word(cli, 0), "warning", &server, &uuid, err);

	jv_set_string(body, "status", "acknowledged");
	return r < 0 ? r : server_send(server, "PUT", body, err, "/1.0/warnings/%s", uuid);
}

static int delete_all(struct server *server, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL;
	int r = server_get(server, &all, err, "/1.0/warnings?recursion=1");

	for (size_t i = 0; r == 0 && i < jv_len(all); i++)
		r = server_send(server, "DELETE", NULL, err, "/1.0/warnings/%s",
		                str_or_empty(jv_text(jv_item(all, i), "uuid")));
	return r;
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	const char *uuid;
	int r = client_server(client, cli_word(cli, 0), &server, &uuid, err);

	if (r < 0)
		return r;
	if (cli_flag(cli, "all"))
		return *uuid ? error_set(err, 400, "No warning may be named with --all")
		             : delete_all(server, err);
	if (!*uuid)
		return error_set(err, 400, "Name a warning, or use --all");
	return server_send(server, "DELETE", NULL, err, "/1.0/warnings/%s", uuid);
}

const struct cli_command cmd_warning_commands[] = {
	{ .path = "warning", .usage = "", .summary = "Manage warnings" },
	{ .path = "warning list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List warnings",
	  .details = "Columns:\n"
	             "  c count        f first seen    l last seen\n"
	             "  L location     p project       s severity\n"
	             "  S status       t type          u UUID",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "warning show",
	  .usage = "[<remote>:]<warning-uuid>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = show_run,
	  .summary = "Show a warning",
	  .kinds = { WORD_WARNING } },
	{ .path = "warning acknowledge",
	  .usage = "[<remote>:]<warning-uuid>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = acknowledge_run,
	  .summary = "Acknowledge a warning",
	  .aliases = "ack",
	  .kinds = { WORD_WARNING } },
	{ .path = "warning delete",
	  .usage = "[<remote>:][<warning-uuid>]",
	  .max_words = 1,
	  .run = delete_run,
	  .options = delete_options,
	  .summary = "Delete a warning, or all of them",
	  .aliases = "rm",
	  .kinds = { WORD_WARNING } },
	{ .path = NULL },
};
