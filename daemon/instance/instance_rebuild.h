/* An instance's root disk made anew, under the same name and config. */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;

/* 400 when it cannot be rebuilt now. */
int instance_rebuild_check(const struct instance *inst, struct error **err);

/* From an image of the effective project 'image_project', or empty when 'fingerprint' is NULL. */
int instance_rebuild(struct state *state, const char *project, const char *name,
                     const char *image_project, const char *fingerprint, struct operation *op,
                     struct error **err);
