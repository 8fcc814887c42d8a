/* Image files: one or two of them to a server, and back. */
#pragma once

#include "client/client.h"
#include "client/server.h"
#include "lib/base/error.h"

/*
 * Opens what is to be uploaded: one tarball, or metadata and root filesystem as a form. '*ret_fd'
 * is at its beginning, '*ret_type' the content type, owned by the caller.
 */
int image_transfer_open(const char *metadata, const char *rootfs, int *ret_fd, uint64_t *ret_size,
                        char **ret_type, struct error **err);

/*
 * Downloads an image to 'target': a directory, the beginning of the files' names, or NULL for the
 * directory that one is in.
 */
int image_transfer_download(const struct client *client, struct server *server,
                            const char *fingerprint, const char *target, struct error **err);
