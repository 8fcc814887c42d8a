/* "muster image". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/follow.h"
#include "client/image_alias.h"
#include "client/image_source.h"
#include "client/image_transfer.h"
#include "client/list_columns.h"
#include "client/output.h"
#include "client/resource.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

static const char *const writable[] = { "auto_update", "properties", "public",
	                                "expires_at",  "profiles",   NULL };

static const char help[] = "This is a YAML representation of the image properties.\n"
			   "Lines that begin with '#' are ignored.";

static const char *property(struct json_object *o, const char *key)
{
	return str_or_empty(jv_text(jv_member(o, "properties"), key));
}

static char *shortest_alias_text(struct json_object *o)
{
	struct json_object *list = jv_member(o, "aliases");
	const char *best = NULL;

	for (size_t i = 0; i < jv_len(list); i++) {
		const char *name = jv_text(jv_item(list, i), "name");

		if (name && (!best || strlen(name) < strlen(best)))
			best = name;
	}
	if (jv_len(list) > 1)
		return xasprintf("%s (%zu more)", str_or_empty(best), jv_len(list) - 1);
	return xstrdup(str_or_empty(best));
}

static char *aliases_text(struct json_object *o)
{
	struct json_object *list = jv_member(o, "aliases");
	scoped(strv_freep) char **names = NULL;

	for (size_t i = 0; i < jv_len(list); i++)
		strv_add(&names, str_or_empty(jv_text(jv_item(list, i), "name")));
	return strv_join(names, "\n");
}

static char *short_fingerprint_text(struct json_object *o)
{
	return xasprintf("%.12s", str_or_empty(jv_text(o, "fingerprint")));
}

static char *fingerprint_text(struct json_object *o)
{
	return xstrdup(str_or_empty(jv_text(o, "fingerprint")));
}

static char *public_text(struct json_object *o)
{
	return xstrdup(jv_flag(o, "public") ? "yes" : "no");
}

static char *description_text(struct json_object *o)
{
	return xstrdup(property(o, "description"));
}

static char *architecture_text(struct json_object *o)
{
	return xstrdup(str_or_empty(jv_text(o, "architecture")));
}

/* LXD's client counts an image's megabytes by 1024. */
static char *size_text(struct json_object *o)
{
	return xasprintf("%.2fMB", (double)jv_number(o, "size") / 1024.0 / 1024.0);
}

static char *upload_text(struct json_object *o)
{
	return output_long_date(jv_text(o, "uploaded_at"));
}

static char *type_text(struct json_object *o)
{
	return output_upper(jv_text(o, "type"));
}

/* clang-format off */
static const struct list_column columns[] = {
	{ 'l', "ALIAS",        shortest_alias_text,    false },
	{ 'L', "ALIASES",      aliases_text,           false },
	{ 'f', "FINGERPRINT",  short_fingerprint_text, false },
	{ 'F', "FINGERPRINT",  fingerprint_text,       false },
	{ 'p', "PUBLIC",       public_text,            false },
	{ 'd', "DESCRIPTION",  description_text,       false },
	{ 'a', "ARCHITECTURE", architecture_text,      false },
	{ 't', "TYPE",         type_text,              false },
	{ 's', "SIZE",         size_text,              false },
	{ 'u', "UPLOAD DATE",  upload_text,            false },
	{ 0, NULL, NULL, false },
};
/* clang-format on */

