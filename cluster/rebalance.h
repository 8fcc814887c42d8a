/*
 * Brings members to the roles that roles.h wants, one change at a time, on the leader.
 *
 * A member is never promoted before a connection to it was made, since the engine waits 50 s for
 * one that is gone. A demotion goes voter -> stand-by -> spare, so that the member learns of it: a
 * node that is a spare hears nothing of raft any more, also not that it is one.
 */
#pragma once

#include <stddef.h>

#include "cluster/roles.h"
#include "lib/base/error.h"

struct cluster;
struct json_object;

/*
 * Leader: changes until nothing is left to change, then a heartbeat with the outcome. Concurrent
 * calls wait for each other. 503 on other members. To be called when what it hangs on (evacuated,
 * failure domain) has changed.
 */
int rebalance_leader_run(struct cluster *cluster, struct error **err);

/*
 * Leader: POST /internal/cluster/rebalance {"address"} of a member that started, joined, or changed
 * something; the body may be NULL.
 */
int rebalance_leader_receive(struct cluster *cluster, struct json_object *request,
                             struct error **err);

/* Asks for a run soon, wherever the leader is. Does not block. */
void rebalance_request(struct cluster *cluster);

/* The same, and waits for its end; whatever fails is only logged. */
void rebalance_wait(struct cluster *cluster);

/*
 * All members with what roles.h wants to know of them, from the leader's raft and what is known of
 * their liveness; owned array.
 */
int rebalance_state(struct cluster *cluster, struct roles_member **ret_members,
                    size_t *ret_n_members, struct error **err);

/*
 * Leader: 400 if the database would lose its quorum with the member 'name' gone and nobody else can
 * vote in its place. All members are called first, so that it counts who is there now.
 */
int rebalance_leader_check_quorum(struct cluster *cluster, const char *name, struct error **err);

/* cluster.max_voters and cluster.max_standby. */
struct roles_targets rebalance_targets(struct cluster *cluster);

/* Gives a member its role; checks first that it can be reached, and goes by the way above. */
int rebalance_assign(struct cluster *cluster, const struct roles_change *change,
                     struct error **err);
