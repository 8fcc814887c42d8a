/*
 * What an instance driver is.
 *
 * A driver runs instances and knows which of them run. It sees no database, no project, no
 * request: daemon/instance resolves those into a struct instance_spec, holds the instance's named
 * lock for each call that changes it, keeps rows and events.
 *
 * One struct instance_engine per driver and daemon holds what is running. Instances do not depend
 * on it: they go on when the daemon is killed, and instance_engine_find() finds them again.
 *
 * Unless told otherwise functions block, are called on worker threads, and undo what they did when
 * they fail. Functions that take an 'id' know only instances that the engine watches: those that it
 * started or found.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "drivers/device/run_config.h"
#include "drivers/host/rootfs.h"
#include "drivers/instance/instance_files.h"
#include "drivers/instance/instance_process.h"
#include "drivers/instance/instance_state.h"
#include "lib/base/error.h"

struct host;
struct idmap;
struct loop;
struct smap;
struct op;

/*
 * Everything that a driver may know of an instance. A record; the caller owns all of it, and it is
 * not needed after the call.
 */
struct instance_spec {
	const char *project;
	const char *name;

	/*
	 * Its name on this machine: "c1", or "PROJECT_c1" outside the default project, as storage
	 * volumes are named. Unique per daemon; what the engine knows it by.
	 */
	const char *id;

	const struct smap *config; /* Expanded: profiles and own keys, "volatile.*" too. */

	const char *hostname; /* NULL: 'name'. */

	const char *rootfs_path; /* Mounted; .../rootfs of the root volume. */
	enum rootfs_shift rootfs_shift;
	bool rootfs_is_readonly;

	bool is_privileged;        /* "security.privileged", for convenience. */
	const struct idmap *idmap; /* Empty or NULL if privileged. See instance_idmap.h. */

	const struct run_config *const *devices; /* Started devices, in order. */
	size_t n_devices;

	/*
	 * Folders of this instance; the driver makes and removes them. run_dir must end in "/ID".
	 *   run_dir  $MUSTER_DIR/run/containers/ID: liblxc's config
	 *   log_dir  $MUSTER_DIR/logs/ID: lxc.conf (a copy), lxc.log, console.log
	 */
	const char *run_dir;
	const char *log_dir;
};

enum instance_exit {
	INSTANCE_EXIT_STOPPED, /* Halted from inside, or stopped by us, or killed. */
	/*
	 * Rebooted from inside: it is running again already, with the config that it was started
	 * with; limits that were changed since are kept.
	 */
	INSTANCE_EXIT_REBOOTED,
};

/*
 * What happened to an instance, whoever caused it. Called on the loop thread; must not block. A
 * stop that the driver itself carries out is reported as well, before stop() returns at the
 * earliest.
 */
typedef void instance_exit_fn(void *arg, const char *id, enum instance_exit what);

struct instance_engine_setup {
	const struct host *host;
	struct loop *loop;
	instance_exit_fn *on_exit; /* May be NULL. */
	void *arg;
	const char
		*tag; /* Names this daemon's cgroups apart from those of others: [a-z0-9-]{1,40}. */
};

struct instance_engine;

enum instance_cap {
	INSTANCE_CAP_EXEC = 1 << 0,
	INSTANCE_CAP_FREEZE = 1 << 1,
	INSTANCE_CAP_LIVE_LIMITS = 1 << 2,
};

struct instance_driver {
	const char *name; /* "lxc", as GET /1.0 names it. */
	const char *type; /* "container" */
	uint32_t caps;    /* enum instance_cap bits. */

	/* The version that GET /1.0 shows: "5.0.2". Owned by the caller. */
	char *(*version)(void);

	int (*engine_new)(const struct instance_engine_setup *setup,
	                  struct instance_engine **ret_engine, struct error **err);
	/* Lets go of everything; instances run on. */
	void (*engine_free)(struct instance_engine *engine);

	/*
	 * Looks which of these instances run already, watches those and says so in 'ret_running'.
	 * Called once at start, with the lock of none.
	 */
	int (*find)(struct instance_engine *engine, const char *const *run_dirs, size_t n_dirs,
	            bool *ret_running, struct error **err);

