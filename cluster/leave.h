/* Members that go, by themselves or by force; and new names. */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct cluster;

/*
 * DELETE /1.0/cluster/members/NAME, on any member: a member that does not lead asks the leader, a
 * leader that is to go gives leadership away first. Without force the member must be online and
 * empty; its pools and networks go, and it is reset to a standalone server. With force only the
 * rows of the cluster go, with all that was on the member, and the machine must not come back. 400
 * for the only member, 404 for no such name.
 */
int leave_remove(struct cluster *cluster, const char *name, bool is_forced, struct error **err);

/*
 * The removed member: PUT /internal/cluster/reset from the leader. Empties database/global, forgets
 * the cluster, starts standalone with a fresh database. Returns when that serves.
 */
int leave_local_reset(struct cluster *cluster, struct error **err);

/*
 * POST /1.0/cluster/members/NAME {"server_name"}, on any member: 404, 409, 400. Members learn it
 * from the leader's heartbeat, which is sent at once.
 */
int leave_rename(struct cluster *cluster, const char *name, const char *new_name,
                 struct error **err);
