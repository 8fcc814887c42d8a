/* Devices into and out of a running container. */
#pragma once

#include "drivers/instance/ct/ct_engine.h"

int ct_hotplug_add(struct instance_engine *engine, const struct instance_spec *spec,
                   const struct run_config *run, struct error **err);
int ct_hotplug_remove(struct instance_engine *engine, const struct instance_spec *spec,
                      const struct run_config *run, struct error **err);
