/* "muster cluster evacuate", "restore" and "explain". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/follow.h"
#include "client/instance_create.h"
#include "client/output.h"
#include "client/plan_view.h"
#include "client/terminal.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static void render(void *arg, struct json_object *operation, bool is_last)
{
	unsigned columns = 80, rows = 24;

	(void)is_last;
	terminal_size(STDOUT_FILENO, &columns, &rows);
	plan_view_update(arg, jv_member(operation, "metadata"), columns, rows);
}

/* Options of Muster's own: sent only if they were given, so that other servers never see them. */
static const struct {
	const char *option;
	const char *key;
	const char *what;
	int (*parse)(const char *text, int64_t *ret_value);
	int64_t least;
} numbers[] = {
	{ "max-parallel", "max_parallel", "number of parallel steps", parse_int64, 1 },
	{ "max-parallel-target", "max_parallel_target", "number of parallel steps", parse_int64,
	  1 },
	{ "max-parallel-pool", "max_parallel_pool", "number of parallel steps", parse_int64, 1 },
	{ "max-parallel-cluster", "max_parallel_cluster", "number of parallel steps", parse_int64,
	  1 },
	{ "bandwidth", "bandwidth", "bandwidth", parse_size, 1 },
	{ "downtime", "downtime_ms", "downtime", parse_duration, 1 },
};

static int add_options(const struct cli *cli, struct json_object *body, struct error **err)
{
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		const char *text = cli_option(cli, numbers[i].option);
		int64_t n;

		if (!text)
			continue;
		if (numbers[i].parse(text, &n) < 0 || n < numbers[i].least)
			return error_set(err, 400, "Invalid %s \"%s\"", numbers[i].what, text);
		jv_set_int(body, numbers[i].key, n);
	}
	if (cli_option(cli, "on-error"))
		jv_set_string(body, "on_error", cli_option(cli, "on-error"));
	if (cli_option(cli, "on-no-target"))
		jv_set_string(body, "on_no_target", cli_option(cli, "on-no-target"));
	return 0;
}

static int show_plan(struct server *server, const struct cli *cli, const char *member,
                     struct json_object *body, struct error **err)
{
	scoped_free char *path = server_path(server, "/1.0/cluster/members/%s/state", member);
	struct server_call call = { .method = "POST", .body = body };
	struct server_answer answer;
	int r = output_check_format(cli, err);

	/* A server that does not know the option would not plan but act. */
	if (r == 0 && !server_has(server, "cluster_plans"))
		r = error_set(err, 400, "The server cannot plan without acting");
	if (r < 0)
		return r;
	jv_set_bool(body, "dry_run", true);
	r = server_call(server, &call, path, &answer, err);
	if (r < 0)
		return r;
	struct json_object *plan = jv_member(answer.envelope, "metadata");
	if (str_equals(cli_option(cli, "format"), "json"))
		output_json(plan, stdout);
	else if (str_equals(cli_option(cli, "format"), "yaml"))
		output_yaml(plan, stdout);
	else
		plan_view_print(plan, stdout);
	server_answer_done(&answer);
	return 0;
}

static int follow_plan(struct client *client, struct server *server, const char *member,
                       struct json_object *body, struct error **err)
{
	bool terminal = isatty(STDOUT_FILENO) == 1;
	scoped(plan_view_freep) struct plan_view *view = plan_view_new(stdout, terminal);
	scoped(jv_unrefp) struct json_object *op = NULL, *done = NULL;
	struct follow follow = { .render = client->quiet ? NULL : render, .render_arg = view };
	int64_t start = date_monotonic_ns();
	int r = server_start(server, "POST", body, &op, err, "/1.0/cluster/members/%s/state",
	                     member);

	if (r == 0)
		r = follow_operation(client, server, op, &follow, &done, err);
	if (r == 0 && !client->quiet)
		plan_view_finish(view, jv_member(done, "metadata"),
		                 (double)(date_monotonic_ns() - start) / (double)DATE_SECOND);
	return r;
}

static int state_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	const char *action = strrchr(cli->command->path, ' ') + 1, *member;
	bool evacuates = strcmp(action, "evacuate") == 0, yes = true;
	struct server *server;
	int r = client_named(client, cli_word(cli, 0), "cluster member", &server, &member, err);

	if (r < 0)
		return r;
	jv_set_string(body, "action", action);
	jv_set_string(body, "mode", str_or_empty(cli_option(cli, "action")));
	jv_set_bool(body, "force", evacuates && cli_flag(cli, "force"));
	r = add_options(cli, body, err);
	if (r == 0 && cli_flag(cli, "plan"))
		return show_plan(server, cli, member, body, err);
	if (r == 0 && !cli_flag(cli, "force") && !cli_flag(cli, "yes")) {
		scoped_free char *question = xasprintf(
			"Are you sure you want to %s cluster member \"%s\"?", action, member);

		r = client_confirm(question, &yes, err);
	}
	if (r < 0 || !yes)
		return r;
	return follow_plan(client, server, member, body, err);
}

