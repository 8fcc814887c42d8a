/* "muster cluster": members, roles and tokens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/dial.h"
#include "client/follow.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/token.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/x509.h"

#define PEM_MAX 65536

static char *lines_of(struct json_object *list)
{
	scoped(strv_freep) char **items = NULL;

	for (size_t i = 0; i < jv_len(list); i++)
		strv_add(&items, str_or_empty(jv_string(jv_item(list, i))));
	return strv_join(items, "\n");
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = {
		"NAME",  "URL",     "ROLES", "ARCHITECTURE", "FAILURE DOMAIN", "DESCRIPTION",
		"STATE", "MESSAGE", NULL
	};
	scoped(jv_unrefp) struct json_object *all = NULL;
	scoped(error_freep) struct error *failed = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r < 0)
		return r;
	r = server_get(server, &all, &failed, "/1.0/cluster/members?recursion=1");
	if (r < 0) {
		/* The usual cause has a better sentence than the server's. */
		scoped(error_freep) struct error *unreachable = NULL;
		struct json_object *info;

		if (server_info(server, &info, &unreachable) == 0 && !server_is_clustered(server))
			return error_set(err, 400, "The server is not part of a cluster");
		*err = TAKE_PTR(failed);
		return r;
	}
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *m = jv_item(all, i);

		table_add(table, jv_text(m, "server_name"));
		table_add(table, jv_text(m, "url"));
		table_add_take(table, lines_of(jv_member(m, "roles")));
		table_add(table, jv_text(m, "architecture"));
		table_add(table, jv_text(m, "failure_domain"));
		table_add(table, jv_text(m, "description"));
		table_add_take(table, output_upper(jv_text(m, "status")));
		table_add(table, jv_text(m, "message"));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

static int info_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *state = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "cluster member", &server, &name, err);

	if (r == 0)
		r = server_get(server, &state, err, "/1.0/cluster/members/%s/state", name);
	if (r == 0)
		output_yaml(state, stdout);
	return r;
}

static int add_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object(), *op = NULL;
	const char *name, *option = cli_option(cli, "name");
	struct server *server;
	int r = client_server(client, cli_word(cli, 0), &server, &name, err);

	if (r < 0)
		return r;
	if (*name && option)
		return error_set(err, 400, "The name is given twice");
	if (!*name && !option)
		return error_set(err, 400, "Missing cluster member name");
	name = *name ? name : option;
	jv_set_string(body, "server_name", name);
	r = server_start(server, "POST", body, &op, err, "/1.0/cluster/members");
	if (r < 0)
		return r;
	scoped_free char *token = token_encode(op, true);
	if (!token)
		return error_set(err, 502, "The server has made no token");
	client_say(client, "Member %s join token:", name);
	printf("%s\n", token);
	return 0;
}

static int list_tokens_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = token_list(server, true, &all, err);
	return r < 0 ? r : token_print_list(cli, all, true, err);
}

static int revoke_token_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	const char *name;
	bool found = false;
	int r = client_named(client, cli_word(cli, 0), "cluster member", &server, &name, err);

	if (r == 0)
		r = token_list(server, true, &all, err);
	for (size_t i = 0; r == 0 && i < jv_len(all); i++) {
		if (!str_equals(token_name(jv_item(all, i), true), name))
			continue;
		found = true;
		r = server_send(server, "DELETE", NULL, err, "/1.0/operations/%s",
		                str_or_empty(jv_text(jv_item(all, i), "id")));
	}
	if (r == 0 && !found)
		r = error_set(err, 404, "No token for the member %s", name);
	if (r == 0)
		client_say(client, "Cluster join token for %s:%s deleted", server_name(server),
		           name);
	return r;
}

