/* What containers use, read from the kernel without entering them. */
#pragma once

#include "drivers/instance/ct/ct_engine.h"

int ct_state(struct instance_engine *engine, const char *const *ids, size_t n_ids, uint32_t parts,
             struct instance_state *ret_states, struct error **err);
