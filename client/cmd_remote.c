/* "muster remote": which servers there are, and trust in them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/dial.h"
#include "client/output.h"
#include "client/token.h"
#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"
#include "lib/net/x509.h"

static const char *protocol_of(struct json_object *remote)
{
	const char *p = jv_text(remote, "protocol");

	return str_is_empty(p) ? "lxd" : p;
}

static const char *auth_of(struct json_object *remote)
{
	const char *auth = jv_text(remote, "auth_type");

	if (!str_is_empty(auth))
		return auth;
	if (str_starts(jv_text(remote, "addr"), "unix:"))
		return "file access";
	return jv_flag(remote, "public") || !str_equals(protocol_of(remote), "lxd") ? "none"
	                                                                            : "tls";
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "NAME",   "URL",    "PROTOCOL", "AUTH TYPE",
		                               "PUBLIC", "STATIC", "GLOBAL",   NULL };
	scoped(table_freep) struct table *table = table_new(headers);

	JV_FOREACH (remotes_all(client->remotes), name, remote) {
		bool current = strcmp(name, remotes_default(client->remotes)) == 0;

		table_addf(table, "%s%s", name, current ? " (current)" : "");
		table_add(table, jv_text(remote, "addr"));
		table_add(table, protocol_of(remote));
		table_add(table, auth_of(remote));
		table_add(table, output_yes(jv_flag(remote, "public")));
		table_add(table, output_yes(strcmp(name, REMOTES_LOCAL) == 0));
		table_add(table, output_yes(false));
	}
	table_sort(table);
	return output_list(cli, table, remotes_all(client->remotes), err);
}

/* Shows the server's certificate and stores it once the user, or the token, vouches for it. */
static int pin_certificate(struct client *client, const struct cli *cli, const char *name,
                           const char *address, const char *fingerprint, struct error **err)
{
	struct dial_tls tls = { .address = address, .accept_any = true };
	scoped(stream_freep) struct stream *stream = NULL;
	scoped(x509_freep) struct x509 *cert = NULL;
	scoped_free char *path = remotes_certificate_path(client->remotes, name),
			 *dir = path_dir(path);
	size_t size = 0;
	int r = dial_tls(&tls, &stream, err);

	if (r < 0)
		return r;
	const void *der = stream_peer_der(stream, &size);
	if (!der)
		return error_set(err, 502, "The server at %s shows no certificate", address);
	r = x509_parse_der(der, size, &cert, err);
	if (r < 0)
		return r;
	if (fingerprint && !str_equals(fingerprint, cert->fingerprint))
		return error_set(err, 403, "The certificate of %s is not the one of the token",
		                 address);
	if (!fingerprint && !cli_flag(cli, "accept-certificate")) {
		char line[128];

		printf("Certificate fingerprint: %s\nok (y/n/[fingerprint])? ", cert->fingerprint);
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return error_set(err, 400, "No answer: the input has ended");
		line[strcspn(line, "\n")] = '\0';
		if (!str_equals_nocase(line, "y") && !str_equals_nocase(line, "yes") &&
		    !str_equals(line, cert->fingerprint))
			return error_set(err, 400, "Server certificate NACKed by user");
	}
	scoped_free char *pem = x509_to_pem(cert->der, cert->der_size);
	r = file_make_dirs(dir, 0750);
	if (r == 0)
		r = file_replace(path, pem, strlen(pem), 0644);
	return r < 0 ? error_set_errno(err, r, "Failed writing \"%s\"", path) : 0;
}

/* Makes the server trust us: by token, by password, or it does already. */
static int gain_trust(struct client *client, const struct cli *cli, struct server *server,
                      const char *token, struct error **err)
{
	scoped(jv_unrefp) struct json_object *info = NULL, *body = jv_object();
	const char *password = cli_option(cli, "password");
	char host[256] = "muster", typed[256];
	int r = server_get(server, &info, err, "/1.0");

	if (r < 0 || str_equals(jv_text(info, "auth"), "trusted") || cli_flag(cli, "public"))
		return r;
	if (!token && !password) {
		if (isatty(STDIN_FILENO) != 1)
			return error_set(err, 403,
			                 "The server does not trust this client: use a token");
		char *input = getpass("Trust token (or password) for the server: ");
		if (!input || !*input || !str_copy(typed, sizeof(typed), input))
			return error_set(err, 403, "The server does not trust this client");
		password = typed;
	}
	gethostname(host, sizeof(host) - 1);
	jv_set_string(body, "type", "client");
	jv_set_string(body, "name", host);
	/* Servers before 5.21 take a token as the password. */
	jv_set_string(body, "password", token ? token : password);
	jv_set_string(body, "trust_token", token ? token : password);
	r = server_send(server, "POST", body, err, "/1.0/certificates");
	return r < 0 ? error_wrap(err, "Failed to gain the server's trust") : 0;
}

struct wish {
	const char *name, *address, *token, *fingerprint;
};

