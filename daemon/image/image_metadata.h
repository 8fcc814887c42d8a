/*
 * metadata.yaml: what an image says of itself.
 *
 * It was written by whoever made the image, and by root inside an instance that is published: its
 * size is limited, unknown keys are kept out of the row, and every value is checked. The text comes
 * from files that were opened beneath the volume without following links.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/smap.h"

struct json_object;

enum image_metadata_when {
	IMAGE_TEMPLATE_CREATE = 1 << 0,
	IMAGE_TEMPLATE_COPY = 1 << 1,
	IMAGE_TEMPLATE_START = 1 << 2,
	IMAGE_TEMPLATE_RENAME = 1 << 3,
};

struct image_template {
	char *path;       /* In the rootfs: "/etc/hostname". */
	uint32_t when;    /* enum image_metadata_when bits. */
	bool create_only; /* Not if the file exists. */
	char *source;     /* Name of the file in templates/: one component. */
	struct smap properties;
	int32_t uid, gid; /* -1: what the file has, else 0. */
	int32_t mode;     /* -1: what the file has, else 0644. */
};

struct image_metadata {
	char *architecture;
	int64_t creation_date; /* Seconds since 1970. */
	int64_t expiry_date;   /* 0 for never. */
	struct smap properties;
	struct image_template *templates;
	size_t n_templates;
};

void image_metadata_done(struct image_metadata *metadata);

/* Parses the text. 400 with a sentence that names the key that is wrong. */
int image_metadata_parse(const char *text, size_t len, struct image_metadata *ret_metadata,
                         struct error **err);

/* The same from a document, which is changed: numbers where text belongs become text. */
int image_metadata_of_json(struct json_object *doc, struct image_metadata *ret_metadata,
                           struct error **err);

/* As the API shows it, and as YAML; owned by the caller. */
struct json_object *image_metadata_json(const struct image_metadata *metadata);
char *image_metadata_format(const struct image_metadata *metadata);