/* A property, the beginning of the fingerprint, or a part of an alias. */
static bool passes(struct json_object *image, const char *filter)
{
	const char *equals = strchr(filter, '=');
	struct json_object *list = jv_member(image, "aliases");

	if (equals) {
		scoped_free char *key = xasprintf("%.*s", (int)(equals - filter), filter);

		if (strcmp(key, "type") == 0 || strcmp(key, "architecture") == 0)
			return str_equals_nocase(jv_text(image, key), equals + 1);
		return str_equals_nocase(property(image, key), equals + 1);
	}
	if (str_starts(jv_text(image, "fingerprint"), filter))
		return true;
	for (size_t i = 0; i < jv_len(list); i++) {
		if (strstr(str_or_empty(jv_text(jv_item(list, i), "name")), filter))
			return true;
	}
	return false;
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL, *kept = jv_array();
	scoped(list_columns_done) struct list_columns shown = { 0 };
	const char *first = cli_word(cli, 0), *rest = "";
	bool remote = first && strchr(first, ':') && !strchr(first, '=');
	struct server *server;
	int r = list_columns_parse(cli_option(cli, "columns"), columns, false, &shown, err);

	if (r == 0)
		r = client_server(client, remote ? first : NULL, &server, &rest, err);
	if (r == 0)
		r = server_get(server, &all, err,
		               cli_flag(cli, "all-projects")
		                       ? "/1.0/images?recursion=1&all-projects=true"
		                       : "/1.0/images?recursion=1");
	if (r < 0)
		return r;
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *image = jv_item(all, i);
		bool good = !*rest || passes(image, rest);

		for (size_t j = remote; good && cli_word(cli, j); j++)
			good = passes(image, cli_word(cli, j));
		if (good)
			jv_add_take(kept, jv_ref(image));
	}
	scoped(table_freep) struct table *table = list_columns_table(&shown, kept);
	table_sort(table);
	return output_list(cli, table, kept, err);
}

/* The resource of an image, found by alias or fingerprint. */
static int image_open(struct client *client, const struct cli *cli, const char *word,
                      struct resource *ret_resource, char **ret_fingerprint, struct error **err)
{
	struct server *server;
	const char *name;
	int r = client_named(client, word, "image", &server, &name, err);

	if (r == 0)
		r = image_source_resolve(server, name, cli_flag(cli, "vm"), ret_fingerprint, err);
	if (r < 0)
		return r;
	*ret_resource =
		(struct resource){ .client = client,
		                   .server = server,
		                   .path = server_path(server, "/1.0/images/%s", *ret_fingerprint),
		                   .writable = writable,
		                   .help = help };
	return 0;
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped_free char *fingerprint = NULL;
	int r = image_open(client, cli, cli_word(cli, 0), &res, &fingerprint, err);

	return r < 0 ? r : resource_show(&res, writable, err);
}

static int edit_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped_free char *fingerprint = NULL;
	int r = image_open(client, cli, cli_word(cli, 0), &res, &fingerprint, err);

	return r < 0 ? r : resource_edit(&res, err);
}

static void print_date(const char *label, const char *date, const char *never)
{
	scoped_free char *text = output_date(date);

	printf("    %s: %s\n", label, *text ? text : never);
}

static int info_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped_free char *fingerprint = NULL;
	int r = image_open(client, cli, cli_word(cli, 0), &res, &fingerprint, err);

	if (r == 0)
		r = resource_get(&res, &o, NULL, err);
	if (r < 0)
		return r;
	struct json_object *aliases = jv_member(o, "aliases"), *profiles = jv_member(o, "profiles");
	struct json_object *source = jv_member(o, "update_source");
	scoped_free char *size = size_text(o);

	printf("Fingerprint: %s\nSize: %s\n", str_or_empty(jv_text(o, "fingerprint")), size);
	printf("Architecture: %s\nType: %s\n", str_or_empty(jv_text(o, "architecture")),
	       str_or_empty(jv_text(o, "type")));
	printf("Public: %s\nTimestamps:\n", jv_flag(o, "public") ? "yes" : "no");
	if (!output_is_never(jv_text(o, "created_at")))
		print_date("Created", jv_text(o, "created_at"), "");
	print_date("Uploaded", jv_text(o, "uploaded_at"), "");
	print_date("Expires", jv_text(o, "expires_at"), "never");
	print_date("Last used", jv_text(o, "last_used_at"), "never");
	printf("Properties:\n");
	JV_FOREACH (jv_member(o, "properties"), key, value) {
		printf("    %s: %s\n", key, str_or_empty(jv_string(value)));
	}
	printf("Aliases:\n");
	for (size_t i = 0; i < jv_len(aliases); i++) {
		struct json_object *a = jv_item(aliases, i);

		printf("    - %s\n", str_or_empty(jv_text(a, "name")));
	}
	printf("Cached: %s\n", jv_flag(o, "cached") ? "yes" : "no");
	printf("Auto update: %s\n", jv_flag(o, "auto_update") ? "enabled" : "disabled");
	if (source)
		printf("Source:\n    Server: %s\n    Protocol: %s\n    Alias: %s\n",
		       str_or_empty(jv_text(source, "server")),
		       str_or_empty(jv_text(source, "protocol")),
		       str_or_empty(jv_text(source, "alias")));
	if (jv_len(profiles))
		printf("Profiles:\n");
	for (size_t i = 0; i < jv_len(profiles); i++)
		printf("    - %s\n", str_or_empty(jv_string(jv_item(profiles, i))));
	return 0;
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && cli_word(cli, i); i++) {
		scoped(resource_done) struct resource res = { 0 };
		scoped_free char *fingerprint = NULL;

		r = image_open(client, cli, cli_word(cli, i), &res, &fingerprint, err);
		if (r == 0)
			r = follow_change(client, res.server,
			                  &(struct follow_request){ .method = "DELETE" }, err,
			                  "/1.0/images/%s", fingerprint);
	}
	return r;
}

