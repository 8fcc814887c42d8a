/*
 * One run of the program: what all commands share.
 *
 * Commands get their servers from here, by the "remote:" in front of a name, so that two names on
 * the same remote use one connection.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "client/cli.h"
#include "client/remotes.h"
#include "client/server.h"
#include "lib/base/error.h"

struct client {
	struct remotes *remotes;
	const char *project; /* --project, or NULL. */
	bool quiet, verbose, debug, force_local;
	int status; /* What the process exits with if no error is returned. */

	/* Private. */
	struct client_remote *first;
	char *cert_path, *key_path;
};

/* Takes over the remotes. */
void client_init_take(struct client *client, const struct cli *cli, struct remotes *remotes);
void client_done(struct client *client);

/* The server of a remote; borrowed. NULL stands for the default remote. */
int client_remote(struct client *client, const char *remote, struct server **ret_server,
                  struct error **err);

/*
 * The server that "remote:name" is on, and the name, borrowed from 'word'. A NULL word is the
 * default remote and "".
 */
int client_server(struct client *client, const char *word, struct server **ret_server,
                  const char **ret_name, struct error **err);

/* The same for a command whose only word may be a remote: any name behind the colon is a 400. */
int client_server_only(struct client *client, const char *word, struct server **ret_server,
                       struct error **err);

/* As client_server(), and the name must not be empty. 'what' is "instance". */
int client_named(struct client *client, const char *word, const char *what,
                 struct server **ret_server, const char **ret_name, struct error **err);

/* Closes the connection to a remote that is no more. */
void client_forget(struct client *client, const char *remote);

/* Makes client.crt and client.key if they are not there. */
int client_ensure_certificate(struct client *client, struct error **err);

/* The unix socket of this machine: $MUSTER_DIR, $LXD_DIR or the default. Owned by the caller. */
char *client_socket_path(void);

/* A line for the user, unless --quiet. */
void client_say(const struct client *client, const char *fmt, ...) PRINTF(2, 3);

/* Asks on the terminal; false for anything but "yes" or "y". A 400 at the end of the input. */
int client_confirm(const char *question, bool *ret_yes, struct error **err);
