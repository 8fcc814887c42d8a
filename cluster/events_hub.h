/*
 * Events between members: each listens to all others (full mesh).
 *
 * One websocket to GET /internal/events of every online member; what arrives goes to the hook
 * 'event' on the loop's thread. A lost connection is a hint to the heartbeat that the member may be
 * gone, and is made again with back-off for as long as the member is in the list.
 */
#pragma once

#include "lib/base/error.h"

struct cluster;
struct events_hub;
struct loop;

struct events_hub *events_hub_new(struct cluster *cluster, struct loop *loop);

/* Connects to members that are new, drops those that left. Does not block. */
void events_hub_update(struct events_hub *hub);

void events_hub_free(struct events_hub *hub);