static int refresh_run(struct client *client, const struct cli *cli, struct error **err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && cli_word(cli, i); i++) {
		scoped(resource_done) struct resource res = { 0 };
		scoped_free char *fingerprint = NULL;

		r = image_open(client, cli, cli_word(cli, i), &res, &fingerprint, err);
		if (r == 0)
			r = follow_change(
				client, res.server,
				&(struct follow_request){ .method = "POST",
			                                  .label = "Refreshing the image" },
				err, "/1.0/images/%s/refresh", fingerprint);
	}
	return r;
}

static int property_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped_free char *fingerprint = NULL, *etag = NULL;
	const char *key = cli_word(cli, 1);
	int r = image_open(client, cli, cli_word(cli, 0), &res, &fingerprint, err);

	if (r == 0)
		r = resource_get(&res, &o, &etag, err);
	if (r < 0)
		return r;
	struct json_object *properties = jv_member(o, "properties");
	if (str_ends(cli->command->path, " get-property")) {
		if (!jv_text(properties, key))
			return error_set(err, 404, "Property not found");
		printf("%s\n", jv_text(properties, key));
		return 0;
	}
	if (str_ends(cli->command->path, " set-property"))
		jv_set_string(properties, key, cli_word(cli, 2));
	else if (jv_text(properties, key))
		jv_unset(properties, key);
	else
		return error_set(err, 404, "Property not found");
	return resource_put(&res, o, etag, err);
}

static int export_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped_free char *fingerprint = NULL;
	int r = image_open(client, cli, cli_word(cli, 0), &res, &fingerprint, err);

	if (r == 0)
		r = image_transfer_download(client, res.server, fingerprint, cli_word(cli, 1), err);
	if (r == 0)
		client_say(client, "Image exported successfully!");
	return r;
}

/* The words of an import: files, a remote, properties. */
struct import {
	const char *metadata, *rootfs, *remote;
	struct url_query properties;
};

static void import_done(struct import *im)
{
	url_query_done(&im->properties);
}

static int import_words(const struct cli *cli, struct import *im, struct error **err)
{
	for (size_t i = 0; cli_word(cli, i); i++) {
		const char *w = cli_word(cli, i), *equals = strchr(w, '=');

		if (i == 0) {
			im->metadata = w;
		} else if (equals && equals != w) {
			scoped_free char *key = xasprintf("%.*s", (int)(equals - w), w);

			url_query_add(&im->properties, key, equals + 1);
		} else if (str_ends(w, ":") && !im->remote) {
			im->remote = w;
		} else if (!im->rootfs && i == 1) {
			im->rootfs = w;
		} else {
			return error_set(err, 400,
			                 "What is \"%s\"? Files come first, then a remote, then "
			                 "properties",
			                 w);
		}
	}
	if (file_is_dir(im->metadata))
		return error_set(err, 400,
		                 "\"%s\" is a directory; importing directories is not supported",
		                 im->metadata);
	return 0;
}

