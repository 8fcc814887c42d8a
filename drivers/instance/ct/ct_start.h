/* Starting a container: folders, config, the helper, and what liblxc leaves to us. */
#pragma once

#include "drivers/instance/ct/ct_engine.h"

struct netlink;

int ct_start_validate(struct instance_engine *engine, const struct instance_spec *spec,
                      struct error **err);
int ct_start(struct instance_engine *engine, const struct instance_spec *spec, struct op *op,
             struct error **err);

/* Applies limits of a running one. */
int ct_start_update_limits(struct instance_engine *engine, const struct instance_spec *spec,
                           struct error **err);

/* Sets of a new link's host end what liblxc has no item for. */
int ct_start_tune_link(struct netlink *nl, const struct run_link *link);

/* Removes its folders and liblxc's lock file. */
int ct_start_forget(struct instance_engine *engine, const struct instance_spec *spec,
                    struct error **err);
