/* Fetching one file of an image, from another server or another member; for daemon/image only. */
#pragma once

#include <stdint.h>

#include "drivers/host/op.h"
#include "lib/base/error.h"

struct http_client;
struct http_response;
struct state;

struct image_transfer {
	struct op op;  /* Gets the progress. */
	uint64_t done; /* By the files before. */
};

/*
 * GET 'path' into a file without a name that is owned by the caller. Any answer is success, as for
 * http_client_do(): '*ret_res' is the caller's to look at, and to release.
 */
int image_transfer_get(struct state *state, struct http_client *client,
                       struct image_transfer *transfer, const char *path, int *ret_fd,
                       struct http_response *ret_res, struct error **err);