static int explain_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL, *envelope = NULL;
	struct server_answer answer;
	struct server *server;
	bool empty = cli_flag(cli, "empty");
	const char *name = "", *image = empty ? NULL : cli_word(cli, 0);
	int r = output_check_format(cli, err);

	if (r == 0 && !empty && !image)
		r = error_set(err, 400, "Name an image, or use --empty");
	if (r == 0)
		r = client_server(client, cli_word(cli, empty ? 0 : 1), &server, &name, err);
	if (r == 0)
		r = instance_create_body(client, cli, server, image, &body, err);
	if (r < 0)
		return r;
	if (*name)
		jv_set_string(body, "name", name);
	server_set_target(server, cli_option(cli, "target"));
	scoped_free char *path = server_path(server, "/1.0/cluster/placement-explain");
	r = server_call(server, &(struct server_call){ .method = "POST", .body = body }, path,
	                &answer, err);
	if (r < 0)
		return r;
	envelope = jv_ref(answer.envelope);
	server_answer_done(&answer);
	struct json_object *o = jv_member(envelope, "metadata"),
			   *rejected = jv_member(o, "rejected");
	if (str_equals(cli_option(cli, "format"), "json")) {
		output_json(o, stdout);
	} else if (str_equals(cli_option(cli, "format"), "yaml")) {
		output_yaml(o, stdout);
	} else {
		printf("%s: %s\n", str_or_empty(jv_text(o, "member")),
		       str_or_empty(jv_text(o, "reason")));
		for (size_t i = 0; i < jv_len(rejected); i++)
			printf("not %s: %s\n",
			       str_or_empty(jv_text(jv_item(rejected, i), "member")),
			       str_or_empty(jv_text(jv_item(rejected, i), "reason")));
	}
	return 0;
}

/* clang-format off */
#define STATE_OPTIONS \
	{ "action",       0,   OPTION_TEXT, NULL, "What to do with the instances instead of what they say", WORD_NONE }, \
	{ "bandwidth",    0,   OPTION_TEXT, NULL, "Most bytes a second to move, all instances together", WORD_NONE }, \
	{ "downtime",     0,   OPTION_TEXT, NULL, "Longest pause of an instance that is moved, as 500ms; where it would be longer it stays", WORD_NONE }, \
	{ "force",        0,   OPTION_FLAG, NULL, "Do not ask, and go on without a quorum to spare", WORD_NONE }, \
	OUTPUT_FORMAT_OPTION, \
	{ "max-parallel", 0,   OPTION_TEXT, NULL, "Most instances to move at the same time from one member, and to one", WORD_NONE }, \
	{ "max-parallel-cluster", 0, OPTION_TEXT, NULL, "Most instances to move at the same time in all", WORD_NONE }, \
	{ "max-parallel-pool", 0, OPTION_TEXT, NULL, "Most instances to move at the same time for a storage pool of one member", WORD_NONE }, \
	{ "max-parallel-target", 0, OPTION_TEXT, NULL, "Most instances to move at the same time to one member", WORD_NONE }, \
	{ "on-error",     0,   OPTION_TEXT, NULL, "After a failure: continue, stop or rollback", WORD_NONE }, \
	{ "plan",         0,   OPTION_FLAG, NULL, "Show what would be done and why, and do nothing", WORD_NONE }, \
	{ "yes",          'y', OPTION_FLAG, NULL, "Do not ask", WORD_NONE }

static const struct cli_option evacuate_options[] = {
	STATE_OPTIONS,
	{ "on-no-target", 0, OPTION_TEXT, NULL, "Instances that fit nowhere: stay, stop or fail", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option restore_options[] = { STATE_OPTIONS, { .name = NULL } };

static const struct cli_option explain_options[] = {
	INSTANCE_CREATE_OPTIONS,
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_cluster_evacuate_commands[] = {
	{ .path = "cluster evacuate",
	  .usage = "[<remote>:]<member>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = state_run,
	  .options = evacuate_options,
	  .summary = "Move all instances away from a cluster member",
	  .details =
	          "With --plan nothing is touched: each instance is shown with the member that it would\n"
	          "go to, why that one and why not the others. Without it each instance has a line\n"
	          "that follows it through the phases.\n"
	          "\n"
	          "With --downtime instances are copied while they run, until what has changed since is\n"
	          "copied within that time; only then they are stopped. It does not count how long an\n"
	          "instance takes to shut down.\n"
	          "\n"
	          "^C asks the server to cancel: what is under way is brought to an end or undone.",
	  .aliases = "evac",
	  .kinds = { WORD_MEMBER } },
	{ .path = "cluster restore",
	  .usage = "[<remote>:]<member>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = state_run,
	  .options = restore_options,
	  .summary = "Bring the instances of an evacuated cluster member home",
	  .details = "--action skip makes the member available again without moving anything.",
	  .kinds = { WORD_MEMBER } },
	{ .path = "cluster explain",
	  .usage = "[<remote>:]<image> [<remote>:][<name>]",
	  .max_words = 2,
	  .run = explain_run,
	  .options = explain_options,
	  .summary = "Show where an instance would be placed, and why",
	  .details = "Takes what \"muster launch\" takes; nothing is created.",
	  .kinds = { WORD_IMAGE, WORD_NONE } },
	{ .path = NULL },
};
