/* Passing a request on to the member that answers it, and its answer back. */
#pragma once

#include "lib/base/error.h"

struct request;
struct response;

/*
 * Forwards to the member at 'address'. The request thread is free at once; the answer comes when
 * the other member gives it. Websockets and other upgrades are joined to ours.
 */
int forwarding_send(struct request *req, struct response *res, const char *address,
                    struct error **err);

/*
 * The member that the route's placement asks for: '*ret_address' is NULL when it is this one, else
 * owned by the caller.
 */
int forwarding_find(struct request *req, char **ret_address, struct error **err);

/* How often a request was forwarded already. */
int forwarding_hops(const struct request *req);
