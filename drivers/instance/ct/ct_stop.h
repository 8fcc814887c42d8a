/* Ending, halting, freezing. */
#pragma once

#include "drivers/instance/ct/ct_engine.h"

int ct_stop(struct instance_engine *engine, const char *id, struct error **err);
int ct_stop_shutdown(struct instance_engine *engine, const char *id, int timeout_s, struct op *op,
                     struct error **err);
int ct_stop_freeze(struct instance_engine *engine, const char *id, struct error **err);
int ct_stop_unfreeze(struct instance_engine *engine, const char *id, struct error **err);

/* The signal that makes an init halt, by the signals that it blocks (as in /proc/PID/status). */
int ct_stop_halt_signal(uint64_t blocked);