/* Tries one address; leaves nothing behind if it does not work. */
static int add_address(struct client *client, const struct cli *cli, const struct wish *wish,
                       struct error **err)
{
	struct json_object *remote = jv_object();
	const char *project = cli_option(cli, "project");
	struct server *server;
	int r;

	jv_set_stringf(remote, "addr", "https://%s", wish->address);
	jv_set_string(remote, "auth_type", cli_flag(cli, "public") ? "none" : "tls");
	if (project)
		jv_set_string(remote, "project", project);
	jv_set_string(remote, "protocol", "lxd");
	jv_set_bool(remote, "public", cli_flag(cli, "public"));
	remotes_set_take(client->remotes, wish->name, remote);
	r = pin_certificate(client, cli, wish->name, wish->address, wish->fingerprint, err);
	if (r == 0)
		r = client_remote(client, wish->name, &server, err);
	if (r == 0)
		r = gain_trust(client, cli, server, wish->token, err);
	if (r < 0) {
		scoped_free char *path = remotes_certificate_path(client->remotes, wish->name);

		unlink(path);
		remotes_remove(client->remotes, wish->name);
		client_forget(client, wish->name);
	}
	return r;
}

static int add_by_token(struct client *client, const struct cli *cli, struct wish *wish,
                        struct json_object *token, struct error **err)
{
	struct json_object *list = jv_member(token, "addresses");
	scoped(error_freep) struct error *last = NULL;

	wish->fingerprint = jv_text(token, "fingerprint");
	for (size_t i = 0; i < jv_len(list); i++) {
		wish->address = str_or_empty(jv_string(jv_item(list, i)));
		error_free(last);
		last = NULL;
		if (add_address(client, cli, wish, &last) == 0)
			return 0;
		/* Refused by the server: other addresses lead to the same one. */
		if (last->status == 403 || last->status == 401)
			break;
	}
	*err = TAKE_PTR(last);
	return *err ? (*err)->code : error_set(err, 400, "The token names no address");
}

static int add_image_server(struct client *client, const struct cli *cli, const char *name,
                            const char *url)
{
	struct json_object *remote = jv_object();

	jv_set_string(remote, "addr", url);
	jv_set_string(remote, "protocol", cli_option(cli, "protocol"));
	jv_set_bool(remote, "public", true);
	remotes_set_take(client->remotes, name, remote);
	return 0;
}

/* "https://host:port/" is "host:port"; a bare host is on the usual port. */
static int add_by_address(struct client *client, const struct cli *cli, struct wish *wish,
                          const char *text, struct error **err)
{
	const char *rest = str_after(text, "https://");
	scoped_free char *host =
		xasprintf("%.*s", (int)strcspn(rest ? rest : text, "/"), rest ? rest : text);
	bool port = strrchr(host, ':') && strrchr(host, ':') > strchr(host, ']');
	scoped_free char *address =
		port && (host[0] == '[' || strchr(host, ':') == strrchr(host, ':'))
			? xstrdup(host)
			: xasprintf("%s:%s", host, rest ? "443" : "8443");

	wish->address = address;
	return add_address(client, cli, wish, err);
}

static int add_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *token = NULL;
	scoped(error_freep) struct error *no_token = NULL;
	const char *text = cli_word(cli, cli->n_words - 1);
	const char *protocol = cli_option(cli, "protocol");
	struct wish wish = { .name = cli->n_words > 1 ? cli_word(cli, 0) : NULL };
	int r;

	if (wish.name && (strpbrk(wish.name, ":/ ") || !*wish.name))
		return error_set(err, 400,
		                 "Remote names may not contain colons, slashes and spaces");
	if (!wish.name)
		wish.name = str_after(text, "https://") ? str_after(text, "https://") : text;
	if (remotes_get(client->remotes, wish.name))
		return error_set(err, 409, "Remote %s exists already", wish.name);
	if (protocol && !str_equals(protocol, "lxd")) {
		add_image_server(client, cli, wish.name, text);
		return remotes_save(client->remotes, err);
	}
	r = client_ensure_certificate(client, err);
	if (r < 0)
		return r;
	if (token_decode(text, &token, &no_token) == 0) {
		if (cli->n_words < 2)
			return error_set(err, 400, "Name the remote in front of the token");
		wish.token = text;
		r = add_by_token(client, cli, &wish, token, err);
	} else {
		wish.token = cli_option(cli, "token");
		r = add_by_address(client, cli, &wish, text, err);
	}
	return r < 0 ? r : remotes_save(client->remotes, err);
}

/* A remote that may be changed. */
static int find_remote(struct client *client, const char *word, bool may_be_static,
                       struct json_object **ret_remote, char **ret_name, struct error **err)
{
	scoped_free char *name = xasprintf("%.*s", (int)strcspn(word, ":"), word);

