#include "drivers/instance/ct/ct_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/linux/procfs.h"

#define PERIOD_US 100000
#define MAX_PERIOD_US 1000000 /* The kernel's. */
#define MIN_QUOTA_US 1000
#define NO_LIMIT_V1 "-1"
#define NO_LIMIT_V2 "max"
#define SWAPPINESS 60

struct builder {
	const struct smap *config;
	const struct ct_limits_host *host;
	struct ct_limits *limits;
	bool only_set;
};

void ct_limits_host_of(const struct cgroup *cg, struct ct_limits_host *ret_host)
{
	struct ct_limits_host host = { .has_swap = cgroup_has_swap(cg) };

	for (int c = 0; c < N_CGROUP_CONTROLLERS; c++) {
		host.has[c] = cgroup_has(cg, c);
		host.is_v2[c] = cgroup_is_v2(cg, c);
	}
	procfs_memory_total(&host.memory_total);
	*ret_host = host;
}

static struct ct_limit *add(struct builder *b, enum cgroup_controller controller, const char *file)
{
	assert(b->limits->n_items < CT_LIMITS_MAX);
	struct ct_limit *limit = &b->limits->items[b->limits->n_items++];

	*limit = (struct ct_limit){ .controller = controller };
	str_copy(limit->file, sizeof(limit->file), file);
	return limit;
}

static struct ct_limit *add_text(struct builder *b, enum cgroup_controller controller,
                                 const char *file, const char *value)
{
	struct ct_limit *limit = add(b, controller, file);

	str_copy(limit->value, sizeof(limit->value), value);
	return limit;
}

static struct ct_limit *add_number(struct builder *b, enum cgroup_controller controller,
                                   const char *file, uint64_t value)
{
	struct ct_limit *limit = add(b, controller, file);

	snprintf(limit->value, sizeof(limit->value), "%" PRIu64, value);
	return limit;
}

/* Whether a controller's part is to be written at all; 'value' is the key that asks for it. */
static int wants(const struct builder *b, enum cgroup_controller controller, const char *key,
                 const char *value, struct error **err)
{
	if (!b->host->has[controller]) {
		if (!value)
			return 0;
		return error_set(
			err, 400,
			"Cannot apply \"%s\" as the host has no such control group controller",
			key);
	}

	return value || !b->only_set;
}

int ct_limits_parse_allowance(const char *value, unsigned *ret_percent, uint64_t *ret_quota_us,
                              uint64_t *ret_period_us)
{
	const char *slash = strchr(value, '/');
	int64_t quota_ms, period_ms;

	if (!slash) {
		unsigned percent;
		if (parse_percent(value, &percent) < 0 || percent == 0)
			return -EINVAL;
		*ret_percent = percent;
		*ret_quota_us = 0;
		*ret_period_us = PERIOD_US;
		return 0;
	}

	scoped_free char *quota = xstrdup(value);
	quota[slash - value] = '\0';
	if (!str_ends(quota, "ms") || !str_ends(slash, "ms") ||
	    parse_duration(quota, &quota_ms) < 0 || parse_duration(slash + 1, &period_ms) < 0)
		return -EINVAL;
	if (quota_ms * 1000 < MIN_QUOTA_US || period_ms * 1000 < MIN_QUOTA_US ||
	    period_ms * 1000 > MAX_PERIOD_US || quota_ms > INT32_MAX)
		return -ERANGE;
	*ret_percent = 100;
	*ret_quota_us = (uint64_t)quota_ms * 1000;
	*ret_period_us = (uint64_t)period_ms * 1000;
	return 0;
}

int ct_limits_parse_memory(const char *value, uint64_t total, uint64_t *ret_bytes)
{
	unsigned percent;
	int64_t bytes;

	if (str_ends(value, "%")) {
		int r = parse_percent(value, &percent);
		if (r < 0 || percent == 0)
			return -EINVAL;
		*ret_bytes = total / 100 * percent + total % 100 * percent / 100;
		return 0;
	}

	int r = parse_size(value, &bytes);
	if (r < 0 || bytes <= 0)
		return r < 0 ? r : -EINVAL;
	*ret_bytes = (uint64_t)bytes;
	return 0;
}

