/* What drivers may ask of the daemon (drivers/host/host.h), and what the daemon asks of them. */
#pragma once

#include "lib/base/error.h"

struct state;

/* Fills state->host and what the drivers say of themselves in state->environment. */
int driver_host_start(struct state *state, struct error **err);
void driver_host_stop(struct state *state);