	*ret_remote = remotes_get(client->remotes, name);
	if (!*ret_remote)
		return error_set(err, 404, "Remote %s does not exist", name);
	if (!may_be_static && strcmp(name, REMOTES_LOCAL) == 0)
		return error_set(err, 400, "Remote %s is static and cannot be modified", name);
	*ret_name = TAKE_PTR(name);
	return 0;
}

static int remove_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *remote;
	scoped_free char *name = NULL;
	int r = find_remote(client, cli_word(cli, 0), false, &remote, &name, err);

	if (r < 0)
		return r;
	if (strcmp(name, remotes_default(client->remotes)) == 0)
		return error_set(err, 400, "Cannot remove the default remote");
	scoped_free char *path = remotes_certificate_path(client->remotes, name);
	unlink(path);
	remotes_remove(client->remotes, name);
	return remotes_save(client->remotes, err);
}

static int rename_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *remote;
	const char *to = cli_word(cli, 1);
	scoped_free char *name = NULL;
	int r = find_remote(client, cli_word(cli, 0), false, &remote, &name, err);

	if (r < 0)
		return r;
	if (strpbrk(to, ":/ ") || !*to)
		return error_set(err, 400,
		                 "Remote names may not contain colons, slashes and spaces");
	if (remotes_get(client->remotes, to))
		return error_set(err, 409, "Remote %s already exists", to);
	scoped_free char *from_path = remotes_certificate_path(client->remotes, name);
	scoped_free char *to_path = remotes_certificate_path(client->remotes, to);
	if (rename(from_path, to_path) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed renaming \"%s\"", from_path);
	if (strcmp(name, remotes_default(client->remotes)) == 0)
		remotes_set_default(client->remotes, to);
	remotes_set_take(client->remotes, to, jv_copy(remote));
	remotes_remove(client->remotes, name);
	return remotes_save(client->remotes, err);
}

static int set_url_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *remote;
	scoped_free char *name = NULL;
	int r = find_remote(client, cli_word(cli, 0), false, &remote, &name, err);

	if (r < 0)
		return r;
	jv_set_string(remote, "addr", cli_word(cli, 1));
	return remotes_save(client->remotes, err);
}

static int switch_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *remote;
	scoped_free char *name = NULL;
	int r = find_remote(client, cli_word(cli, 0), true, &remote, &name, err);

	if (r < 0)
		return r;
	remotes_set_default(client->remotes, name);
	return remotes_save(client->remotes, err);
}

static int get_default_run(struct client *client, const struct cli *cli, struct error **err)
{
	(void)cli;
	(void)err;
	printf("%s\n", remotes_default(client->remotes));
	return 0;
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option add_options[] = {
	{ "accept-certificate", 0, OPTION_FLAG, NULL, "Trust the certificate that the server shows", WORD_NONE },
	{ "auth-type",          0, OPTION_TEXT, NULL, "How the server knows this client: tls", WORD_NONE },
	{ "password",           0, OPTION_TEXT, NULL, "Trust password of the server", WORD_NONE },
	{ "protocol",           0, OPTION_TEXT, NULL, "Protocol of the server: lxd or simplestreams", WORD_NONE },
	{ "public",             0, OPTION_FLAG, NULL, "A server that only offers public images", WORD_NONE },
	{ "token",              0, OPTION_TEXT, NULL, "Trust token of the server", WORD_NONE },
	{ .name = NULL },
};

#define ROW(word, words_text, min, max, fn, text, ...) \
	{ .path = "remote " word, .usage = words_text, .min_words = min, .max_words = max, .run = fn, \
	  .summary = text, .kinds = { WORD_REMOTE, WORD_NONE }, __VA_ARGS__ }

const struct cli_command cmd_remote_commands[] = {
	{ .path = "remote", .usage = "", .summary = "Manage the list of servers" },
	{ .path = "remote list", .usage = "", .run = list_run, .options = list_options,
	  .summary = "List the servers", .aliases = "ls" },
	{ .path = "remote add", .usage = "[<remote>] <IP|FQDN|URL|token>", .min_words = 1, .max_words = 2,
	  .run = add_run, .options = add_options, .summary = "Add a server",
	  .details = "With a token that the server's \"config trust add\" has made, the server is known and\n"
	             "trusts this client from then on:\n"
	             "  muster remote add other eyJjbGllbnRfbmFtZSI6..." },
	ROW("remove", "<remote>", 1, 1, remove_run, "Forget a server", .aliases = "rm"),
	ROW("rename", "<remote> <new-name>", 2, 2, rename_run, "Rename a server", .aliases = "mv"),
	ROW("set-url", "<remote> <URL>", 2, 2, set_url_run, "Change the address of a server"),
	ROW("switch", "<remote>", 1, 1, switch_run, "Make a server the default one", .aliases = "set-default"),
	{ .path = "remote get-default", .usage = "", .run = get_default_run, .summary = "Show the default server" },
	{ .path = NULL },
};
/* clang-format on */
