/*
 * A new member, both sides.
 *
 *	joiner                                   cluster
 *	  GET /1.0 (pinned by the token)    -->
 *	  POST /1.0/certificates {secret}   -->   its server certificate is trusted, type "server"
 *	  hooks join_prepare (pools ...)
 *	  POST /internal/cluster/accept     -->   join_leader_accept(): row, raft id, cluster key
 *	  stops its node, wipes, starts as the new id
 *	  ADD, ASSIGN                       -->   (engine's protocol to the leader)
 *	  one transaction: its rows, pending ends
 *	  POST /internal/cluster/rebalance  -->   heartbeat to all, roles
 *
 * Whatever fails before the last transaction is undone on both sides: the joiner is standalone
 * again with its old database and certificate, the cluster forgets the row.
 */
#pragma once

#include <stddef.h>

#include "cluster/cluster_hooks.h"
#include "cluster/join_token.h"
#include "lib/base/error.h"

struct cluster;
struct json_object;

struct join_request {
	const char *server_name;
	const char *server_address;      /* What this member will be known as: "10.0.0.2:8443". */
	const char *cluster_address;     /* Without a token: a member's address ... */
	const char *cluster_certificate; /* ... and the cluster's certificate, PEM. */
	const char *token;               /* Or a join token. */
	const struct cluster_member_config *member_config;
	size_t n_member_config;
};

/* Joiner: the whole of it. Blocks, on an operation's thread. */
int join_run(struct cluster *cluster, const struct join_request *request, struct error **err);

/*
 * Leader: makes a token for 'server_name' that is good until 'expires_at' (RFC 3339). Fails with a
 * 400 for the names that bootstrap_check_name() refuses and names that a member has. The daemon
 * keeps 'ret_token->secret' with its operation; release with join_token_done().
 */
int join_leader_make_token(struct cluster *cluster, const char *server_name, const char *expires_at,
                           struct join_token *ret_token, struct error **err);

/*
 * Leader: POST /internal/cluster/accept from a trusted server. 'request' is
 * {"name", "address", "schema", "api", "architecture", "inventory"}; the answer is
 * {"id", "role", "raft_nodes": [{"id", "address", "role"}], "cluster_certificate",
 * "cluster_certificate_key"}. On a member that does not lead: 503 and the caller asks the leader.
 */
int join_leader_accept(struct cluster *cluster, struct json_object *request,
                       struct json_object **ret_answer, struct error **err);

/* Leader: POST /internal/cluster/undo {"id"}: a joiner failed; its row and raft entry go. */
int join_leader_undo(struct cluster *cluster, struct json_object *request, struct error **err);