/* Sends the files; '*ret_op' is the operation. */
static int upload(const struct client *client, const struct cli *cli, struct server *server,
                  const struct import *im, struct json_object **ret_op, struct error **err)
{
	struct follow_transfer progress = { .label = "Transferring image" };
	scoped_free char *type = NULL, *properties = url_query_build(&im->properties);
	scoped(strv_freep) char **headers = NULL;
	struct server_answer answer;
	scoped_fd int fd = -1;
	uint64_t size;
	int r = image_transfer_open(im->metadata, im->rootfs, &fd, &size, &type, err);

	if (r < 0)
		return r;
	strv_addf(&headers, "Content-Type: %s", type);
	strv_addf(&headers, "X-LXD-public: %s", cli_flag(cli, "public") ? "true" : "false");
	strv_addf(&headers, "X-LXD-filename: %s", path_base(im->metadata));
	if (*properties)
		strv_addf(&headers, "X-LXD-properties: %s", properties);
	scoped_free char *path = server_path(server, "/1.0/images");
	struct server_call call = { .method = "POST",
		                    .headers = (const char *const *)headers,
		                    .body_fd = fd,
		                    .body_fd_size = size,
		                    .progress = follow_is_shown(client) ? follow_transfer : NULL,
		                    .progress_arg = &progress };
	r = server_call(server, &call, path, &answer, err);
	if (call.progress)
		follow_show_line(NULL, NULL);
	if (r < 0)
		return r;
	*ret_op = jv_ref(jv_member(answer.envelope, "metadata"));
	server_answer_done(&answer);
	return 0;
}

static int fetch(const struct cli *cli, struct server *server, const struct import *im,
                 struct json_object **ret_op, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct json_object *source = jv_object(), *properties = jv_object();

	jv_set_string(source, "type", "url");
	jv_set_string(source, "mode", "pull");
	jv_set_string(source, "url", im->metadata);
	for (size_t i = 0; i < im->properties.n_pairs; i++)
		jv_set_string(properties, im->properties.pairs[i].key,
		              im->properties.pairs[i].value);
	jv_set_take(body, "source", source);
	jv_set_take(body, "properties", properties);
	jv_set_bool(body, "public", cli_flag(cli, "public"));
	return server_start(server, "POST", body, ret_op, err, "/1.0/images");
}

static int import_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL, *done = NULL;
	scoped(import_done) struct import im = { 0 };
	struct server *server;
	int r = import_words(cli, &im, err);

	if (r == 0)
		r = client_server_only(client, im.remote, &server, err);
	if (r == 0 && !cli_flag(cli, "reuse"))
		r = image_alias_check_free(server, cli, err);
	if (r < 0)
		return r;
	bool url = str_starts(im.metadata, "https://") || str_starts(im.metadata, "http://");
	r = url ? fetch(cli, server, &im, &op, err) : upload(client, cli, server, &im, &op, err);
	if (r == 0)
		r = follow_operation(client, server, op,
		                     &(struct follow){ .label = "Importing image" }, &done, err);
	if (r < 0)
		return r;
	const char *fingerprint = str_or_empty(jv_text(jv_member(done, "metadata"), "fingerprint"));
	r = image_alias_assign(server, cli, fingerprint, err);
	if (r == 0)
		client_say(client, "Image imported with fingerprint: %s", fingerprint);
	return r;
}

/* The aliases of the source on the copy. */
static int copy_aliases(struct server *to, struct json_object *image, const char *fingerprint,
                        struct error **err)
{
	struct json_object *list = jv_member(image, "aliases");
	int r = 0;

	for (size_t i = 0; r == 0 && i < jv_len(list); i++) {
		scoped(jv_unrefp) struct json_object *body = jv_object();

		jv_set_string(body, "name", jv_text(jv_item(list, i), "name"));
		jv_set_string(body, "description", jv_text(jv_item(list, i), "description"));
		jv_set_string(body, "target", fingerprint);
		r = server_send(to, "POST", body, err, "/1.0/images/aliases");
	}
	return r;
}

