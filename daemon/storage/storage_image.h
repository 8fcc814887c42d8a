/*
 * Images as volumes.
 *
 * A pool that can clone gets each image once, as a volume of kind "image" with a row of its own,
 * and instances are clones of that. Elsewhere the archive is unpacked into each instance. The lock
 * of the image is held shared while it is used and exclusively while its volume is made or removed.
 */
#pragma once

#include "lib/base/error.h"

struct state;

/* Removes the image's volumes from all pools of this member; the caller holds the image's lock. */
int storage_image_delete(struct state *state, const char *fingerprint, struct error **err);
