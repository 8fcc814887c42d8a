/* The first member: from a standalone server to a cluster of one, and back. */
#pragma once

#include "lib/base/error.h"

struct cluster;

/*
 * PUT /1.0/cluster {"enabled": true, "server_name": NAME}: the server becomes the only member NAME
 * at 'address' (cluster.https_address, "10.0.0.1:8443"). The database goes on with the same
 * contents; statements in flight are retried by db/. Fails with a 400 if the server is clustered
 * already or the address cannot be dialled by others (a wildcard); everything is undone then.
 */
int bootstrap_run(struct cluster *cluster, const char *server_name, const char *address,
                  struct error **err);

/*
 * PUT /1.0/cluster {"enabled": false} on the last member: standalone again, with its contents.
 * Fails with a 400 if there are other members.
 */
int bootstrap_disable(struct cluster *cluster, struct error **err);

/* Checks a member's name as LXD does: 400 if empty, with "@" in front, "none", or not a host name.
 */
int bootstrap_check_name(const char *server_name, struct error **err);

/*
 * Makes "host:port" of an address that others can dial; 400 if it is none, or a wildcard. Owned by
 * the caller.
 */
int bootstrap_check_address(const char *address, char **ret_address, struct error **err);
