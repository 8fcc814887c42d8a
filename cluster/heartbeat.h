/*
 * Who is alive.
 *
 * The leader, and nobody else, calls every member and tells it what it knows of all the others. So
 * there is one opinion of who is offline, not N. Members answer from memory, without the database,
 * and nothing is written for a member that is well. A member whose connections break is called at
 * once, a new leader calls all at once; otherwise a round takes offline_threshold / 2.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct cluster;
struct json_object;

/*
 * Member: PUT /internal/database from the leader. Takes the digest over and returns this member's
 * answer {"name", "time", "schema", "api"}. Does not touch the cluster's database. 400 for a
 * digest without members or from a deposed leader.
 */
int heartbeat_local_receive(struct cluster *cluster, struct json_object *digest,
                            struct json_object **ret_answer, struct error **err);

/* Leader: a round to all now, waited for; -EPERM (503) if this member does not lead. */
int heartbeat_leader_round(struct cluster *cluster, struct error **err);

/* Asks for a round soon (a member joined, left, was renamed, looks dead). Does not block. */
void heartbeat_request(struct cluster *cluster);

/* A connection to the member at 'address' was refused or broke: look at once. Does not block. */
void heartbeat_suspect(struct cluster *cluster, const char *address);
