/* What the rest of cluster/ asks of the heartbeat. */
#pragma once

#include "cluster/heartbeat.h"
#include "lib/base/macro.h"

struct heartbeat;

struct heartbeat *heartbeat_new(void) MUST_CHECK;
void heartbeat_free(struct heartbeat *heartbeat);

/* The periodic job: rounds that are due, and members whose time is over. */
int heartbeat_tick(struct cluster *cluster);

/* This member leads from now on: a session of its own, a round at once. Does not block. */
void heartbeat_leader_begin(struct cluster *cluster);

/* A member has made a list of its own: the leader's next call is to bring its one. */
void heartbeat_forget_list(struct cluster *cluster);

/* The list has changed otherwise than by a round: everybody is to get it. Does not block. */
void heartbeat_changed(struct cluster *cluster);
