/*
 * What this server is made of: kernel, distribution, and what the drivers say of themselves. Found
 * out once at start; GET /1.0 shows it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct json_object;

struct environment_driver {
	char *name;
	char *version;
	bool is_remote;
};

struct environment {
	char *kernel;         /* "Linux" */
	char *kernel_version; /* "6.1.0-18-amd64" */
	char *architecture;   /* "x86_64" */
	char *os_name;        /* "Debian GNU/Linux" */
	char *os_version;     /* "12" */

	/* These are filled in by whoever knows the drivers. */
	char *driver;         /* "lxc" */
	char *driver_version; /* "5.0.2" */
	char *firewall;       /* "nftables" */
	char **lxc_features;  /* Names that liblxc has; ends with NULL. */
	struct environment_driver *storage_drivers;
	size_t n_storage_drivers;
};

/* With what the kernel and the distribution say. */
struct environment *environment_new(void);
void environment_free(struct environment *env);

void environment_add_storage_driver(struct environment *env, const char *name, const char *version,
                                    bool is_remote);

/* Architectures whose programs run here, the machine's own first: {"x86_64", "i686", NULL}. */
const char *const *environment_architectures(const struct environment *env);

/* {"idmapped_mounts": "true", ...}; owned by the caller. */
struct json_object *environment_kernel_features(const struct environment *env);
