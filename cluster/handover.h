/* Gives leadership and role away before a shutdown. */
#pragma once

#include "lib/base/error.h"

struct cluster;
struct json_object;

/*
 * Shutdown: if this member leads, leadership goes to another voter (5 s at most), then the new
 * leader is asked to promote a replacement and to make this member a spare. Errors are logged: a
 * shutdown goes on without. Call it after the API stopped taking writes.
 */
void handover_run(struct cluster *cluster);

/* Transfers leadership to an online voter and waits for it; 0 if this member does not lead. */
int handover_leadership(struct cluster *cluster, struct error **err);

/* Leader: POST /internal/cluster/handover {"address"}: replaces that member's role. */
int handover_leader_take(struct cluster *cluster, struct json_object *request, struct error **err);
