/*
 * Split images as they are uploaded: multipart/form-data with the parts "metadata" and "rootfs".
 *
 * The body lies in a file of ours already. It is read strictly (RFC 7578): the parts in this order,
 * each once, nothing before, between or behind them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct image_multipart_part {
	char *name;
	char *filename; /* "" if none was given. */
	uint64_t offset, size;
};

#define IMAGE_MULTIPART_MAX_PARTS 4

struct image_multipart {
	struct image_multipart_part parts[IMAGE_MULTIPART_MAX_PARTS];
	size_t n_parts;
};

void image_multipart_done(struct image_multipart *multipart);

/* Finds the parts of a body of 'size' bytes at 'data'. 400 for any other form. */
int image_multipart_parse(const char *data, size_t size, const char *content_type,
                          struct image_multipart *ret_multipart, struct error **err);
