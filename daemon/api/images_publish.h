/* Images made of instances, as the API asks for them. */
#pragma once

#include "lib/base/error.h"

struct json_object;
struct request;
struct response;

int images_publish(struct request *req, struct response *res, struct json_object *body,
                   struct json_object *source, struct error **err);

/* The member that has the instance which the body names, or NULL; owned by the caller. */
int images_publish_owner(struct request *req, char **ret_member, struct error **err);
