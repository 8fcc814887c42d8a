/*
 * The daemon's listeners: the unix socket, HTTPS for clients and members, and metrics.
 *
 * HTTPS addresses are configuration and may change at any time: a new address is listened on before
 * the old one is given up.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct listen_options {
	const char *group; /* Of the unix socket; NULL: root's. */
};

struct state;

/* Makes state->http. Nothing is served yet. */
int listen_setup(struct state *state, struct error **err);

/*
 * Opens the unix socket, or takes those that systemd passed, and the HTTPS addresses that are
 * configured. An HTTPS address that cannot be listened on is logged and tried again.
 */
int listen_start(struct state *state, const struct listen_options *options, struct error **err);

/* Presents another certificate from now on: PEM. */
int listen_set_certificate(struct state *state, const char *cert_pem, const char *key_pem,
                           struct error **err);

/*
 * Whether the listener at 'local_address' ("10.0.0.1:9100") is there for metrics alone: the rest of
 * the API does not exist on it.
 */
bool listen_is_for_metrics(struct state *state, const char *local_address);

/* Opens what is configured and could not be listened on before (an address that was not there). */
void listen_retry(struct state *state);

void listen_free(struct state *state);
