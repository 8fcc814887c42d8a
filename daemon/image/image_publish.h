/* An instance or snapshot becomes an image. */
#pragma once

#include <stdbool.h>

#include "daemon/image/image_import.h"
#include "lib/base/error.h"
#include "lib/linux/idmap.h"

struct image_publish {
	const char *volume_path; /* storage_instance_path(): rootfs/, metadata.yaml, templates/. */
	const char *architecture;
	const struct idmap
		*disk_map; /* The map that was applied on disk, undone in the image; or NULL. */
	const char *compression; /* "gzip", "zstd -3", "none", ...; NULL is gzip. */
};

/*
 * Packs the volume into a unified image and imports it as 'image' says. The instance should be
 * stopped; 'image->properties' become those of its metadata.yaml as well. The fingerprint is owned
 * by the caller.
 */
int image_publish(struct state *state, struct operation *operation,
                  const struct image_import *image, const struct image_publish *publish,
                  char **ret_fingerprint, struct error **err);
