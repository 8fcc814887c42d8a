/*
 * The order of starting, as a list, and the same backwards.
 *
 * Each step makes one part of struct state and can be undone; a step that fails undoes those before
 * it. The unix socket opens before the database has a leader, so that members find each other;
 * requests that need more wait in the dispatcher.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct state;

struct startup_options {
	const char *group; /* Of the unix socket, or NULL. */
};

/* Runs all steps. On failure everything is undone and '*ret_state' stays as it was. */
int startup_run(const struct startup_options *options, struct state **ret_state,
                struct error **err);

/*
 * Ends the daemon in order: no new requests, operations cancelled and waited for, the cluster told,
 * then the steps backwards. Instances run on, unless 'is_full'.
 */
void startup_undo(struct state *state, bool is_full);
