/* "muster config trust": the clients that a server trusts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/dial.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/token.h"
#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/x509.h"

static char *date_of(time_t when)
{
	char text[DATE_SIZE];

	date_format((int64_t)when * DATE_SECOND, text);
	return output_long_date(text);
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "TYPE",        "NAME",       "COMMON NAME",
		                               "FINGERPRINT", "ISSUE DATE", "EXPIRY DATE",
		                               NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/certificates?recursion=1");
	if (r < 0)
		return r;
	dial_init_tls();
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		scoped(x509_freep) struct x509 *cert = NULL;
		scoped(error_freep) struct error *unread = NULL;
		struct json_object *c = jv_item(all, i);
		const char *pem = str_or_empty(jv_text(c, "certificate"));

		x509_parse_pem(pem, strlen(pem), &cert, &unread);
		table_add(table, jv_text(c, "type"));
		table_add(table, jv_text(c, "name"));
		table_add(table, cert ? cert->common_name : "");
		table_addf(table, "%.12s", str_or_empty(jv_text(c, "fingerprint")));
		table_add_take(table, cert ? date_of(cert->not_before) : xstrdup(""));
		table_add_take(table, cert ? date_of(cert->not_after) : xstrdup(""));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

/* What --restricted, --projects and --type say. */
static void add_options(const struct cli *cli, struct json_object *body)
{
	const char *projects = cli_option(cli, "projects");
	scoped(strv_freep) char **list = projects ? strv_split_trimmed(projects, ',') : NULL;

	jv_set_string(body, "type", cli_option(cli, "type"));
	jv_set_bool(body, "restricted", cli_flag(cli, "restricted"));
	if (list)
		jv_set_strv(body, "projects", list);
}

static int add_token(struct client *client, struct server *server, struct json_object *body,
                     struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	const char *name = jv_text(body, "name");
	int r;

	if (str_is_empty(name))
		return error_set(err, 400, "Say with --name what the client shall be called");
	jv_set_bool(body, "token", true);
	r = server_start(server, "POST", body, &op, err, "/1.0/certificates");
	if (r < 0)
		return r;
	scoped_free char *token = token_encode(op, false);
	if (!token)
		return error_set(err, 502, "The server has made no token");
	client_say(client, "Client %s certificate add token:", name);
	printf("%s\n", token);
	return 0;
}

static int add_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(x509_freep) struct x509 *cert = NULL;
	const char *first = cli_word(cli, 0), *name = cli_option(cli, "name");
	bool remote = first && str_ends(first, ":");
	const char *path = cli_word(cli, remote ? 1 : 0);
	struct server *server;
	int r = client_server_only(client, remote ? first : NULL, &server, err);

	if (r == 0 && cli->n_words > 1 && !remote)
		r = error_set(err, 400, "Only one certificate can be added at a time");
	if (r < 0)
		return r;
	add_options(cli, body);
	jv_set_string(body, "name", name);
	if (!path)
		return add_token(client, server, body, err);
	if (strcmp(path, "-") == 0)
		path = "/dev/stdin";
	dial_init_tls();
	r = x509_load(path, &cert, err);
	if (r < 0)
		return error_wrap(err, "Failed reading \"%s\"", path);
	scoped_free char *der = base64_encode(cert->der, cert->der_size);
	jv_set_string(body, "certificate", der);
	if (!name)
		jv_set_string(body, "name", path_base(path));
	return server_send(server, "POST", body, err, "/1.0/certificates");
}

static int list_tokens_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = token_list(server, false, &all, err);
	return r < 0 ? r : token_print_list(cli, all, false, err);
}

static int revoke_token_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL;
	bool remote = cli->n_words > 1, found = false;
	const char *name = cli_word(cli, remote ? 1 : 0);
	struct server *server;
	int r = remote ? client_server_only(client, cli_word(cli, 0), &server, err)
	               : client_server(client, name, &server, &name, err);

	if (r == 0)
		r = token_list(server, false, &all, err);
	for (size_t i = 0; r == 0 && i < jv_len(all); i++) {
		if (!str_equals(token_name(jv_item(all, i), false), name))
			continue;
		found = true;
		r = server_send(server, "DELETE", NULL, err, "/1.0/operations/%s",
		                str_or_empty(jv_text(jv_item(all, i), "id")));
	}
	if (r == 0 && !found)
		r = error_set(err, 404, "No certificate add token for %s", name);
	if (r == 0)
		client_say(client, "Certificate add token for %s deleted", name);
	return r;
}

static int remove_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	const char *fingerprint;
	bool remote = cli->n_words > 1;
	int r = client_named(client, cli_word(cli, 0), "certificate", &server, &fingerprint, err);

	/* "remote: fingerprint" was the form of older clients. */
	if (remote) {
		error_free(*err);
		*err = NULL;
		r = client_server_only(client, cli_word(cli, 0), &server, err);
		fingerprint = cli_word(cli, 1);
	}
	return r < 0 ? r
	             : server_send(server, "DELETE", NULL, err, "/1.0/certificates/%s",
	                           fingerprint);
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option trust_add_options[] = {
	{ "name",       0, OPTION_TEXT, NULL, "Name of the client", WORD_NONE },
	{ "projects",   0, OPTION_TEXT, NULL, "Projects that the client is restricted to", WORD_PROJECT },
	{ "restricted", 0, OPTION_FLAG, NULL, "Restrict the client to projects", WORD_NONE },
	{ "type",       0, OPTION_TEXT, "client", "Type of the certificate: client or metrics", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

#define WORDS "config trust"

const struct cli_command cmd_config_trust_commands[] = {
	{ .path = WORDS, .usage = "", .summary = "Manage trusted clients" },
	{ .path = WORDS " list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List trusted clients",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = WORDS " add",
	  .usage = "[<remote>:] [<cert>]",
	  .max_words = 2,
	  .run = add_run,
	  .options = trust_add_options,
	  .summary = "Trust a client by its certificate, or make a token for one",
	  .details =
	          "Without a certificate a token is printed, which \"muster remote add\" takes once.",
	  .kinds = { WORD_FILE } },
	{ .path = WORDS " list-tokens",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_tokens_run,
	  .options = list_options,
	  .summary = "List tokens for clients",
	  .kinds = { WORD_REMOTE } },
	{ .path = WORDS " revoke-token",
	  .usage = "[<remote>:] <name>",
	  .min_words = 1,
	  .max_words = 2,
	  .run = revoke_token_run,
	  .summary = "Revoke a token for a client" },
	{ .path = WORDS " remove",
	  .usage = "[<remote>:]<fingerprint>",
	  .min_words = 1,
	  .max_words = 2,
	  .run = remove_run,
	  .summary = "Trust a client no longer",
	  .aliases = "rm",
	  .kinds = { WORD_CERTIFICATE } },
	OBJECT_COMMAND_SHOW(WORDS, "fingerprint", WORD_CERTIFICATE, NULL),
	OBJECT_COMMAND_EDIT(WORDS, "fingerprint", WORD_CERTIFICATE, NULL),
	{ .path = NULL },
};
