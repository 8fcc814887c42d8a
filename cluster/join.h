/*
 * A new member, the joiner's side; join_leader.h is the other one.
 *
 *  1. The joiner fetches a member's certificate and compares it with the token's fingerprint.
 *  2. POST /internal/cluster/accept: the leader uses the token up, trusts the joiner's certificate,
 *     writes its row (pending) and answers with its id, the other nodes, the cluster's key and
 *     what pools and networks there are.
 *  3. Hook join_prepare() makes those here.
 *  4. The joiner puts its own database aside, starts its node under the new id, and shows the
 *     cluster's certificate from here on.
 *  5. It asks the leader's node to add its own (as a spare).
 *  6. One transaction writes its rows and ends "pending".
 *  7. POST /internal/cluster/rebalance: it gets a role, the others hear of it.
 *
 * Whatever fails before 6 is complete is undone on both sides: the joiner is standalone again with
 * its old database and certificate, the cluster forgets the row. A joiner that crashes undoes its
 * side when it starts; what is left of it in the cluster goes with the next join of that name.
 */
#pragma once

#include <stddef.h>

#include "cluster/cluster_hooks.h"
#include "lib/base/error.h"

struct cluster;

struct join_request {
	const char *server_name;
	const char *server_address;      /* What this member will be known as: "10.0.0.2:8443". */
	const char *cluster_address;     /* A member's address, or NULL with a token. */
	const char *cluster_certificate; /* The cluster's certificate, PEM, or NULL with a token. */
	const char
		*token; /* A join token, or NULL if this server's certificate is trusted there. */
	const struct cluster_member_config *member_config;
	size_t n_member_config;
};

/* The whole of it. Blocks, on an operation's thread. */
int join_run(struct cluster *cluster, const struct join_request *request, struct error **err);

/* At start: takes a join back that was cut off. */
int join_local_mend(struct cluster *cluster, struct error **err);
