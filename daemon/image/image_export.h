/* An image's files for a client: one file as it is, or two as multipart/form-data. */
#pragma once

#include <stdint.h>

#include "lib/base/error.h"

struct state;

struct image_export {
	int meta_fd;   /* Owned; the unified file or the metadata. */
	int rootfs_fd; /* Owned; -1 for a unified image. */
	uint64_t meta_size, rootfs_size;
	char *meta_name;   /* "FINGERPRINT.tar.gz" */
	char *rootfs_name; /* "FINGERPRINT.squashfs", NULL for a unified image. */
};

void image_export_done(struct image_export *files);

/* Opens the files on this member, fetching them first if they are elsewhere. 404. */
int image_export_open(struct state *state, const char *project, const char *fingerprint,
                      struct image_export *ret_files, struct error **err);

/* The same for another member that asks: 404 if they are not here. */
int image_export_open_here(struct state *state, const char *fingerprint,
                           struct image_export *ret_files, struct error **err);

/* The body of a split image's export, as a file without a name at its beginning; all owned. */
int image_export_multipart(struct state *state, const struct image_export *files, int *ret_fd,
                           uint64_t *ret_size, char **ret_content_type, struct error **err);
