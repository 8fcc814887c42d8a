/*
 * Events between members: each listens to all others (full mesh).
 *
 * One websocket to /1.0/events of every online member; what arrives goes to the hook 'event' on the
 * loop's thread. A connection that breaks is the first sign that a member may be gone, so it is
 * told to the heartbeat; it is made again, with pauses that grow, for as long as the member is
 * listed as online.
 */
#pragma once

#include "lib/base/error.h"
#include "lib/base/macro.h"

struct cluster;
struct events_hub;
struct loop;

struct events_hub *events_hub_new(struct cluster *cluster, struct loop *loop) MUST_CHECK;

/* Connects from here on. */
void events_hub_start(struct events_hub *hub);

/* Connects to members that are new or back, drops those that left. Does not block. */
void events_hub_update(struct events_hub *hub);

/* Drops all and waits until no event is under way. */
void events_hub_stop(struct events_hub *hub);
void events_hub_free(struct events_hub *hub);
