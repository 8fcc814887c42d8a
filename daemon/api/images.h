/* Routes of images. */
#pragma once

#include "daemon/api/route.h"
#include "daemon/core/operation.h"

struct request;

extern const struct route_table images_routes;

/* The project whose images the request is about; owned by the caller. */
int images_project(struct request *req, char **ret_project, struct error **err);

/*
 * The same for whoever changes what is there: 403 for restricted clients of a project that borrows
 * another's images. '*ret_project' is set all the same.
 */
int images_project_to_change(struct request *req, char **ret_project, struct error **err);

/* Strangers are shown no lists of other projects than "default": 404, whatever is there. */
int images_check_lists(const struct request *req, struct error **err);

/* Whether the requestor sees only what is public. */
bool images_is_public_only(const struct request *req);

/*
 * The operation by which the request's project gets an image, wherever that comes from. 'arg_take'
 * is freed in any case, as by operation_new().
 */
int images_download(struct request *req, operation_run *run, operation_free_arg *free_arg,
                    void *arg_take, struct operation **ret_op, struct error **err);
