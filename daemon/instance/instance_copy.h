/* Copies of instances, on this member or from another. */
#pragma once

#include "daemon/instance/instance_create.h"
#include "lib/base/error.h"

/* Fills the volume of 'inst' as 'filling' says, with the snapshots' rows. Locks the source. */
int instance_copy_fill(const struct instance *inst, struct operation *op,
                       const struct instance_filling *filling, struct error **err);
