/*
 * What a driver may ask of its daemon.
 *
 * Drivers know no database, no cluster and no HTTP. What they need from above is in struct host:
 * where things live, and a few calls. daemon/driver_host.c fills it for the daemon, tests fill it
 * by hand; any function may be NULL, and the host_ functions below then do nothing and succeed.
 */
#pragma once

#include "lib/base/error.h"

struct host_change {
	const char *key;   /* "volatile.eth0.hwaddr" */
	const char *value; /* NULL removes the key. */
};

struct host_ops {
	/* Writes volatile keys of an instance, all in one transaction. */
	int (*volatile_write)(void *arg, const char *project, const char *instance,
	                      const struct host_change *changes, size_t n_changes,
	                      struct error **err);

	/* Raises or repeats a warning of type 'type' ("Storage pool unavailable") about an entity.
	 */
	void (*warning_raise)(void *arg, const char *project, const char *type,
	                      const char *entity_url, const char *message);
	void (*warning_resolve)(void *arg, const char *project, const char *type,
	                        const char *entity_url);
};

struct host {
	const struct host_ops *ops;
	void *arg;

	const char *var_dir; /* $MUSTER_DIR, absolute, without a final slash. */
	const char *run_dir; /* $MUSTER_DIR/run unless told otherwise. */
	const char *log_dir; /* $MUSTER_DIR/logs */

	/* The program whose first argument is a helper's name; "/proc/self/exe" in the daemon. */
	const char *helper_program;
};

int host_volatile_write(const struct host *host, const char *project, const char *instance,
                        const struct host_change *changes, size_t n_changes, struct error **err);
void host_warning_raise(const struct host *host, const char *project, const char *type,
                        const char *entity_url, const char *message);
void host_warning_resolve(const struct host *host, const char *project, const char *type,
                          const char *entity_url);