static int remove_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct server *server;
	const char *name;
	bool force = cli_flag(cli, "force"), yes = true;
	int r = client_named(client, cli_word(cli, 0), "cluster member", &server, &name, err);

	if (r == 0 && force && !cli_flag(cli, "yes")) {
		fputs("Removing a member by force leaves what it has in the database behind, and the member\n"
		      "itself believes to be part of the cluster. Use it only for members that are lost.\n\n",
		      stdout);
		r = client_confirm("Are you sure you want to force removing it?", &yes, err);
	}
	if (r < 0 || !yes)
		return r;
	r = follow_change(client, server, &(struct follow_request){ .method = "DELETE" }, err,
	                  force ? "/1.0/cluster/members/%s?force=1" : "/1.0/cluster/members/%s",
	                  name);
	if (r == 0)
		client_say(client, "Member %s removed", name);
	return r;
}

static int role_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const writable[] = { "config", "description", "failure_domain",
		                                "groups", "roles",       NULL };
	bool adds = str_ends(cli->command->path, " add");
	scoped(strv_freep) char **roles = NULL,
				**change = strv_split_trimmed(cli_word(cli, 1), ',');
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(resource_done) struct resource res = { .client = client, .writable = writable };
	scoped_free char *etag = NULL;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "cluster member", &res.server, &name, err);

	if (r < 0)
		return r;
	res.path = server_path(res.server, "/1.0/cluster/members/%s", name);
	r = resource_get(&res, &o, &etag, err);
	if (r == 0)
		r = jv_get_strv(o, "roles", &roles, err);
	if (r < 0)
		return r;
	STRV_FOREACH (role, change) {
		if (adds && strv_contains(roles, role))
			return error_set(err, 409, "Member %s has the role %s already", name, role);
		if (!adds && !strv_contains(roles, role))
			return error_set(err, 404, "Member %s does not have the role %s", name,
			                 role);
		if (adds)
			strv_add(&roles, role);
		else
			strv_remove(roles, role);
	}
	jv_set_strv(o, "roles", roles);
	return resource_put(&res, o, etag, err);
}

static int enable_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	bool remote = cli->n_words > 1;
	const char *name = cli_word(cli, remote ? 1 : 0);
	struct server *server;
	int r = client_server_only(client, remote ? cli_word(cli, 0) : NULL, &server, err);

	jv_set_string(body, "server_name", name);
	jv_set_bool(body, "enabled", true);
	if (r == 0)
		r = follow_change(client, server,
		                  &(struct follow_request){ .method = "PUT", .body = body }, err,
		                  "/1.0/cluster");
	if (r == 0)
		client_say(client, "Clustering enabled");
	return r;
}

/* The certificate of the cluster, from the first address of the token that shows the right one. */
static int find_cluster(struct json_object *token, char **ret_address, char **ret_certificate,
                        struct error **err)
{
	struct json_object *list = jv_member(token, "addresses");
	scoped(error_freep) struct error *last = NULL;

	for (size_t i = 0; i < jv_len(list); i++) {
		const char *address = str_or_empty(jv_string(jv_item(list, i)));
		scoped(x509_freep) struct x509 *cert = NULL;
		scoped(stream_freep) struct stream *stream = NULL;
		struct dial_tls tls = { .address = address, .accept_any = true };
		size_t size = 0;

		error_free(last);
		last = NULL;
		if (dial_tls(&tls, &stream, &last) < 0)
			continue;
		const void *der = stream_peer_der(stream, &size);
		if (!der || x509_parse_der(der, size, &cert, &last) < 0)
			continue;
		if (!str_equals(cert->fingerprint, jv_text(token, "fingerprint"))) {
			error_set(&last, 403, "The certificate of %s is not the one of the token",
			          address);
			continue;
		}
		*ret_address = xstrdup(address);
		*ret_certificate = x509_to_pem(cert->der, cert->der_size);
		return 0;
	}
	if (!last)
		return error_set(err, 400, "The token names no address");
	*err = TAKE_PTR(last);
	return error_wrap(err, "Failed reaching the cluster");
}

