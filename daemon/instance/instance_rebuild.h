/*
 * An instance's root disk made anew, under the same name and config.
 *
 * The new disk is made beside the old one, the rows are written, then it takes the old one's place.
 * Cut off before the rows are written it is as if nothing had been, afterwards it is completed at
 * the next start.
 */
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

/* Ends or takes back, on this member, what the daemon's end has cut off. For its start. */
int instance_rebuild_mend(struct state *state, struct error **err);