/* The other server fetches it. */
static int copy_pull(struct client *client, struct server *from, struct server *to,
                     struct json_object *body, const char *fingerprint, struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	struct json_object *source = jv_member(body, "source");

	jv_set_string(source, "project", server_project(from));
	int r = image_source_add_server(from, source, fingerprint, err);
	if (r == 0)
		r = server_start(to, "POST", body, &op, err, "/1.0/images");
	if (r == 0)
		r = follow_operation(client, to, op,
		                     &(struct follow){ .label = "Copying the image" }, NULL, err);
	return r;
}

/* This one sends it, with a secret of the other. */
static int copy_push(struct client *client, struct server *from, struct server *to,
                     struct json_object *body, const char *fingerprint, struct error **err)
{
	scoped(jv_unrefp) struct json_object *token = NULL, *op = NULL, *target = jv_object();
	scoped(jv_unrefp) struct json_object *sending = jv_object();

	int r = image_source_add_server(to, target, NULL, err);
	if (r == 0)
		r = server_start(to, "POST", body, &token, err, "/1.0/images");
	if (r < 0)
		return r;
	jv_set_string(sending, "target", jv_text(target, "server"));
	jv_set_string(sending, "certificate", jv_text(target, "certificate"));
	jv_set_string(sending, "secret", jv_text(jv_member(token, "metadata"), "secret"));
	jv_set_string(sending, "project", server_project(to));
	r = server_start(from, "POST", sending, &op, err, "/1.0/images/%s/export", fingerprint);
	if (r == 0)
		r = follow_operation(client, from, op,
		                     &(struct follow){ .label = "Copying the image" }, NULL, err);
	return r;
}

static int copy_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped(jv_unrefp) struct json_object *image = NULL, *body = jv_object();
	struct json_object *source = jv_object();
	scoped_free char *fingerprint = NULL;
	const char *project = cli_option(cli, "target-project");
	const char *mode = cli_option(cli, "mode");
	bool is_push = str_equals(mode, "push");
	struct server *to;
	int r = client_server_only(client, cli_word(cli, 1), &to, err);

	jv_set_take(body, "source", source);
	if (r == 0 && !is_push && !str_equals(mode, "pull"))
		r = error_set(err, 400, "The transfer mode is \"pull\" or \"push\"");
	if (r == 0)
		r = image_open(client, cli, cli_word(cli, 0), &res, &fingerprint, err);
	if (r == 0)
		r = resource_get(&res, &image, NULL, err);
	if (r < 0)
		return r;
	jv_set_string(source, "type", "image");
	jv_set_string(source, "mode", mode);
	jv_set_string(source, "fingerprint", fingerprint);
	jv_set_string(source, "image_type", jv_text(image, "type"));
	jv_set_bool(body, "public", cli_flag(cli, "public"));
	jv_set_bool(body, "auto_update", cli_flag(cli, "auto-update"));
	if (project)
		server_set_project(to, project);
	r = (is_push ? copy_push : copy_pull)(client, res.server, to, body, fingerprint, err);
	if (r == 0 && cli_flag(cli, "copy-aliases"))
		r = copy_aliases(to, image, fingerprint, err);
	if (r == 0)
		r = image_alias_assign(to, cli, fingerprint, err);
	if (r == 0)
		client_say(client, "Image copied successfully!");
	return r;
}

/* clang-format off */
#define VM { "vm", 0, OPTION_FLAG, NULL, "Look for an image of virtual machines", WORD_NONE }
#define ALIAS { "alias", 0, OPTION_LIST, NULL, "Alias of the new image", WORD_NONE }
#define PUBLIC { "public", 0, OPTION_FLAG, NULL, "Let everybody fetch the image", WORD_NONE }

static const struct cli_option vm_options[] = { VM, { .name = NULL } };

static const struct cli_option list_options[] = {
	{ "all-projects", 0,   OPTION_FLAG, NULL, "Show the images of all projects", WORD_NONE },
	{ "columns",      'c', OPTION_TEXT, "lfpdatsu", "Which columns, in which order", WORD_NONE },
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};

