/*
 * What becomes of an instance that ended.
 *
 * The engines say so on the loop thread, whoever ended it. The rest (unmount, volatile keys,
 * ephemeral ones deleted, events, a restart after a reboot from inside) blocks, takes the
 * instance's lock and is done on a job worker. When an operation of ours is stopping the instance,
 * that operation does it: instance_exit_expect() says so beforehand.
 */
#pragma once

#include <stdbool.h>

#include "drivers/instance/instance_driver.h"

struct instance_exits;
struct state;

struct instance_exits *instance_exit_new(struct state *state) MUST_CHECK;
void instance_exit_free(struct instance_exits *exits);

/* The engines' callback; 'arg' is the struct instance_exits. */
void instance_exit_seen(void *arg, const char *id, enum instance_exit what);

/*
 * From now on the end of 'id' is somebody's own business, until instance_exit_forget(). Counted.
 */
void instance_exit_expect(struct state *state, const char *id);
void instance_exit_forget(struct state *state, const char *id);
