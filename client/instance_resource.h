/* An instance, a snapshot or the server itself as something with a config. */
#pragma once

#include "client/client.h"
#include "client/resource.h"
#include "lib/base/error.h"

/* The members of an instance that a PUT takes, in the order in which they are shown. */
extern const char *const instance_resource_writable[];

/*
 * The resource that a word names: "[remote:]instance[/snapshot]", or the server for an empty name.
 * '*ret_is_server' tells which. Freed with resource_done().
 */
int instance_resource_open(struct client *client, const char *word, const char *target,
                           struct resource *ret_resource, bool *ret_is_server, struct error **err);
