/* Aliases of images: names in a project, one per type of image. */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct request;
struct state;

/* 400 "name and target are required", 404 "Image not found", 409 'Alias "a" already exists'. */
int image_alias_create(struct state *state, const char *project, const char *name,
                       const char *target, const char *description, struct error **err);

/* PUT, or PATCH with NULL for what stays. 'req' may be NULL, its If-Match counts: 412. */
int image_alias_update(struct state *state, const char *project, const char *name,
                       const char *target, const char *description, const struct request *req,
                       struct error **err);
int image_alias_rename(struct state *state, const char *project, const char *name,
                       const char *new_name, struct error **err);
int image_alias_delete(struct state *state, const char *project, const char *name,
                       struct error **err);
