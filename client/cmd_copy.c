/* "muster copy" and "muster move". */
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/follow.h"
#include "client/instance_copy.h"
#include "client/instance_wish.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

struct adjusting {
	const struct cli *cli;
	struct server *to;
};

static int adjust(void *arg, struct json_object *body, struct error **err)
{
	const struct adjusting *a = arg;

	instance_wish_profiles(a->cli, body);
	int r = instance_wish_config(a->cli, body, err);
	if (r == 0)
		r = instance_wish_devices(a->cli, a->to, body, err);
	if (cli_given(a->cli, "ephemeral"))
		jv_set_bool(body, "ephemeral", cli_flag(a->cli, "ephemeral"));
	return r;
}

/* Source and destination; a destination without a name has that of the source on another remote. */
static int find_ends(struct client *client, const struct cli *cli, struct instance_copy *c,
                     struct error **err)
{
	const char *to = cli_word(cli, 1);
	int r = client_named(client, cli_word(cli, 0), "instance", &c->from, &c->source, err);

	if (r < 0)
		return r;
	c->name = "";
	c->to = c->from;
	if (to)
		r = client_server(client, to, &c->to, &c->name, err);
	if (r == 0 && !*c->name && (c->to != c->from || cli_option(cli, "target-project"))) {
		if (strchr(c->source, '/'))
			return error_set(err, 400, "Name the copy of a snapshot");
		c->name = c->source;
	}
	if (r == 0 && strchr(c->name, '/'))
		return error_set(err, 400, "Invalid instance name: %s", c->name);
	return r;
}

static int copy_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct instance_copy c = {
		.client = client,
		.mode = cli_option(cli, "mode"),
		.to_project = cli_option(cli, "target-project"),
		.to_target = cli_option(cli, "target"),
		.instance_only = cli_flag(cli, "instance-only"),
		.refresh = cli_flag(cli, "refresh"),
		.allow_inconsistent = cli_flag(cli, "allow-inconsistent"),
		.label = "Transferring instance",
		.adjust = adjust,
	};
	int r = find_ends(client, cli, &c, err);

	if (r < 0)
		return r;
	struct adjusting a = { cli, c.to };
	c.arg = &a;
	if (!*c.name && !cli_word(cli, 1) && c.from == c.to && !c.to_project && !c.to_target)
		return error_set(err, 400, "Name the copy");
	return instance_copy_run(&c, err);
}

/* Inside a server: name, member, pool and project change where the instance is. */
static int move_inside(struct client *client, const struct cli *cli, const struct instance_copy *c,
                       struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	const char *pool = cli_option(cli, "storage");
	bool away = c->to_target || c->to_project || pool;

	if (cli_given(cli, "config") || cli_given(cli, "device") || cli_given(cli, "profile") ||
	    cli_flag(cli, "no-profiles")) {
		if (!away)
			return error_set(err, 400,
			                 "Changes need another member, pool, project or server");
		scoped(jv_unrefp) struct json_object *change = jv_object();
		int r = adjust(&(struct adjusting){ cli, c->to }, change, err);

		if (r < 0)
			return r;
		jv_set_take(body, "Config", jv_ref(jv_member(change, "config")));
		jv_set_take(body, "Devices", jv_ref(jv_member(change, "devices")));
		jv_set_take(body, "Profiles", jv_ref(jv_member(change, "profiles")));
	}
	jv_set_string(body, "name", *c->name ? c->name : c->source);
	jv_set_bool(body, "migration", away);
	jv_set_bool(body, "live", away && !cli_flag(cli, "stateless"));
	jv_set_bool(body, "instance_only", c->instance_only);
	jv_set_bool(body, "container_only", c->instance_only);
	jv_set_bool(body, "allow_inconsistent", c->allow_inconsistent);
	if (pool)
		jv_set_string(body, "pool", pool);
	if (c->to_project)
		jv_set_string(body, "project", c->to_project);
	server_set_target(c->to, c->to_target);
	int r = follow_change(
		client, c->to,
		&(struct follow_request){ .method = "POST", .body = body, .label = c->label }, err,
		"/1.0/instances/%s", c->source);
	server_set_target(c->to, NULL);
	return r;
}