	/* Fails with a 400 for config that would not start ("raw.lxc", limits, mounts). No effects.
	 */
	int (*validate)(struct instance_engine *engine, const struct instance_spec *spec,
	                struct error **err);

	/* Starts it; returns when it runs. 'freeze_first' is for later. Already running is a 400.
	 */
	int (*start)(struct instance_engine *engine, const struct instance_spec *spec,
	             struct op *op, struct error **err);

	/* Kills it at once; returns when all of it is gone. Not running is fine. */
	int (*stop)(struct instance_engine *engine, const char *id, struct error **err);

	/*
	 * Asks its init to halt and waits. 'timeout_s' < 0: forever. A timeout fails with
	 * -ETIMEDOUT and leaves it running. A frozen one is unfrozen first.
	 */
	int (*shutdown)(struct instance_engine *engine, const char *id, int timeout_s,
	                struct op *op, struct error **err);

	int (*freeze)(struct instance_engine *engine, const char *id, struct error **err);
	int (*unfreeze)(struct instance_engine *engine, const char *id, struct error **err);

	/* From memory; never fails, never blocks. */
	enum instance_status (*status)(struct instance_engine *engine, const char *id);

	/* All that run or are frozen, from memory. 'fn' calls nothing of the engine. */
	void (*each_running)(struct instance_engine *engine,
	                     void (*fn)(const char *id, enum instance_status status, void *arg),
	                     void *arg);

	/*
	 * Fills one state per id; what is not running gets zeros. Reads the kernel, does not fork:
	 * cheap for lists. 'parts' are enum instance_state_part bits.
	 */
	int (*states)(struct instance_engine *engine, const char *const *ids, size_t n_ids,
	              uint32_t parts, struct instance_state *ret_states, struct error **err);

	/* Host's pid of its init, or 0. */
	pid_t (*pid)(struct instance_engine *engine, const char *id);

	/* Runs a command inside. See instance_process.h. */
	int (*exec)(struct instance_engine *engine, const struct instance_spec *spec,
	            const struct instance_exec *exec, struct instance_process **ret_process,
	            struct error **err);

	/*
	 * The console as a pty: reading and writing it is being on it. One client at a time; a 400
	 * "The console is already in use" otherwise unless 'force', which ends the other's session.
	 * The process ends when the instance stops; freeing it detaches.
	 */
	int (*console)(struct instance_engine *engine, const char *id, bool force,
	               struct instance_process **ret_process, struct error **err);

	/* What the console wrote, last bytes only. Owned by the caller. Running or not. */
	int (*console_log)(struct instance_engine *engine, const struct instance_spec *spec,
	                   char **ret_log, size_t *ret_size, struct error **err);
	int (*console_clear)(struct instance_engine *engine, const struct instance_spec *spec,
	                     struct error **err);

	/* Applies all limits of 'spec->config' to a running instance. */
	int (*update_limits)(struct instance_engine *engine, const struct instance_spec *spec,
	                     struct error **err);

	/* Adds to or removes from a running instance what one device wants. */
	int (*device_add)(struct instance_engine *engine, const struct instance_spec *spec,
	                  const struct run_config *run, struct error **err);
	int (*device_remove)(struct instance_engine *engine, const struct instance_spec *spec,
	                     const struct run_config *run, struct error **err);

	/*
	 * A session on its files; running or stopped (then rootfs_path must be mounted). See
	 * instance_files.h.
	 */
	int (*files_open)(struct instance_engine *engine, const struct instance_spec *spec,
	                  struct instance_files **ret_files, struct error **err);

	/* The same, as a socket that speaks SFTP: our end, the caller's. Closing it ends it. */
	int (*sftp)(struct instance_engine *engine, const struct instance_spec *spec, int *ret_fd,
	            struct error **err);

	/* Removes run_dir and log_dir of a stopped instance, when it is deleted. */
	int (*forget)(struct instance_engine *engine, const struct instance_spec *spec,
	              struct error **err);
};

extern const struct instance_driver *const instance_drivers[]; /* Ends with NULL. */

/* By type, "container"; NULL if there is none. */
const struct instance_driver *instance_driver_find(const char *type);
