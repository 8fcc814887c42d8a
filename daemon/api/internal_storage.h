/* What members ask of each other about pools, volumes and images. */
#pragma once

#include "daemon/api/route.h"
#include "daemon/storage/storage_send.h"

extern const struct route_table internal_storage_routes;

/*
 * Claims the offer of a volume with its secret from the member that has the operation; that member
 * and the claim are owned by the caller. 501 for an operation of another cluster, 403 for a wrong
 * secret, 404 for an offer that is over.
 */
int internal_storage_claim(struct state *state, const char *operation, const char *secret,
                           char **ret_member, struct storage_send_claim *ret_claim,
                           struct error **err);
