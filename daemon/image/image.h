/*
 * Images: what they are called, which members hold their files.
 *
 * An image is a row (per project) and one or two files in $MUSTER_DIR/images: FINGERPRINT for a
 * unified one or the metadata of a split one, and FINGERPRINT.rootfs for the latter's root. The
 * files are shared by all projects and lie on some members; image_ensure_local() brings them here.
 * Projects given to these functions are effective ones (project_effective()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct db_image;
struct db_view;
struct json_object;
struct db_tx;
struct operation;
struct request;
struct smap;
struct state;

/*
 * Finds an image of 'project' by alias (if 'may_be_alias'), fingerprint or a prefix of one of at
 * least 12 characters: 400 for a shorter one, 404 "Image not found", 400 for one that fits several.
 * 'type' is "container", "virtual-machine" or NULL for any. Owned by the caller.
 */
int image_resolve(struct state *state, const char *project, const char *text, bool may_be_alias,
                  const char *type, char **ret_fingerprint, struct error **err);

/*
 * Fetches the files from another member unless they are here. Asked twice at once, it is done once.
 * Members that hold the image afterwards are in its row.
 */
int image_ensure_local(struct state *state, struct operation *operation, const char *project,
                       const char *fingerprint, struct error **err);

/*
 * Fetches every image that is on the member 'leaving' and nowhere else, before that one is removed
 * from the cluster. Runs on another member.
 */
int image_take_over(struct state *state, const char *leaving, struct error **err);

/*
 * Notes that an instance is made from it, in the transaction that does so; the view is as new as
 * that and holds DB_IMAGES. Not more than once an hour: each change is read by all members.
 */
int image_touch(struct db_tx *tx, const struct db_view *view, const char *project,
                const char *fingerprint, struct error **err);

/* 404; else removes the row and, with the last project that has it, the files and pool volumes. */
int image_delete(struct state *state, struct operation *operation, const char *project,
                 const char *fingerprint, struct error **err);

/* What another member asks of this one: the files and volumes only, if no row names the image. */
int image_delete_here(struct state *state, const char *fingerprint, struct error **err);

/*
 * PUT, or PATCH if 'is_patch': 'body' is the request's. If-Match is checked in the transaction that
 * writes.
 */
int image_update(struct request *req, const char *project, const char *fingerprint,
                 struct json_object *body, bool is_patch, struct error **err);

/* Restricted clients of one project must not show its images to everybody: 400 but for "default". */
int image_check_public(bool is_public, const char *project, struct error **err);

/* They become keys of instances' configuration: 400 for what could be no part of one. */
int image_check_properties(const struct smap *properties, struct error **err);

/* As the API shows it, and what its ETag is made of; owned by the caller. */
struct json_object *image_json(const struct db_image *row);
struct json_object *image_etag(const struct db_image *row);

/* "/1.0/images/FINGERPRINT?project=p"; owned by the caller. */
char *image_url(const char *project, const char *fingerprint);

/* $MUSTER_DIR/images/FINGERPRINT, with ".rootfs" for the second file; owned by the caller. */
char *image_path(struct state *state, const char *fingerprint, bool is_rootfs);

/* Whether 'text' is a whole fingerprint: 64 hexadecimal digits in lower case. */
bool image_is_fingerprint(const char *text);
