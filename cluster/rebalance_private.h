/* What the rest of cluster/ asks of the rebalancing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cluster;

/* The background job: a run if this member leads; never fails, errors are logged. */
int rebalance_background(struct cluster *cluster);

/* Whether roles.h wants a change by what is known in memory. Does not block. */
bool rebalance_is_needed(struct cluster *cluster);

/* A member says that it is about to shut down: it gets no role for a while, or until it is back. */
void rebalance_set_leaving(struct cluster *cluster, int64_t id, bool is_leaving);
