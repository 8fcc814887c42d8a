/*
 * Images from files: what "lxc image import" uploads, and what publishing an instance makes.
 *
 * Everything about the archive is checked before a row exists; what fails leaves nothing behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct json_object;
struct smap;
struct operation;
struct state;

struct image_import_alias {
	const char *name;
	const char *description;
};

/*
 * What the API's [{"name", "description"}] says, which image_alias_check_list() has passed, or
 * NULL; the caller frees it, its strings are the list's.
 */
struct image_import_alias *image_import_aliases(struct json_object *list, size_t *ret_n) MUST_CHECK;

/* Where an image came from and is looked for again. */
struct image_import_source {
	const char *server, *certificate, *protocol, *alias;
};

struct image_import {
	const char *project;
	const char *filename;    /* X-LXD-filename, or NULL. */
	const char *fingerprint; /* X-LXD-fingerprint: 400 if it comes out as another; or NULL. */
	bool is_public;
	bool auto_update;
	int64_t expires;               /* A date; DATE_NONE for what the image says. */
	const struct smap *properties; /* Added to and over the archive's own; or NULL. */
	const char *const *profiles;   /* Ends with NULL; NULL is { "default" }. */
	const struct image_import_alias *aliases;
	size_t n_aliases;
	const struct image_import_source *source; /* NULL: it was uploaded. */
};

/* Checks what a client says of an image, aliases and properties, before anything is done: 400. */
int image_import_check(const struct image_import *image, struct error **err);

/*
 * Imports a unified image, or a split one if 'rootfs_fd' is not negative. Files are read from their
 * beginning and stay open. 409 "Image with same fingerprint already exists". The fingerprint is
 * owned by the caller.
 */
int image_import_files(struct state *state, struct operation *operation,
                       const struct image_import *image, int meta_fd, int rootfs_fd,
                       char **ret_fingerprint, struct error **err);

/*
 * Imports the body of a POST /1.0/images that is multipart/form-data with the parts "metadata" and
 * "rootfs" or "rootfs.img", in 'fd' whole. 'content_type' is the header with the boundary.
 */
int image_import_multipart(struct state *state, struct operation *operation,
                           const struct image_import *image, int fd, const char *content_type,
                           char **ret_fingerprint, struct error **err);