static const struct cli_option import_options[] = {
	ALIAS,
	PUBLIC,
	{ "reuse", 0, OPTION_FLAG, NULL, "Take the aliases from images that have them", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option copy_options[] = {
	ALIAS,
	{ "auto-update",    0, OPTION_FLAG, NULL, "Keep the copy up to date", WORD_NONE },
	{ "copy-aliases",   0, OPTION_FLAG, NULL, "Copy the aliases too", WORD_NONE },
	{ "mode",           0, OPTION_TEXT, "pull", "Who connects between servers: pull or push", WORD_NONE },
	PUBLIC,
	{ "target-project", 0, OPTION_TEXT, NULL, "Project to put it in", WORD_PROJECT },
	VM,
	{ .name = NULL },
};
/* clang-format on */

#define IMAGE "[<remote>:]<image>"

const struct cli_command cmd_image_commands[] = {
	{ .path = "image", .usage = "", .summary = "Manage images" },
	{ .path = "image list",
	  .usage = "[<remote>:] [<filter>...]",
	  .max_words = CLI_ANY,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List images",
	  .details =
	          "A filter is key=value about a property, the beginning of a fingerprint or a part of\n"
	          "an alias.\n"
	          "\n"
	          "Columns:\n"
	          "  l shortest alias       L all aliases          f fingerprint (short)\n"
	          "  F fingerprint (long)   p public               d description\n"
	          "  a architecture         t type                 s size\n"
	          "  u upload date",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "image info",
	  .usage = IMAGE,
	  .min_words = 1,
	  .max_words = 1,
	  .run = info_run,
	  .options = vm_options,
	  .summary = "Show an image",
	  .kinds = { WORD_IMAGE } },
	{ .path = "image show",
	  .usage = IMAGE,
	  .min_words = 1,
	  .max_words = 1,
	  .run = show_run,
	  .options = vm_options,
	  .summary = "Show the properties of an image as YAML",
	  .kinds = { WORD_IMAGE } },
	{ .path = "image edit",
	  .usage = IMAGE,
	  .min_words = 1,
	  .max_words = 1,
	  .run = edit_run,
	  .summary = "Edit the properties of an image as YAML",
	  .kinds = { WORD_IMAGE } },
	{ .path = "image import",
	  .usage = "<tarball>|<URL> [<rootfs tarball>] [<remote>:] [key=value...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = import_run,
	  .options = import_options,
	  .summary = "Import an image",
	  .kinds = { WORD_FILE } },
	{ .path = "image export",
	  .usage = IMAGE " [<target>]",
	  .min_words = 1,
	  .max_words = 2,
	  .run = export_run,
	  .options = vm_options,
	  .summary = "Export an image to files",
	  .kinds = { WORD_IMAGE, WORD_FILE } },
	{ .path = "image copy",
	  .usage = IMAGE " <remote>:",
	  .min_words = 2,
	  .max_words = 2,
	  .run = copy_run,
	  .options = copy_options,
	  .summary = "Copy an image to another server",
	  .aliases = "cp",
	  .kinds = { WORD_IMAGE, WORD_REMOTE } },
	{ .path = "image delete",
	  .usage = IMAGE " [" IMAGE "...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = delete_run,
	  .summary = "Delete images",
	  .aliases = "rm",
	  .kinds = { WORD_IMAGE } },
	{ .path = "image refresh",
	  .usage = IMAGE " [" IMAGE "...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = refresh_run,
	  .summary = "Look for newer versions of images",
	  .kinds = { WORD_IMAGE } },
	{ .path = "image get-property",
	  .usage = IMAGE " <key>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = property_run,
	  .summary = "Get a property of an image",
	  .kinds = { WORD_IMAGE, WORD_NONE } },
	{ .path = "image set-property",
	  .usage = IMAGE " <key> <value>",
	  .min_words = 3,
	  .max_words = 3,
	  .run = property_run,
	  .summary = "Set a property of an image",
	  .kinds = { WORD_IMAGE, WORD_NONE } },
	{ .path = "image unset-property",
	  .usage = IMAGE " <key>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = property_run,
	  .summary = "Remove a property of an image",
	  .kinds = { WORD_IMAGE, WORD_NONE } },
	{ .path = NULL },
};