/* "storage-pool:default:source=/x" words of --member-config. */
static int member_config(const struct cli *cli, struct json_object *body, struct error **err)
{
	struct json_object *list = jv_array();
	const char *text;

	jv_set_take(body, "member_config", list);
	for (size_t i = 0; (text = cli_list(cli, "member-config", i)); i++) {
		scoped(strv_freep) char **parts = strv_split(text, ':');
		char *equals = strv_len(parts) >= 3 ? strchr(parts[2], '=') : NULL;
		struct json_object *o;

		if (!equals)
			return error_set(err, 400, "Expecting <entity>:<name>:<key>=<value>: %s",
			                 text);
		*equals = '\0';
		o = jv_object();
		jv_set_string(o, "entity", parts[0]);
		jv_set_string(o, "name", parts[1]);
		jv_set_string(o, "key", parts[2]);
		jv_set_string(o, "value", strchr(text, '=') + 1);
		jv_add_take(list, o);
	}
	return 0;
}

static int server_address(struct server *server, const struct cli *cli, char **ret_address,
                          struct error **err)
{
	const char *given = cli_option(cli, "address");
	struct json_object *info;
	int r = server_info(server, &info, err);

	if (r < 0)
		return r;
	if (server_is_clustered(server))
		return error_set(err, 409, "The server is part of a cluster already");
	if (!given)
		given = jv_text(jv_member(info, "config"), "core.https_address");
	if (str_is_empty(given))
		return error_set(err, 400,
		                 "Say with --address where the other members reach this server");
	*ret_address = xstrdup(given);
	return 0;
}

static int join_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *token = NULL, *body = jv_object();
	scoped_free char *address = NULL, *cluster = NULL, *certificate = NULL;
	bool remote = cli->n_words > 1, yes = cli_flag(cli, "yes");
	const char *text = cli_word(cli, remote ? 1 : 0), *name;
	struct server *server;
	int r = client_server_only(client, remote ? cli_word(cli, 0) : NULL, &server, err);

	if (r == 0)
		r = token_decode(text, &token, err);
	if (r == 0)
		r = server_address(server, cli, &address, err);
	if (r == 0)
		r = find_cluster(token, &cluster, &certificate, err);
	if (r == 0)
		r = member_config(cli, body, err);
	if (r == 0 && !yes)
		r = client_confirm(
			"All existing data of this server is lost when it joins, continue?", &yes,
			err);
	if (r < 0 || !yes)
		return r;
	name = cli_option(cli, "name") ? cli_option(cli, "name") : jv_text(token, "server_name");
	jv_set_string(body, "server_name", name);
	jv_set_bool(body, "enabled", true);
	jv_set_string(body, "cluster_address", cluster);
	jv_set_string(body, "cluster_certificate", certificate);
	jv_set_string(body, "server_address", address);
	/* Servers before 5.21 take the token as a password. */
	jv_set_string(body, "cluster_token", text);
	jv_set_string(body, "cluster_password", text);
	r = follow_change(
		client, server,
		&(struct follow_request){ .method = "PUT", .body = body, .label = "Joining" }, err,
		"/1.0/cluster");
	if (r == 0)
		client_say(client, "Member %s has joined the cluster at %s", name, cluster);
	return r;
}

