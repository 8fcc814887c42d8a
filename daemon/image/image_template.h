/* Rendering an image's templates into an instance's root filesystem. */
#pragma once

#include <stdint.h>

#include "daemon/image/image_metadata.h"
#include "lib/base/error.h"
#include "lib/linux/idmap.h"

struct smap;

struct image_template_context {
	const char *instance_name;
	const char *instance_type; /* "container" */
	const char *architecture;
	bool is_privileged, is_ephemeral;
	const struct smap *config;    /* Expanded; config_get("user.x", "default") reads it. */
	const struct idmap *disk_map; /* Shifts what is written; NULL or empty for none. */
};

/*
 * Renders the templates in 'volume_path'/metadata.yaml that are due at 'when' (an enum
 * image_metadata_when bit). Files are opened beneath the rootfs and no link is followed; a template
 * that cannot be written is an error with its path. No metadata.yaml means no templates. The
 * instance is not running.
 */
int image_template_apply(const char *volume_path, uint32_t when,
                         const struct image_template_context *context, struct error **err);
