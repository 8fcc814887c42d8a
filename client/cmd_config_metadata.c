/* "muster config metadata" and "template": what an instance has from its image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/edit.h"
#include "client/output.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

#define TEMPLATE_MAX (4U << 20)

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0)
		r = server_get(server, &o, err, "/1.0/instances/%s/metadata", name);
	if (r == 0)
		output_yaml(o, stdout);
	return r;
}

struct target {
	struct server *server;
	const char *instance;
	char *etag;
};

static int apply(void *arg, struct json_object *document, struct error **err)
{
	const struct target *t = arg;

	return server_send_etag(t->server, "PUT", document, t->etag, err,
	                        "/1.0/instances/%s/metadata", t->instance);
}

static int edit_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped_free char *etag = NULL;
	struct target t = { 0 };
	int r = client_named(client, cli_word(cli, 0), "instance", &t.server, &t.instance, err);

	if (r == 0)
		r = server_get_etag(t.server, &o, &etag, err, "/1.0/instances/%s/metadata",
		                    t.instance);
	if (r < 0)
		return r;
	t.etag = isatty(STDIN_FILENO) == 1 ? etag : NULL;
	return edit_document(o, "This is a YAML representation of the instance's image metadata.",
	                     apply, &t, err);
}

static int template_list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "FILENAME", NULL };
	scoped(table_freep) struct table *table = table_new(headers);
	scoped(jv_unrefp) struct json_object *o = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0)
		r = server_get(server, &o, err, "/1.0/instances/%s/metadata/templates", name);
	if (r < 0)
		return r;
	for (size_t i = 0; i < jv_len(o); i++)
		table_add(table, jv_string(jv_item(o, i)));
	table_sort(table);
	return output_list(cli, table, o, err);
}

/* The text of a template, owned by the caller. */
static int get_template(struct server *server, const char *instance, const char *name,
                        char **ret_text, struct error **err)
{
	struct server_answer answer;
	scoped_free char *path =
		server_path(server, "/1.0/instances/%s/metadata/templates?path=%s", instance, name);
	int r = server_call(server, &(struct server_call){ 0 }, path, &answer, err);

	if (r < 0)
		return r;
	*ret_text = TAKE_PTR(answer.http.body);
	server_answer_done(&answer);
	return 0;
}

static int put_template(struct server *server, const char *instance, const char *name,
                        const char *text, size_t size, struct error **err)
{
	static const char *const headers[] = { "Content-Type: application/octet-stream", NULL };
	scoped_free char *path =
		server_path(server, "/1.0/instances/%s/metadata/templates?path=%s", instance, name);
	struct server_answer answer;
	scoped_fd int fd = fd_memfd("template");
	int r = fd < 0 ? fd : fd_write_full(fd, text, size);

	if (r < 0)
		return error_set_errno(err, r, "Failed keeping the template");
	lseek(fd, 0, SEEK_SET);
	struct server_call call = {
		.method = "POST", .headers = headers, .body_fd = fd, .body_fd_size = size
	};
	r = server_call(server, &call, path, &answer, err);
	if (r == 0)
		server_answer_done(&answer);
	return r;
}

static int template_show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped_free char *text = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0)
		r = get_template(server, name, cli_word(cli, 1), &text, err);
	if (r == 0)
		printf("%s", text);
	return r;
}

static int template_edit_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped_free char *text = NULL, *edited = NULL;
	const char *name, *file = cli_word(cli, 1);
	struct server *server;
	size_t size;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0)
		r = get_template(server, name, file, &text, err);
	if (r < 0)
		return r;
	if (isatty(STDIN_FILENO) != 1) {
		r = fd_read_all(STDIN_FILENO, TEMPLATE_MAX, &edited, &size);
		if (r < 0)
			return error_set_errno(err, r, "Failed reading the input");
	} else {
		r = edit_text(text, ".tpl", &edited, &size, err);
		if (r < 0 || strcmp(text, edited) == 0)
			return r;
	}
	return put_template(server, name, file, edited, size, err);
}

static int template_create_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped_free char *text = NULL;
	struct server *server;
	const char *name;
	size_t size = 0;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0 && isatty(STDIN_FILENO) != 1) {
		r = fd_read_all(STDIN_FILENO, TEMPLATE_MAX, &text, &size);
		if (r < 0)
			error_set_errno(err, r, "Failed reading the input");
	}
	return r < 0 ? r
	             : put_template(server, name, cli_word(cli, 1), str_or_empty(text), size, err);
}

static int template_delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	return r < 0 ? r
	             : server_send(server, "DELETE", NULL, err,
	                           "/1.0/instances/%s/metadata/templates?path=%s", name,
	                           cli_word(cli, 1));
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

#define ROW(words, words_text, n, fn, opts, text) \
	{ .path = "config " words, .usage = "[<remote>:]<instance>" words_text, .min_words = n, \
	  .max_words = n, .run = fn, .options = opts, .summary = text, .kinds = { WORD_INSTANCE, WORD_NONE } }

const struct cli_command cmd_config_metadata_commands[] = {
	{ .path = "config metadata", .usage = "", .summary = "Manage the image metadata of instances" },
	ROW("metadata show", "", 1, show_run, NULL, "Show the image metadata of an instance"),
	ROW("metadata edit", "", 1, edit_run, NULL, "Edit the image metadata of an instance"),
	{ .path = "config template", .usage = "", .summary = "Manage the file templates of instances" },
	ROW("template list", "", 1, template_list_run, list_options, "List the file templates"),
	ROW("template show", " <template>", 2, template_show_run, NULL, "Show a file template"),
	ROW("template edit", " <template>", 2, template_edit_run, NULL, "Edit a file template"),
	ROW("template create", " <template>", 2, template_create_run, NULL, "Create a file template"),
	ROW("template delete", " <template>", 2, template_delete_run, NULL, "Delete a file template"),
	{ .path = NULL },
};
/* clang-format on */