static int certificate_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped_free char *cert = NULL, *key = NULL;
	size_t first = cli->n_words > 2;
	struct server *server;
	int r = client_server_only(client, first ? cli_word(cli, 0) : NULL, &server, err);

	if (r < 0)
		return r;
	const char *cert_path = cli_word(cli, first), *key_path = cli_word(cli, first + 1);
	r = file_read(cert_path, PEM_MAX, &cert, NULL);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", cert_path);
	r = file_read(key_path, PEM_MAX, &key, NULL);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", key_path);
	jv_set_string(body, "cluster_certificate", cert);
	jv_set_string(body, "cluster_certificate_key", key);
	r = server_send(server, "PUT", body, err, "/1.0/cluster/certificate");
	if (r == 0)
		client_say(client, "Certificate of the cluster updated");
	return r;
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option add_options[] = {
	{ "name", 0, OPTION_TEXT, NULL, "Name of the new member", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option remove_options[] = {
	{ "force", 'f', OPTION_FLAG, NULL, "Remove a member that is lost", WORD_NONE },
	{ "yes",   0,   OPTION_FLAG, NULL, "Do not ask before using force", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option join_options[] = {
	{ "address",       0,   OPTION_TEXT, NULL, "Where the other members reach this server", WORD_NONE },
	{ "member-config", 0,   OPTION_LIST, NULL, "<entity>:<name>:<key>=<value> of this member's own", WORD_NONE },
	{ "name",          0,   OPTION_TEXT, NULL, "Name of the member, if not that of the token", WORD_NONE },
	{ "yes",           'y', OPTION_FLAG, NULL, "Do not ask", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_cluster_commands[] = {
	{ .path = "cluster", .usage = "", .summary = "Manage cluster members" },
	{ .path = "cluster list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List cluster members",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "cluster info",
	  .usage = "[<remote>:]<member>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = info_run,
	  .summary = "Show the load and the storage of a cluster member",
	  .kinds = { WORD_MEMBER } },
	{ .path = "cluster add",
	  .usage = "[[<remote>:]<member>]",
	  .max_words = 1,
	  .run = add_run,
	  .options = add_options,
	  .summary = "Make a token that lets a server join the cluster" },
	{ .path = "cluster join",
	  .usage = "[<remote>:] <token>",
	  .min_words = 1,
	  .max_words = 2,
	  .run = join_run,
	  .options = join_options,
	  .summary = "Make a server join a cluster",
	  .kinds = { WORD_NONE } },
	{ .path = "cluster list-tokens",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_tokens_run,
	  .options = list_options,
	  .summary = "List join tokens",
	  .kinds = { WORD_REMOTE } },
	{ .path = "cluster revoke-token",
	  .usage = "[<remote>:]<member>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = revoke_token_run,
	  .summary = "Revoke a join token" },
	{ .path = "cluster remove",
	  .usage = "[<remote>:]<member>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = remove_run,
	  .options = remove_options,
	  .summary = "Remove a member from the cluster",
	  .aliases = "rm",
	  .kinds = { WORD_MEMBER } },
	{ .path = "cluster enable",
	  .usage = "[<remote>:] <name>",
	  .min_words = 1,
	  .max_words = 2,
	  .run = enable_run,
	  .summary = "Make a single server the first member of a cluster" },
	{ .path = "cluster update-certificate",
	  .usage = "[<remote>:] <cert.crt> <cert.key>",
	  .min_words = 2,
	  .max_words = 3,
	  .run = certificate_run,
	  .summary = "Replace the certificate of the cluster",
	  .aliases = "update-cert",
	  .kinds = { WORD_FILE } },
	{ .path = "cluster role", .usage = "", .summary = "Manage the roles of cluster members" },
	{ .path = "cluster role add",
	  .usage = "[<remote>:]<member> <role[,role...]>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = role_run,
	  .summary = "Give roles to a cluster member",
	  .kinds = { WORD_MEMBER, WORD_NONE } },
	{ .path = "cluster role remove",
	  .usage = "[<remote>:]<member> <role[,role...]>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = role_run,
	  .summary = "Take roles from a cluster member",
	  .kinds = { WORD_MEMBER, WORD_NONE } },
	OBJECT_COMMAND_RENAME("cluster", "member", WORD_MEMBER),
	OBJECT_COMMAND_SHOW("cluster", "member", WORD_MEMBER, NULL),
	OBJECT_COMMAND_EDIT("cluster", "member", WORD_MEMBER, NULL),
	OBJECT_COMMAND_GET("cluster", "member", WORD_MEMBER, object_property_options),
	OBJECT_COMMAND_SET("cluster", "member", WORD_MEMBER, object_property_options),
	OBJECT_COMMAND_UNSET("cluster", "member", WORD_MEMBER, object_property_options),
	{ .path = NULL },
};
