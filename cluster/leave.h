/* Members that go, by themselves or by force; and new names. */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct cluster;
struct json_object;

/*
 * Leader: DELETE /1.0/cluster/members/NAME. Without force the member must be online and empty; its
 * pools and networks go, and it is reset to a standalone server. With force only the cluster's own
 * rows go, and the machine must not come back. 400 for the only member, 404 for no such name. A
 * leader that is to remove itself hands leadership over and answers 503 with the new leader known,
 * so that the daemon's forwarding sends the request there.
 */
int leave_leader_remove(struct cluster *cluster, const char *name, bool is_forced,
                        struct error **err);

/*
 * The removed member: PUT /internal/cluster/reset from the leader. Stops the node, empties
 * database/global, forgets the cluster's certificate and members, starts standalone.
 */
int leave_local_reset(struct cluster *cluster, struct error **err);

/*
 * Leader: POST /1.0/cluster/members/NAME {"server_name"}: 404, 409, 400. The renamed member learns
 * it with the next heartbeat, which is sent at once.
 */
int leave_leader_rename(struct cluster *cluster, const char *name, const char *new_name,
                        struct error **err);
