/* "muster publish": an instance or a snapshot becomes an image. */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/follow.h"
#include "client/image_alias.h"
#include "client/resource.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int make_body(const struct cli *cli, const char *name, struct json_object **ret_body,
                     struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct json_object *source = jv_object(), *properties = jv_object();
	bool snapshot = strchr(name, '/') != NULL;
	const char *expire = cli_option(cli, "expire"),
		   *compression = cli_option(cli, "compression");

	jv_set_take(body, "source", source);
	jv_set_take(body, "properties", properties);
	jv_set_string(source, "type", snapshot ? "snapshot" : "instance");
	jv_set_string(source, "name", name);
	jv_set_bool(body, "public", cli_flag(cli, "public"));
	if (compression)
		jv_set_string(body, "compression_algorithm", compression);
	if (expire)
		jv_set_string(body, "expires_at", expire);
	for (size_t i = 1; cli_word(cli, i); i++) {
		const char *word = cli_word(cli, i);

		if (i == 1 && word[strlen(word) - 1] == ':')
			continue;
		int r = resource_parse_pairs((const char *const[]){ word, NULL }, properties, err);
		if (r < 0)
			return r;
	}
	*ret_body = TAKE_PTR(body);
	return 0;
}

/* An alias may only be taken from another image on request. */
static int publish(struct client *client, const struct cli *cli, struct server *server,
                   const char *name, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL, *op = NULL, *done = NULL;
	int r = make_body(cli, name, &body, err);

	if (r == 0 && !cli_flag(cli, "reuse"))
		r = image_alias_check_free(server, cli, err);
	if (r == 0)
		r = server_start(server, "POST", body, &op, err, "/1.0/images");
	if (r == 0)
		r = follow_operation(client, server, op,
		                     &(struct follow){ .label = "Publishing instance" }, &done,
		                     err);
	if (r < 0)
		return r;
	const char *fingerprint = str_or_empty(jv_text(jv_member(done, "metadata"), "fingerprint"));
	r = image_alias_assign(server, cli, fingerprint, err);
	if (r == 0)
		client_say(client, "Instance published with fingerprint: %s", fingerprint);
	return r;
}

static int publish_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	const char *name, *second = cli_word(cli, 1), *rest;
	struct server *server, *to;
	bool stopped = false;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0 && second && *second && second[strlen(second) - 1] == ':') {
		r = client_server(client, second, &to, &rest, err);
		if (r == 0 && to != server)
			r = error_set(
				err, 400,
				"Publishing to another server is not supported; use image copy");
	}
	if (r == 0 && !strchr(name, '/'))
		r = server_get(server, &o, err, "/1.0/instances/%s", name);
	if (r < 0)
		return r;
	if (o && !str_equals(jv_text(o, "status"), "Stopped")) {
		if (!cli_flag(cli, "force"))
			return error_set(
				err, 400,
				"The instance is currently running. Use --force to have it "
				"stopped and restarted");
		r = follow_state(client, server, name, "stop", true, err);
		if (r < 0)
			return r;
		stopped = !jv_flag(o, "ephemeral");
	}
	r = publish(client, cli, server, name, err);
	if (stopped) {
		scoped(error_freep) struct error *again = NULL;
		int started = follow_state(client, server, name, "start", false, &again);

		if (started < 0 && r == 0) {
			*err = TAKE_PTR(again);
			r = error_wrap(err, "Failed starting \"%s\" again", name);
		}
	}
	return r;
}

/* clang-format off */
static const struct cli_option publish_options[] = {
	{ "alias",       0,   OPTION_LIST, NULL, "Alias of the new image", WORD_NONE },
	{ "compression", 0,   OPTION_TEXT, NULL, "How to compress it: gzip, xz, zstd, bzip2, none ...", WORD_NONE },
	{ "expire",      0,   OPTION_TEXT, NULL, "When it may go (RFC 3339)", WORD_NONE },
	{ "force",       'f', OPTION_FLAG, NULL, "Stop a running instance for the time", WORD_NONE },
	{ "public",      0,   OPTION_FLAG, NULL, "Let everybody fetch the image", WORD_NONE },
	{ "reuse",       0,   OPTION_FLAG, NULL, "Take the aliases from images that have them", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_publish_commands[] = {
	{ .path = "publish",
	  .usage = "[<remote>:]<instance>[/<snapshot>] [<remote>:] [key=value...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = publish_run,
	  .options = publish_options,
	  .summary = "Make an image of an instance or a snapshot",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = NULL },
};
