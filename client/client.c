#include "client/client.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/dial.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/x509.h"

/* An open remote: the server and what its place borrows. */
struct client_remote {
	struct client_remote *next;
	char *name, *address, *pinned, *socket, *project;
	struct server *server;
};

char *client_socket_path(void)
{
	const char *dir = getenv("MUSTER_DIR"), *socket = getenv("MUSTER_SOCKET");

	if (socket && *socket)
		return xstrdup(socket);
	if (str_is_empty(dir))
		dir = getenv("LXD_DIR");
	return path_join(str_is_empty(dir) ? "/var/lib/muster" : dir, "unix.socket", NULL);
}

void client_init_take(struct client *client, const struct cli *cli, struct remotes *remotes)
{
	const char *dir = remotes_dir(remotes);

	client->remotes = remotes;
	client->cert_path = path_join(dir, "client.crt", NULL);
	client->key_path = path_join(dir, "client.key", NULL);
	client->project = cli_option(cli, "project");
	if (!client->project)
		client->project = getenv("MUSTER_PROJECT");
	client->quiet = cli_flag(cli, "quiet");
	client->verbose = cli_flag(cli, "verbose");
	client->debug = cli_flag(cli, "debug");
	client->force_local = cli_flag(cli, "force-local");
}

static void remote_free(struct client_remote *r)
{
	server_free(r->server);
	free(r->name);
	free(r->address);
	free(r->pinned);
	free(r->socket);
	free(r->project);
	free(r);
}

void client_forget(struct client *client, const char *remote)
{
	for (struct client_remote **at = &client->first; *at; at = &(*at)->next) {
		struct client_remote *r = *at;

		if (strcmp(r->name, remote) != 0)
			continue;
		*at = r->next;
		remote_free(r);
		return;
	}
}

void client_done(struct client *client)
{
	for (struct client_remote *r = client->first, *next; r; r = next) {
		next = r->next;
		remote_free(r);
	}
	remotes_free(client->remotes);
	free(client->cert_path);
	free(client->key_path);
	*client = (struct client){ 0 };
}

int client_ensure_certificate(struct client *client, struct error **err)
{
	int r = file_make_dirs(remotes_dir(client->remotes), 0750);

	if (r < 0)
		return error_set_errno(err, r, "Failed making \"%s\"",
		                       remotes_dir(client->remotes));
	if (file_exists(client->cert_path) && file_exists(client->key_path))
		return 0;
	dial_init_tls();
	return x509_ensure_files(client->cert_path, client->key_path, true, err);
}

/* "https://host:port/" without its decoration. */
static char *address_of(const char *url)
{
	const char *p = str_after(url, "https://");

	if (!p)
		p = url;
	return xasprintf("%.*s", (int)strcspn(p, "/"), p);
}

static int place_tls(struct client *client, struct client_remote *remote, const char *addr,
                     bool is_public, struct server_place *place, struct error **err)
{
	scoped_free char *pinned = remotes_certificate_path(client->remotes, remote->name);

	remote->address = address_of(addr);
	place->address = remote->address;
	if (file_exists(pinned))
		place->pinned_path = remote->pinned = TAKE_PTR(pinned);
	if (is_public)
		return 0;
	int r = client_ensure_certificate(client, err);
	place->cert_path = client->cert_path;
	place->key_path = client->key_path;
	return r;
}

static int open_remote(struct client *client, const char *name, struct server **ret_server,
                       struct error **err)
{
	struct json_object *conf = remotes_get(client->remotes, name);
	const char *addr = jv_text(conf, "addr"), *protocol = jv_text(conf, "protocol");
	const char *project = client->project ? client->project : jv_text(conf, "project");
	int r = 0;

	if (!conf)
		return error_set(err, 404, "The remote \"%s\" does not exist", name);
	if (!str_is_empty(protocol) && !str_equals(protocol, "lxd"))
		return error_set(err, 400,
		                 "The remote \"%s\" speaks \"%s\", which is not supported", name,
		                 protocol);
	struct client_remote *remote = xcalloc(1, sizeof(*remote));
	remote->name = xstrdup(name);
	remote->project = str_is_empty(project) ? NULL : xstrdup(project);
	struct server_place place = { .name = remote->name,
		                      .project = remote->project,
		                      .debug = client->debug };
	const char *path = addr ? str_after(addr, "unix:") : NULL;
	if (path) {
		while (path[0] == '/' && path[1] == '/')
			path++;
		remote->socket =
			str_equals(path, "/") || !*path ? client_socket_path() : xstrdup(path);
		place.socket_path = remote->socket;
	} else {
		r = place_tls(client, remote, str_or_empty(addr), jv_flag(conf, "public"), &place,
		              err);
	}
	remote->server = server_new(&place);
	remote->next = client->first;
	client->first = remote;
	*ret_server = remote->server;
	return r;
}

int client_remote(struct client *client, const char *remote, struct server **ret_server,
                  struct error **err)
{
	const char *name = remote;

	if (!name)
		name = client->force_local ? REMOTES_LOCAL : remotes_default(client->remotes);
	for (const struct client_remote *r = client->first; r; r = r->next) {
		if (strcmp(r->name, name) == 0) {
			*ret_server = r->server;
			return 0;
		}
	}
	return open_remote(client, name, ret_server, err);
}

int client_server(struct client *client, const char *word, struct server **ret_server,
                  const char **ret_name, struct error **err)
{
	scoped_free char *remote = NULL;
	const char *name = "";

	if (word && strchr(word, ':')) {
		int r = remotes_split(client->remotes, word, &remote, &name, err);

		if (r < 0)
			return r;
	} else if (word) {
		name = word;
	}
	*ret_name = name;
	return client_remote(client, remote, ret_server, err);
}

int client_server_only(struct client *client, const char *word, struct server **ret_server,
                       struct error **err)
{
	const char *rest;
	int r = client_server(client, word, ret_server, &rest, err);

	if (r == 0 && *rest)
		return error_set(err, 400, "A remote ends with a colon, \"%s\" does not", word);
	return r;
}

int client_named(struct client *client, const char *word, const char *what,
                 struct server **ret_server, const char **ret_name, struct error **err)
{
	int r = client_server(client, word, ret_server, ret_name, err);

	if (r == 0 && !**ret_name)
		return error_set(err, 400, "Missing %s name", what);
	return r;
}

void client_say(const struct client *client, const char *fmt, ...)
{
	va_list args;

	if (client->quiet)
		return;
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int client_confirm(const char *question, bool *ret_yes, struct error **err)
{
	char line[64];

	printf("%s (yes/no) [default=no]: ", question);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return error_set(err, 400, "No answer: the input has ended");
	line[strcspn(line, "\n")] = '\0';
	*ret_yes = str_equals_nocase(line, "yes") || str_equals_nocase(line, "y");
	return 0;
}
