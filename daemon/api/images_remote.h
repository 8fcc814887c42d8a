/* Routes of /1.0/images that speak to other servers, and what creating an image needs of them. */
#pragma once

#include "daemon/api/route.h"

extern const struct route_table images_remote_routes;

struct json_object;

/* POST /1.0/images with a source of type "image" or "url": fetches it, or gives out a secret with
 * which another server may send it. */
int images_remote_create(struct request *req, struct response *res, struct json_object *body,
                         struct json_object *source, struct error **err);

/*
 * Uses the secret up that came with an upload of 'fingerprint' to the (effective) project.
 * '*ret_wish' is what its maker said of the image, owned by the caller. 403.
 */
int images_remote_use_secret(struct request *req, const char *project, const char *fingerprint,
                             const char *secret, struct json_object **ret_wish, struct error **err);
