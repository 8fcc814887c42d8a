/*
 * The "limits.*" keys as files of control groups.
 *
 * Pure: what this system has comes in. The same list becomes lines of liblxc's config at start and
 * writes into a running container's groups later. The CPUs themselves are not in it, since they
 * depend on all other containers: ct_cpu.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/linux/cgroup.h"

struct smap;

/* What the limits depend on. */
struct ct_limits_host {
	bool has[N_CGROUP_CONTROLLERS];
	bool is_v2[N_CGROUP_CONTROLLERS];
	bool has_swap;
	uint64_t memory_total; /* Bytes, for percentages. */
};

void ct_limits_host_of(const struct cgroup *cg, struct ct_limits_host *ret_host);

struct ct_limit {
	enum cgroup_controller controller;
	char file[40];
	char value[64];
	bool is_optional; /* Whether the kernel has the file depends on its config. */
};

/* Enough for all that there are. */
#define CT_LIMITS_MAX 24

struct ct_limits {
	struct ct_limit items[CT_LIMITS_MAX];
	size_t n_items;
};

/*
 * All limits, those that are not set as "no limit", so that a removed key takes effect when it is
 * applied to a running container. With 'only_set' those are left out. Fails with a 400 for a value
 * that makes no sense here, also for limits of controllers that this system does not have.
 */
int ct_limits_of(const struct smap *config, const struct ct_limits_host *host, bool only_set,
                 struct ct_limits *ret_limits, struct error **err);

/* Writes them into a group. Tries again what failed once others are written: their order matters.
 */
int ct_limits_apply(const struct cgroup *cg, const char *group, const struct ct_limits *limits,
                    struct error **err);

/* "50%", "25ms/100ms": quota in microseconds per period (0: none) and part of the weight. */
int ct_limits_parse_allowance(const char *value, unsigned *ret_percent, uint64_t *ret_quota_us,
                              uint64_t *ret_period_us);

/* "512MiB" or "50%" of 'total'. -EINVAL, -ERANGE. */
int ct_limits_parse_memory(const char *value, uint64_t total, uint64_t *ret_bytes);