static int add_cpu(struct builder *b, struct error **err)
{
	const char *allowance = smap_get_or(b->config, "limits.cpu.allowance", NULL);
	const char *priority = smap_get_or(b->config, "limits.cpu.priority", NULL);
	unsigned percent = 100;
	uint64_t quota = 0, period = PERIOD_US;
	int rank = 10;

	int r = wants(b, CGROUP_CPU, "limits.cpu.allowance", allowance ? allowance : priority, err);
	if (r <= 0)
		return r;
	if (allowance && ct_limits_parse_allowance(allowance, &percent, &quota, &period) < 0)
		return error_set(err, 400, "Invalid value for \"limits.cpu.allowance\": \"%s\"",
		                 allowance);
	if (priority && (parse_int(priority, &rank) < 0 || rank < 0 || rank > 10))
		return error_set(err, 400, "Invalid value for \"limits.cpu.priority\": \"%s\"",
		                 priority);

	/* Priority only breaks ties: it takes up to ten shares off. */
	if (b->host->is_v2[CGROUP_CPU]) {
		int weight = (int)percent - (10 - rank);
		struct ct_limit *max = add(b, CGROUP_CPU, "cpu.max");

		if (quota)
			snprintf(max->value, sizeof(max->value), "%" PRIu64 " %" PRIu64, quota,
			         period);
		else
			snprintf(max->value, sizeof(max->value), "max %" PRIu64, period);
		add_number(b, CGROUP_CPU, "cpu.weight", (uint64_t)MAX_OF(weight, 1));
		return 0;
	}

	int shares = (int)(1024 * percent / 100) - (10 - rank);
	add_number(b, CGROUP_CPU, "cpu.shares", (uint64_t)MAX_OF(shares, 2));
	add_number(b, CGROUP_CPU, "cpu.cfs_period_us", period);
	if (quota)
		add_number(b, CGROUP_CPU, "cpu.cfs_quota_us", quota);
	else
		add_text(b, CGROUP_CPU, "cpu.cfs_quota_us", NO_LIMIT_V1);
	return 0;
}

static void add_memory_v2(struct builder *b, uint64_t bytes, bool is_soft, bool may_swap)
{
	if (bytes && !is_soft)
		add_number(b, CGROUP_MEMORY, "memory.max", bytes);
	else
		add_text(b, CGROUP_MEMORY, "memory.max", NO_LIMIT_V2);
	if (bytes && is_soft)
		add_number(b, CGROUP_MEMORY, "memory.high", bytes);
	else
		add_text(b, CGROUP_MEMORY, "memory.high", NO_LIMIT_V2);
	if (b->host->has_swap)
		add_text(b, CGROUP_MEMORY, "memory.swap.max",
		         !may_swap || (bytes && !is_soft) ? "0" : NO_LIMIT_V2)
			->is_optional = true;
}

