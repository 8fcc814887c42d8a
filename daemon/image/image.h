/*
 * Images: what they are called, which members hold their files.
 *
 * An image is a row (per project) and one or two files in $MUSTER_DIR/images: FINGERPRINT for a
 * unified one or the metadata of a split one, and FINGERPRINT.rootfs for the latter's root. The
 * files are shared by all projects and lie on some members; image_ensure_local() brings them here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct db_image;
struct smap;
struct operation;
struct request;
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

/* Notes that an instance was made from it. */
int image_touch(struct state *state, const char *project, const char *fingerprint,
                struct error **err);

/* 404; else removes the row and, with the last project that has it, the files and pool volumes. */
int image_delete(struct state *state, struct operation *operation, const char *project,
                 const char *fingerprint, struct error **err);
/* What another member asks of this one: the files and volumes only. */
int image_delete_here(struct state *state, const char *fingerprint, struct error **err);

/* PUT, or PATCH if 'merge'. Members that are NULL are left as they are. */
struct image_change {
	const bool *is_public;
	const bool *auto_update;
	const struct smap *properties;
	const int64_t *expires; /* A date. */
	const char *const *profiles; /* Ends with NULL. */
	bool merge;
	const struct request *req; /* Its If-Match is checked in the transaction; or NULL. */
};
int image_update(struct state *state, const char *project, const char *fingerprint,
                 const struct image_change *change, struct error **err);
