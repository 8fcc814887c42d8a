/* "muster cluster plan": what the cluster is about to do, and has done. */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/output.h"
#include "client/plan_view.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static size_t count_phase(struct json_object *plan, const char *phase)
{
	struct json_object *steps = jv_member(plan, "steps");
	size_t n = 0;

	for (size_t i = 0; i < jv_len(steps); i++)
		n += str_equals(jv_text(jv_item(steps, i), "phase"), phase);
	return n;
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "UUID", "KIND",   "MEMBER",  "STATE", "STEPS",
		                               "DONE", "FAILED", "CREATED", NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/cluster/plans?recursion=1");
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *p = jv_item(all, i);

		table_add(table, jv_text(p, "uuid"));
		table_add(table, jv_text(p, "kind"));
		table_add(table, jv_text(p, "member"));
		table_add_take(table, output_upper(jv_text(p, "state")));
		table_addf(table, "%zu", jv_len(jv_member(p, "steps")));
		table_addf(table, "%zu", count_phase(p, "cleaned"));
		table_addf(table, "%zu", count_phase(p, "failed"));
		table_add_take(table, output_date(jv_text(p, "created_at")));
	}
	return output_list(cli, table, all, err);
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *plan = NULL;
	const char *uuid, *format = cli_option(cli, "format");
	struct server *server;
	int r = output_check_format(cli, err);

	if (r == 0)
		r = client_named(client, cli_word(cli, 0), "plan", &server, &uuid, err);
	if (r == 0)
		r = server_get(server, &plan, err, "/1.0/cluster/plans/%s", uuid);
	if (r < 0)
		return r;
	if (str_equals(format, "json"))
		output_json(plan, stdout);
	else if (str_equals(format, "yaml"))
		output_yaml(plan, stdout);
	else
		plan_view_print(plan, stdout);
	return 0;
}

static int action_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct server *server;
	const char *uuid;
	int r = client_named(client, cli_word(cli, 0), "plan", &server, &uuid, err);

	jv_set_string(body, "action", strrchr(cli->command->path, ' ') + 1);
	return r < 0 ? r : server_send(server, "POST", body, err, "/1.0/cluster/plans/%s", uuid);
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

#define ACTION(word, text) \
	{ .path = "cluster plan " word, .usage = "[<remote>:]<plan>", .min_words = 1, .max_words = 1, \
	  .run = action_run, .summary = text, .kinds = { WORD_PLAN } }

const struct cli_command cmd_cluster_plan_commands[] = {
	{ .path = "cluster plan", .usage = "", .summary = "Manage plans: evacuations, restores and the like" },
	{ .path = "cluster plan list", .usage = "[<remote>:]", .max_words = 1, .run = list_run,
	  .options = list_options, .summary = "List plans", .aliases = "ls", .kinds = { WORD_REMOTE } },
	{ .path = "cluster plan show", .usage = "[<remote>:]<plan>", .min_words = 1, .max_words = 1,
	  .run = show_run, .options = list_options, .summary = "Show a plan with its steps and reasons",
	  .kinds = { WORD_PLAN } },
	ACTION("pause", "Start no further steps of a plan"),
	ACTION("resume", "Go on with a paused plan"),
	ACTION("cancel", "End a plan: steps under way are undone or completed"),
	ACTION("retry", "Try the failed steps of a plan again"),
	ACTION("undo", "Bring back what a plan has moved"),
	{ .path = NULL },
};
/* clang-format on */
