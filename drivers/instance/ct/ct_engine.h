/*
 * Which containers run.
 *
 * A running container is two processes that the kernel can tell us about: its init, and liblxc's
 * monitor, which is the parent of init and the last to go. The engine holds a pidfd of each and
 * watches both on the loop. So no hook has to call back when a container ends, and nothing is lost
 * if the daemon was not there to be called:
 *
 *	monitor ends                 the container has stopped; liblxc has cleaned up
 *	init ends, monitor does not  it reboots: the monitor starts it again with the same config
 *
 * After a restart of the daemon they are found by their control groups, whose names hold the
 * daemon's tag and the container's id: a file in a group that only we can write names the monitor,
 * and its one child that is the first of a PID namespace is init. No file of ours has to be right
 * for that.
 *
 * The table has one lock, which is never held while waiting. What is returned are copies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "drivers/instance/ct/ct_config.h"
#include "drivers/instance/ct/ct_cpu.h"
#include "drivers/instance/ct/ct_spawner.h"
#include "drivers/instance/instance_driver.h"
#include "lib/base/error.h"
#include "lib/base/thread.h"
#include "lib/linux/cgroup.h"

struct ct_container;
struct map;

#define CT_ENGINE_BIND_PATHS 9

struct instance_engine {
	struct instance_engine_setup setup;
	struct ct_spawner *spawner;
	struct cgroup *cg;
	struct ct_config_host host;
	const char *bind_paths[CT_ENGINE_BIND_PATHS];
	char *payload_group, *monitor_group, *pivot_group;

	struct mutex lock;
	struct cond changed;    /* A container was removed from the table. */
	struct map *containers; /* By id. GUARDED. */
	const char *reporting;  /* The id whose end on_exit is being told, or NULL. GUARDED. */
};

int ct_engine_new(const struct instance_engine_setup *setup, struct instance_engine **ret_engine,
                  struct error **err);
void ct_engine_free(struct instance_engine *engine);

/* Looks for a running container by its groups and watches it. Returns whether it runs. */
bool ct_engine_find(struct instance_engine *engine, const char *run_dir);

/* Watches a container that was just started. 'init_pidfd' becomes the engine's. */
int ct_engine_add(struct instance_engine *engine, const char *run_dir, pid_t init, int init_pidfd,
                  const struct ct_cpu_wish *cpu, struct error **err);

/* Where a container runs. */
struct ct_running {
	pid_t init;
	pid_t monitor;
	bool is_frozen;
	char run_dir[256];
};

/* Copies that; false if it does not run. */
bool ct_engine_get(struct instance_engine *engine, const char *id, struct ct_running *ret_running);

/* See struct instance_driver. */
void ct_engine_each(struct instance_engine *engine,
                    void (*fn)(const char *id, enum instance_status status, void *arg), void *arg);

/* The same, but fails with LXD's 400 "Instance is not running". */
int ct_engine_need(struct instance_engine *engine, const char *id, struct ct_running *ret_running,
                   struct error **err);

/* Signals init. -ESRCH if it does not run. */
int ct_engine_signal(struct instance_engine *engine, const char *id, int signal);
int ct_engine_signal_monitor(struct instance_engine *engine, const char *id, int signal);

/*
 * Waits until the container has stopped and on_exit was called for it. 0, -ETIMEDOUT, or
 * -ECANCELED. 'op' may be NULL. Not on the loop thread.
 */
int ct_engine_wait_stopped(struct instance_engine *engine, const char *id, int64_t deadline,
                           const struct op *op);

void ct_engine_set_frozen(struct instance_engine *engine, const char *id, bool is_frozen);

/* Remembers limits that were changed since the start: a reboot from inside would undo them. */
void ct_engine_keep_limits(struct instance_engine *engine, const char *id,
                           const struct ct_limits *limits);

/* Keeps a duplicate of the connection that holds the console, so that it can be ended. */
void ct_engine_set_console(struct instance_engine *engine, const char *id, int connection);
void ct_engine_end_console(struct instance_engine *engine, const char *id);

/*
 * Remembers what CPUs a container wants, balances all, and writes the sets that changed. NULL as id
 * only balances.
 */
void ct_engine_balance(struct instance_engine *engine, const char *id,
                       const struct ct_cpu_wish *wish);

/* The set that a container which is about to start will get; owned by the caller, NULL: no limit.
 */
char *ct_engine_cpus_for(struct instance_engine *engine, const struct ct_cpu_wish *wish);

/* "muster.payload.TAG/ID", owned by the caller. */
char *ct_engine_group(const struct instance_engine *engine, const char *id);
