/*
 * A new member, the joiner's side; join_leader.h is the other one.
 *
 *	joiner                                   cluster
 *	  fetches the certificate, compares with the token's fingerprint
 *	  POST /internal/cluster/accept     -->   join_leader_accept(): token used up, certificate
 *	                                          trusted, row (pending), raft id, cluster key,
 *pools hook join_prepare (pools, networks) puts its database aside, starts its node as the new id;
 *shows the cluster's certificate ADD, ASSIGN                       -->   (engine's protocol to the
 *leader) one transaction: its rows, pending ends POST /internal/cluster/rebalance  -->   roles,
 *heartbeat to all
 *
 * Whatever fails before the transaction is undone on both sides: the joiner is standalone again
 *with its old database and certificate, the cluster forgets the row.
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
