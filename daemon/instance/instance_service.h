/* What struct instance_service holds; for the files of this folder only. */
#pragma once

#include "drivers/host/host.h"
#include "drivers/instance/instance_driver.h"

#define INSTANCE_MAX_DRIVERS 4

struct instance_exits;
struct state;

struct instance_service {
	struct state *state;
	struct host host;                                      /* What the drivers may ask. */
	struct instance_engine *engines[INSTANCE_MAX_DRIVERS]; /* As instance_drivers[]. */
	struct instance_exits *exits;
	char *tag;
};