/* A snapshot only changes its name. */
static int move_snapshot(struct client *client, const struct instance_copy *c, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	size_t n = strcspn(c->source, "/");
	scoped_free char *instance = xasprintf("%.*s", (int)n, c->source);
	const char *slash = strchr(c->name, '/');

	if (c->from != c->to || (slash && strncmp(c->source, c->name, n + 1) != 0) || !*c->name)
		return error_set(err, 400, "A snapshot can only be renamed");
	jv_set_string(body, "name", slash ? slash + 1 : c->name);
	return follow_change(client, c->from,
	                     &(struct follow_request){ .method = "POST", .body = body }, err,
	                     "/1.0/instances/%s/snapshots/%s", instance, c->source + n + 1);
}

static int move_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct instance_copy c = {
		.client = client,
		.mode = cli_option(cli, "mode"),
		.to_project = cli_option(cli, "target-project"),
		.to_target = cli_option(cli, "target"),
		.instance_only = cli_flag(cli, "instance-only"),
		.allow_inconsistent = cli_flag(cli, "allow-inconsistent"),
		.keep_volatile = true,
		.label = "Transferring instance",
		.adjust = adjust,
	};
	int r = client_named(client, cli_word(cli, 0), "instance", &c.from, &c.source, err);

	c.to = c.from;
	c.name = "";
	if (r == 0 && cli_word(cli, 1))
		r = client_server(client, cli_word(cli, 1), &c.to, &c.name, err);
	if (r < 0)
		return r;
	if (strchr(c.source, '/'))
		return move_snapshot(client, &c, err);
	if (c.from == c.to) {
		if (!*c.name && !c.to_target && !c.to_project && !cli_option(cli, "storage"))
			return error_set(err, 400, "Say where to move it, or its new name");
		return move_inside(client, cli, &c, err);
	}
	struct adjusting a = { cli, c.to };
	c.arg = &a;
	if (!*c.name)
		c.name = c.source;
	r = instance_copy_run(&c, err);
	if (r < 0)
		return r;
	r = follow_change(client, c.from, &(struct follow_request){ .method = "DELETE" }, err,
	                  "/1.0/instances/%s", c.source);
	return r < 0 ? error_wrap(err, "The copy is complete, but deleting the source failed") : 0;
}

/* clang-format off */
#define COPY_OPTIONS                                                                                      \
	INSTANCE_WISH_OPTIONS,                                                                             \
	{ "allow-inconsistent", 0, OPTION_FLAG, NULL, "Ignore errors of files that change meanwhile", WORD_NONE }, \
	{ "instance-only",      0, OPTION_FLAG, NULL, "Leave the snapshots out", WORD_NONE },                \
	{ "mode",               0, OPTION_TEXT, "pull", "Who connects between servers: pull or push", WORD_NONE }, \
	{ "stateless",          0, OPTION_FLAG, NULL, "Leave the running state out", WORD_NONE },            \
	{ "target",             0, OPTION_TEXT, NULL, "Cluster member to put it on", WORD_MEMBER },          \
	{ "target-project",     0, OPTION_TEXT, NULL, "Project to put it in", WORD_PROJECT }

static const struct cli_option copy_options[] = {
	COPY_OPTIONS,
	{ "ephemeral", 'e', OPTION_FLAG, NULL, "Delete the copy when it stops", WORD_NONE },
	{ "refresh",   0,   OPTION_FLAG, NULL, "Bring an earlier copy up to date", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option move_options[] = { COPY_OPTIONS, { .name = NULL } };
/* clang-format on */

const struct cli_command cmd_copy_commands[] = {
	{ .path = "copy",
	  .usage = "[<remote>:]<source>[/<snapshot>] [[<remote>:]<destination>]",
	  .min_words = 1,
	  .max_words = 2,
	  .run = copy_run,
	  .options = copy_options,
	  .summary = "Copy an instance inside a server or between servers",
	  .aliases = "cp",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = "move",
	  .usage = "[<remote>:]<instance>[/<snapshot>] [<remote>:][<instance>[/<snapshot>]]",
	  .min_words = 1,
	  .max_words = 2,
	  .run = move_run,
	  .options = move_options,
	  .summary = "Move an instance to another member, pool, project, server or name",
	  .details = "Examples:\n"
	             "  muster move c1 --target m2      to another cluster member\n"
	             "  muster move c1 c2               to another name\n"
	             "  muster move c1 other:           to another server",
	  .aliases = "mv",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = NULL },
};
