/*
 * metadata.yaml and templates/ of an instance: what its image said, as its owner may change it.
 *
 * Both are in the root volume beside the root filesystem. An image or a backup brought them, so
 * they are opened beneath the volume without following links, and are regular files of a sensible
 * size or nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct cancel;
struct json_object;
struct state;

/* The volume of one instance, mounted, and the instance kept from changing. */
struct instance_metadata;

int instance_metadata_open(struct state *state, const char *project, const char *name,
                           struct cancel *cancel, struct instance_metadata **ret_metadata,
                           struct error **err);
void instance_metadata_close(struct instance_metadata *metadata);
DEFINE_SCOPED(struct instance_metadata *, instance_metadata_close);

/* Borrowed. */
const struct instance *instance_metadata_instance(const struct instance_metadata *metadata);

/* As the API shows it, empty if there is none; owned by the caller. */
int instance_metadata_get(struct instance_metadata *metadata, struct json_object **ret_json,
                          struct error **err);

/* Replaces it by 'doc', which is checked and changed; 400. */
int instance_metadata_put(struct instance_metadata *metadata, struct json_object *doc,
                          struct error **err);

/* The names of the templates, sorted: an array, owned by the caller. */
int instance_metadata_templates(struct instance_metadata *metadata, struct json_object **ret_names,
                                struct error **err);

/* The text of one, the caller's; 404. */
int instance_metadata_template_get(struct instance_metadata *metadata, const char *name,
                                   char **ret_text, size_t *ret_size, struct error **err);

/* Makes or replaces one. */
int instance_metadata_template_put(struct instance_metadata *metadata, const char *name,
                                   const char *text, size_t size, struct error **err);
int instance_metadata_template_delete(struct instance_metadata *metadata, const char *name,
                                      struct error **err);

/* The largest template, and the most of them. */
#define INSTANCE_METADATA_MAX_TEMPLATE ((size_t)1024 * 1024)
#define INSTANCE_METADATA_MAX_TEMPLATES 1000
