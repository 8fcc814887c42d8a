/*
 * Images as volumes.
 *
 * A pool that can clone gets each image once, as a volume of kind "image" with a row of its own,
 * and instances are clones of that. On a pool that copies files the archive is unpacked into the
 * first instance; with the second one it is unpacked beside them as well, without a row, and from
 * then on instances are copies. So an image that is used once takes its space once. The lock of the
 * image is held shared while an unpacked one is used and exclusively while it is made or removed.
 */
#pragma once

#include "lib/base/error.h"

struct state;

/* Removes the image's volumes from all pools of this member; the caller holds the image's lock. */
int storage_image_delete(struct state *state, const char *fingerprint, struct error **err);
