/* The services above daemon/core, in the order in which they start: pools, images, instances. */
#pragma once

#include "lib/base/error.h"

struct state;

int services_start(struct state *state, struct error **err);
void services_stop(struct state *state);

/* Before operations are cancelled: what goes on elsewhere is let go of. */
void services_quiesce(struct state *state);

/* Stops all instances of this member in their order: for a shutdown of the host. */
void services_stop_instances(struct state *state);
