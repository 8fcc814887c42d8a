/* "muster snapshot", "restore" and "rename". */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/follow.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int snapshot_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	const char *name, *snapshot = cli_word(cli, 1), *volumes = cli_option(cli, "disk-volumes");
	struct server *server;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r < 0)
		return r;
	if (strchr(name, '/'))
		return error_set(err, 400, "Invalid instance name: %s", name);
	if (cli_flag(cli, "reuse") && snapshot) {
		scoped(error_freep) struct error *missing = NULL;

		r = follow_change(client, server, &(struct follow_request){ .method = "DELETE" },
		                  &missing, "/1.0/instances/%s/snapshots/%s", name, snapshot);
		if (r < 0 && missing->status != 404) {
			*err = TAKE_PTR(missing);
			return r;
		}
	}
	jv_set_string(body, "name", snapshot);
	jv_set_bool(body, "stateful", cli_flag(cli, "stateful"));
	if (cli_flag(cli, "no-expiry"))
		jv_set_string(body, "expires_at", "0001-01-01T00:00:00Z");
	if (volumes)
		jv_set_string(body, "disk_volumes_mode", volumes);
	return follow_change(client, server,
	                     &(struct follow_request){ .method = "POST", .body = body }, err,
	                     "/1.0/instances/%s/snapshots", name);
}

static int restore_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	const char *name, *snapshot = cli_word(cli, 1), *volumes = cli_option(cli, "disk-volumes");
	struct server *server;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r < 0)
		return r;
	if (strchr(snapshot, '/'))
		jv_set_string(body, "restore", snapshot);
	else
		jv_set_stringf(body, "restore", "%s/%s", name, snapshot);
	jv_set_bool(body, "stateful", cli_flag(cli, "stateful"));
	if (volumes)
		jv_set_string(body, "restore_disk_volumes_mode", volumes);
	return follow_change(client, server,
	                     &(struct follow_request){ .method = "PUT", .body = body }, err,
	                     "/1.0/instances/%s", name);
}

static int rename_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	const char *name, *to = cli_word(cli, 1);
	struct server *server;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r < 0)
		return r;
	const char *colon = strchr(to, ':'), *slash = strchr(name, '/');
	if (colon)
		to = colon + 1;
	if (!slash) {
		if (strchr(to, '/'))
			return error_set(err, 400, "Invalid instance name: %s", to);
		jv_set_string(body, "name", to);
		return follow_change(client, server,
		                     &(struct follow_request){ .method = "POST", .body = body },
		                     err, "/1.0/instances/%s", name);
	}
	scoped_free char *instance = xasprintf("%.*s", (int)(slash - name), name);
	const char *to_slash = strchr(to, '/');
	if (to_slash && ((size_t)(to_slash - to) != strlen(instance) ||
	                 strncmp(to, instance, strlen(instance)) != 0))
		return error_set(err, 400, "A snapshot cannot be moved to another instance");
	jv_set_string(body, "name", to_slash ? to_slash + 1 : to);
	return follow_change(client, server,
	                     &(struct follow_request){ .method = "POST", .body = body }, err,
	                     "/1.0/instances/%s/snapshots/%s", instance, slash + 1);
}

/* clang-format off */
static const struct cli_option snapshot_options[] = {
	{ "disk-volumes", 0, OPTION_TEXT, NULL, "Which volumes: root or all-exclusive", WORD_NONE },
	{ "no-expiry",    0, OPTION_FLAG, NULL, "Keep it, whatever the instance's config says", WORD_NONE },
	{ "reuse",        0, OPTION_FLAG, NULL, "Replace a snapshot of the same name", WORD_NONE },
	{ "stateful",     0, OPTION_FLAG, NULL, "Save the running state too", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option restore_options[] = {
	{ "disk-volumes", 0, OPTION_TEXT, NULL, "Which volumes: root or all-exclusive", WORD_NONE },
	{ "stateful",     0, OPTION_FLAG, NULL, "Restore the running state too, if it was saved", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_snapshot_commands[] = {
	{ .path = "snapshot",
	  .usage = "[<remote>:]<instance> [<snapshot name>]",
	  .min_words = 1,
	  .max_words = 2,
	  .run = snapshot_run,
	  .options = snapshot_options,
	  .summary = "Take a snapshot of an instance",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = "restore",
	  .usage = "[<remote>:]<instance> <snapshot>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = restore_run,
	  .options = restore_options,
	  .summary = "Bring an instance back to a snapshot",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = "rename",
	  .usage = "[<remote>:]<instance>[/<snapshot>] <instance>[/<snapshot>]",
	  .min_words = 2,
	  .max_words = 2,
	  .run = rename_run,
	  .summary = "Rename an instance or a snapshot",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = NULL },
};
