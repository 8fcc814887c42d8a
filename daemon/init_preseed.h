/*
 * A preseed: a document that says what a server shall have, applied over the API.
 *
 * It is LXD's: config, networks, storage_pools, storage_volumes, projects, profiles, and cluster to
 * make or join one. What exists is changed to what the document says; what it does not name stays.
 */
#pragma once

#include "lib/base/error.h"

struct http_client;
struct json_object;

/* Applies 'preseed'; on failure what was done before stays. */
int init_preseed_apply(struct http_client *client, struct json_object *preseed, struct error **err);

/* What a preseed would have to say to make a server like this one; owned by the caller. */
int init_preseed_dump(struct http_client *client, struct json_object **ret_preseed,
                      struct error **err);
