/* What struct instance_service holds; for the files of this folder only. */
#pragma once

#include "drivers/host/host.h"
#include "drivers/instance/instance_driver.h"
#include "lib/base/thread.h"

#define INSTANCE_MAX_DRIVERS 4

struct cancel;
struct instance_exits;
struct instance_peers;
struct map;
struct state;
struct worker;

struct instance_service {
	struct state *state;
	struct host host;                                      /* What the drivers may ask. */
	struct instance_engine *engines[INSTANCE_MAX_DRIVERS]; /* As instance_drivers[]. */
	struct instance_exits *exits;
	struct instance_peers *peers;
	struct worker *worker;   /* What no operation does: starts at boot, ends by themselves. */
	struct worker *sends;    /* Volumes on their way to other members. */
	struct cancel *stopping; /* Fired when the service ends: nothing more is started. */
	char *tag;

	struct mutex mutex;
	struct map *live GUARDED;     /* Ids of those that run to what they run with. */
	int64_t looked_until GUARDED; /* instance_schedule.c: what was due before is done. */
};