static void add_memory_v1(struct builder *b, uint64_t bytes, bool is_soft)
{
	/* A hard limit also has a soft one a tenth below, so that reclaim begins before it. */
	if (bytes && !is_soft)
		add_number(b, CGROUP_MEMORY, "memory.limit_in_bytes", bytes);
	else
		add_text(b, CGROUP_MEMORY, "memory.limit_in_bytes", NO_LIMIT_V1);
	if (b->host->has_swap && bytes && !is_soft)
		add_number(b, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", bytes);
	else if (b->host->has_swap)
		add_text(b, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", NO_LIMIT_V1);
	if (bytes)
		add_number(b, CGROUP_MEMORY, "memory.soft_limit_in_bytes",
		           is_soft ? bytes : bytes / 10 * 9)
			->is_optional = true;
	else
		add_text(b, CGROUP_MEMORY, "memory.soft_limit_in_bytes", NO_LIMIT_V1)->is_optional =
			true;
}

static int add_memory(struct builder *b, struct error **err)
{
	const char *limit = smap_get_or(b->config, "limits.memory", NULL);
	const char *swap = smap_get_or(b->config, "limits.memory.swap", NULL);
	const char *rank_text = smap_get_or(b->config, "limits.memory.swap.priority", NULL);
	bool is_soft = str_equals(smap_get(b->config, "limits.memory.enforce"), "soft");
	bool may_swap = !swap || parse_is_true(swap);
	uint64_t bytes = 0;
	int rank = 10;

	int r = wants(b, CGROUP_MEMORY, "limits.memory",
	              limit  ? limit
	              : swap ? swap
	                     : rank_text,
	              err);
	if (r <= 0)
		return r;
	if (limit && ct_limits_parse_memory(limit, b->host->memory_total, &bytes) < 0)
		return error_set(err, 400, "Invalid value for \"limits.memory\": \"%s\"", limit);
	if (rank_text && (parse_int(rank_text, &rank) < 0 || rank < 0 || rank > 10))
		return error_set(err, 400,
		                 "Invalid value for \"limits.memory.swap.priority\": \"%s\"",
		                 rank_text);

	if (b->host->is_v2[CGROUP_MEMORY]) {
		add_memory_v2(b, bytes, is_soft, may_swap);
		return 0;
	}

	if (limit || !b->only_set)
		add_memory_v1(b, bytes, is_soft);
	if (swap || rank_text || !b->only_set)
		add_number(b, CGROUP_MEMORY, "memory.swappiness",
		           may_swap ? (uint64_t)(SWAPPINESS - 10 + rank) : 0)
			->is_optional = true;
	return 0;
}

static int add_processes(struct builder *b, struct error **err)
{
	const char *limit = smap_get_or(b->config, "limits.processes", NULL);
	uint64_t n;

	int r = wants(b, CGROUP_PIDS, "limits.processes", limit, err);
	if (r <= 0)
		return r;
	if (!limit) {
		add_text(b, CGROUP_PIDS, "pids.max", "max");
		return 0;
	}
	if (parse_uint64(limit, &n) < 0 || n == 0)
		return error_set(err, 400, "Invalid value for \"limits.processes\": \"%s\"", limit);
	add_number(b, CGROUP_PIDS, "pids.max", n);
	return 0;
}

static int add_disk(struct builder *b, struct error **err)
{
	const char *priority = smap_get_or(b->config, "limits.disk.priority", NULL);
	int rank = 5;

	int r = wants(b, CGROUP_BLKIO, "limits.disk.priority", priority, err);
	if (r <= 0)
		return r;
	if (priority && (parse_int(priority, &rank) < 0 || rank < 0 || rank > 10))
		return error_set(err, 400, "Invalid value for \"limits.disk.priority\": \"%s\"",
		                 priority);

	uint64_t weight = priority ? (uint64_t)MAX_OF(rank * 100, 10) : 500;
	bool is_v2 = b->host->is_v2[CGROUP_BLKIO];
	add_number(b, CGROUP_BLKIO, is_v2 ? "io.weight" : "blkio.weight", weight)->is_optional =
		true;
	return 0;
}

static int add_hugepages(struct builder *b, struct error **err)
{
	static const char *const sizes[] = { "64KB", "1MB", "2MB", "1GB" };

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		char key[32], file[40];
		int64_t bytes;

		snprintf(key, sizeof(key), "limits.hugepages.%s", sizes[i]);
		const char *limit = smap_get_or(b->config, key, NULL);
		int r = wants(b, CGROUP_HUGETLB, key, limit, err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;

		bool is_v2 = b->host->is_v2[CGROUP_HUGETLB];
		snprintf(file, sizeof(file), "hugetlb.%s.%s", sizes[i],
		         is_v2 ? "max" : "limit_in_bytes");
		if (limit && parse_size(limit, &bytes) < 0)
			return error_set(err, 400, "Invalid value for \"%s\": \"%s\"", key, limit);
		struct ct_limit *item = limit ? add_number(b, CGROUP_HUGETLB, file, (uint64_t)bytes)
		                              : add_text(b, CGROUP_HUGETLB, file,
		                                         is_v2 ? NO_LIMIT_V2 : NO_LIMIT_V1);
		item->is_optional = !limit;
	}

	return 0;
}

int ct_limits_of(const struct smap *config, const struct ct_limits_host *host, bool only_set,
                 struct ct_limits *ret_limits, struct error **err)
{
	struct ct_limits limits = { .n_items = 0 };
	struct builder b = {
		.config = config, .host = host, .limits = &limits, .only_set = only_set
	};

	int r = add_cpu(&b, err);
	if (r >= 0)
		r = add_memory(&b, err);
	if (r >= 0)
		r = add_processes(&b, err);
	if (r >= 0)
		r = add_disk(&b, err);
	if (r >= 0)
		r = add_hugepages(&b, err);
	if (r < 0)
		return r;

	*ret_limits = limits;
	return 0;
}

int ct_limits_apply(const struct cgroup *cg, const char *group, const struct ct_limits *limits,
                    struct error **err)
{
	bool done[CT_LIMITS_MAX] = { false };

	/*
	 * Version 1 refuses a memory limit above the one of memory and swap together, and the
	 * other way round when both shrink; one order is right in each case.
	 */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < limits->n_items; i++) {
			const struct ct_limit *limit = &limits->items[i];
			if (done[i])
				continue;

			int r = cgroup_write(cg, limit->controller, group, limit->file,
			                     limit->value);
			done[i] = r == 0 || limit->is_optional;
			if (!done[i] && round == 1 && r == -EBUSY)
				return error_set(
					err, 400,
					"Failed setting \"%s\" to %s: more than that is in use",
					limit->file, limit->value);
			if (!done[i] && round == 1)
				return error_set_errno(err, r, "Failed setting \"%s\" to \"%s\"",
				                       limit->file, limit->value);
		}
	}

	return 0;
}
