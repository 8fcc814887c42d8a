/*
 * Aliases of images: names in a project, one per image type.
 *
 * The project is the effective one. The functions check, write and send the event; If-Match counts
 * where something is changed.
 */
#pragma once

#include "lib/base/error.h"

struct db_image_alias;
struct json_object;
struct request;

/* 400 for what is no name of an alias. */
int image_alias_check_name(const char *name, struct error **err);

/* The same for all of a client's [{"name", "description"}], which may be NULL. */
int image_alias_check_list(struct json_object *list, struct error **err);

/* 400 "name and target are required", 404 "Image not found", 409 'Alias "a" already exists'. */
int image_alias_create(struct request *req, const char *project, const char *name,
                       const char *target, const char *description, struct error **err);

/* NULL for what stays as it is. */
int image_alias_update(struct request *req, const char *project, const char *name,
                       const char *target, const char *description, struct error **err);
int image_alias_rename(struct request *req, const char *project, const char *name,
                       const char *new_name, struct error **err);
int image_alias_delete(struct request *req, const char *project, const char *name,
                       struct error **err);

/* As the API shows it, which is what its ETag is made of; owned by the caller. */
struct json_object *image_alias_json(const struct db_image_alias *row);

/* "/1.0/images/aliases/NAME?project=p"; owned by the caller. */
char *image_alias_url(const char *project, const char *name);
