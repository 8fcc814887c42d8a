/* "muster query": one raw request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

static void indent(struct strbuf *b, unsigned depth)
{
	strbuf_add_char(b, '\n');
	while (depth--)
		strbuf_add_char(b, '\t');
}

static void print_indented(struct json_object *o, unsigned depth, struct strbuf *b);

static void print_object(struct json_object *o, unsigned depth, struct strbuf *b)
{
	scoped(strv_freep) char **keys = NULL;
	bool first = true;

	JV_FOREACH (o, key, unused) {
		(void)unused;
		strv_add(&keys, key);
	}
	strv_sort(keys);
	strbuf_add_char(b, '{');
	STRV_FOREACH (key, keys) {
		if (!first)
			strbuf_add_char(b, ',');
		first = false;
		indent(b, depth + 1);
		jv_print_string(key, strlen(key), b);
		strbuf_add(b, ": ");
		print_indented(jv_member(o, key), depth + 1, b);
	}
	if (keys)
		indent(b, depth);
	strbuf_add_char(b, '}');
}

/* With tabs and sorted keys, as lxc prints it, since scripts may compare the text. */
static void print_indented(struct json_object *o, unsigned depth, struct strbuf *b)
{
	size_t n = json_object_is_type(o, json_type_array) ? jv_len(o) : 0;

	if (json_object_is_type(o, json_type_object)) {
		print_object(o, depth, b);
		return;
	}
	if (!json_object_is_type(o, json_type_array)) {
		jv_print(o, b);
		return;
	}
	strbuf_add_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_add_char(b, ',');
		indent(b, depth + 1);
		print_indented(jv_item(o, i), depth + 1, b);
	}
	if (n)
		indent(b, depth);
	strbuf_add_char(b, ']');
}

static void print_value(struct json_object *o)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	if (json_object_is_type(o, json_type_string)) {
		printf("%s\n", jv_string(o));
		return;
	}
	print_indented(o, 0, &b);
	printf("%s\n", strbuf_text(&b));
}

static int read_body(const char *data, struct json_object **ret_body, struct error **err)
{
	if (!data)
		return 0;
	int r = jv_parse(data, strlen(data), ret_body, err);
	return r < 0 ? error_wrap(err, "Failed reading the data") : 0;
}

static int query_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL, *op = NULL;
	struct server_answer answer = { 0 };
	struct server *server;
	const char *path;
	int r = client_server(client, cli_word(cli, 0), &server, &path, err);

	if (r < 0)
		return r;
	if (*path != '/')
		return error_set(err, 400, "The path of a query must begin with a slash");
	if (client->project)
		return error_set(err, 400, "--project cannot be used with the query command");
	r = read_body(cli_option(cli, "data"), &body, err);
	if (r < 0)
		return r;
	struct server_call call = { .method = cli_option(cli, "request"),
		                    .body = body,
		                    .raw = cli_flag(cli, "raw") };
	r = server_call(server, &call, path, &answer, err);
	if (r < 0)
		return r;
	struct json_object *meta = jv_member(answer.envelope, "metadata");
	if (!call.raw && cli_flag(cli, "wait") &&
	    str_equals(jv_text(answer.envelope, "type"), "async")) {
		r = server_wait(server, str_or_empty(jv_text(meta, "id")), &op, err);
		meta = op;
	}
	if (r == 0) {
		if (!answer.envelope)
			fwrite(answer.http.body, 1, answer.http.size, stdout);
		else if (call.raw)
			print_value(answer.envelope);
		else if (json_object_is_type(meta, json_type_object) ||
		         json_object_is_type(meta, json_type_array) ||
		         (meta && *str_or_empty(jv_string(meta))))
			print_value(meta);
	}
	server_answer_done(&answer);
	return r;
}

/* clang-format off */
static const struct cli_option query_options[] = {
	{ "data",    'd', OPTION_TEXT, NULL, "JSON to send", WORD_NONE },
	{ "raw",     0,   OPTION_FLAG, NULL, "Print the whole answer, errors too", WORD_NONE },
	{ "request", 'X', OPTION_TEXT, "GET", "Method of the request", WORD_NONE },
	{ "wait",    0,   OPTION_FLAG, NULL, "Wait for the operation to finish", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_query_commands[] = {
	{ .path = "query",
	  .usage = "[<remote>:]<API path>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = query_run,
	  .options = query_options,
	  .summary = "Send a raw query to the server",
	  .details = "Example:\n  muster query -X DELETE --wait /1.0/instances/c1" },
	{ .path = NULL },
};
