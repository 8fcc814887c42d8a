/*
 * Instances when the daemon comes and when the host goes.
 *
 * Instances run on while the daemon is away, so at start those that run are found again first; then
 * what was cut off is removed, and what is to run is started in the background, in the order of
 * "boot.autostart.priority". Only the host's end stops them, in the order of "boot.stop.priority".
 */
#pragma once

#include "lib/base/error.h"

struct state;

/* Finds those that run on this member, before anything else asks. */
int instance_boot_find(struct state *state, struct error **err);

/*
 * Starts, on a thread of the service, those that are to run: "boot.autostart", or without it those
 * that ran last. None on a member that is evacuated. Returns at once.
 */
void instance_boot_start(struct state *state);

/* Stops all that run here; they stay such that are to run. Returns when they have ended. */
void instance_boot_stop(struct state *state);
