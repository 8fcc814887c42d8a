/*
 * An instance's config as liblxc's items.
 *
 * Pure: everything comes in, a text goes out; golden files test it. Values are typed and printed
 * anew; whatever is copied as it is ("raw.lxc", paths, variables) is refused if it holds a
 * control character, since a line break would be another item.
 */
#pragma once

#include <stdbool.h>

#include "drivers/instance/ct/ct_limits.h"
#include "lib/base/error.h"
#include "lib/base/strbuf.h"

struct instance_spec;
struct run_mount;

/* What this machine is like. Strings are borrowed. */
struct ct_config_host {
	struct ct_limits_host limits;
	const char *payload_group; /* Parents of the containers' groups: "muster.payload.TAG" */
	const char *monitor_group;
	const char *pivot_group;
	const char *const *bind_paths; /* Below /proc and /sys, to show inside if they are there. */
	const char *lxcfs_path;        /* "/var/lib/lxcfs", or NULL. */
	bool has_apparmor;
	bool has_apparmor_parser;
	bool has_userns_in_userns; /* We are in a user namespace ourselves: no device limits. */
	bool debug;
};

/*
 * Appends the config of 'spec'. 'cpus' is the set for its group or NULL; 'seccomp_path' the policy
 * or NULL. Fails with a 400 for what cannot be expressed.
 */
int ct_config_write(const struct instance_spec *spec, const struct ct_config_host *host,
                    const char *cpus, const char *seccomp_path, struct strbuf *ret_text,
                    struct error **err);

/*
 * Whether a disk is mounted from CT_JOB_DISKS, where CT_JOB_START puts it, not from its own path:
 * root of an unprivileged container has no way to that. They count from 0 in the order of devices.
 */
bool ct_config_is_staged(const struct instance_spec *spec, const struct run_mount *mount);

/* Checks "raw.lxc": lines "lxc.key = value", without the keys that are ours. Fails with a 400. */
int ct_config_check_raw(const char *value, struct error **err);

/* A word of fstab(5): blanks and backslashes as octal numbers. Owned by the caller. */
char *ct_config_escape(const char *path);

/* Whether 'text' has no control character. */
bool ct_config_is_plain(const char *text);
