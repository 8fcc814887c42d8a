/* A new member, the cluster's side; see join.h. */
#pragma once

#include <stdbool.h>

#include "cluster/join_token.h"
#include "lib/base/error.h"

struct cluster;
struct json_object;

/*
 * Makes a token for 'server_name', good for cluster.join_token_expiry, and its row (db/tokens.h,
 * with what the operation shows as data); an older one for that name is void. 400 for the names
 * that bootstrap_check_name() refuses and names that a member has. On any member. Release with
 * join_token_done().
 */
int join_leader_make_token(struct cluster *cluster, const char *server_name,
                           struct join_token *ret_token, struct error **err);

/*
 * POST /internal/cluster/accept, which must be open to anybody: 'request' is {"name", "address",
 * "certificate", "secret", "schema", "api_extensions", "architecture", "inventory"}. Without a
 * secret 'is_trusted' says whether the peer may change the cluster. A member that does not lead
 * passes it on. The answer is {"id", "raft_nodes", "trusted", "cluster_certificate",
 * "cluster_certificate_key", "definitions"}.
 */
int join_leader_accept(struct cluster *cluster, struct json_object *request, bool is_trusted,
                       struct json_object **ret_answer, struct error **err);

/* POST /internal/cluster/undo {"id"} from a member: a joiner failed; its row and raft entry go. */
int join_leader_undo(struct cluster *cluster, struct json_object *request, struct error **err);
