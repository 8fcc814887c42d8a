/*
 * Brings members to the roles that roles.h wants, one change at a time, on the leader.
 *
 * A member is never promoted before a connection to it was made, since the engine waits 50 s for
 * one that is gone. A demotion goes voter -> stand-by -> spare, so that the member learns of it.
 */
#pragma once

#include <stddef.h>

#include "cluster/roles.h"
#include "lib/base/error.h"

struct cluster;
struct json_object;

/* Leader: changes until nothing is left to change. Concurrent calls wait for each other. */
int rebalance_leader_run(struct cluster *cluster, struct error **err);

/* Asks the leader's background thread for a run; on other members, the leader. Does not block. */
void rebalance_request(struct cluster *cluster);

/*
 * Member: POST /internal/cluster/assign {"raft_nodes": [...]}: the leader says what this member is
 * to become; it sends ASSIGN for itself and stores the list.
 */
int rebalance_local_assign(struct cluster *cluster, struct json_object *request,
                           struct error **err);

/* All members with what roles.h wants to know of them; owned array. */
int rebalance_state(struct cluster *cluster, struct roles_member **ret_members,
                    size_t *ret_n_members, struct error **err);
