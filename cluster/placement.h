/*
 * Choosing the member that runs an instance.
 *
 * Pure and deterministic: all that the choice depends on is in the snapshot; nothing is read,
 * written, timed or drawn by lot. Creation, moves, evacuation, restore, healing and the dry run all
 * come here, so that each of them can say for every member that was not chosen why it was not.
 *
 * A member passes the filters or has the first reason that excluded it: it must be online and
 * schedulable, in the requested target or group, allowed to the project, of the right architecture,
 * in the recorded cluster group; have the pools and networks; have the memory and CPUs where limits
 * are set; and satisfy the placement group. Of those that pass the best is the one with the fewest
 * instances of a permissively spread group, then the fewest instances at all, then the largest
 * share of free memory, then the failure domain with the fewest instances of the group, then the
 * first by name.
 *
 * A snapshot is a set of arrays with borrowed strings. What changes while a plan is made (who is
 * where) is in a struct placement_usage, which starts as the snapshot says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

#define PLACEMENT_NONE SIZE_MAX

enum placement_schedule { PLACEMENT_ALL, PLACEMENT_GROUP, PLACEMENT_MANUAL };

struct placement_member {
	const char *name;
	const char *const *architectures;  /* Its own and its personalities; ends with NULL. */
	const char *const *cluster_groups; /* Ends with NULL. */
	const char *const *pools;          /* Ends with NULL; NULL: all. */
	const char *const *networks;       /* Ends with NULL; NULL: all. */
	const char *failure_domain;        /* "" or "default": none in particular. */
	enum placement_schedule schedule;
	bool is_online;
	bool is_evacuated;
	uint64_t memory; /* Bytes of RAM; 0: not known, everything fits. */
	unsigned n_cpus; /* 0: not known. */
};

enum placement_policy { PLACEMENT_SPREAD, PLACEMENT_COMPACT };

struct placement_group_row {
	const char *project;
	const char *name;
	enum placement_policy policy;
	bool is_strict;
};

struct placement_instance {
	int64_t id; /* 0: not made yet. */
	const char *project;
	const char *name;
	size_t member; /* Index, or PLACEMENT_NONE while it has no place. */
	size_t origin; /* Index of the member it was evacuated from, or PLACEMENT_NONE. */
	size_t group;  /* Index of its placement group, or PLACEMENT_NONE. */
	const char *cluster_group;         /* volatile.cluster.group, or NULL. */
	const char *const *allowed_groups; /* Of its project: ends with NULL; NULL: any. */
	const char *architecture;          /* NULL: any. */
	const char *const *pools;          /* That its disks need; ends with NULL; or NULL. */
	const char *root_pool;             /* Of its root disk, or NULL. */
	const char *const *networks;
	uint64_t memory; /* limits.memory in bytes, or 0. */
	unsigned n_cpus; /* limits.cpu as a count, or 0. */
	bool is_running;
	bool is_vm;
	bool may_live_migrate;
	const char *stuck;    /* Why its devices keep it where it is, or NULL. */
	const char *evacuate; /* cluster.evacuate; NULL: auto. */
	bool is_storage_shared;
	int64_t stop_priority; /* boot.stop.priority: higher stops first. */
	uint64_t n_bytes;      /* Of its volumes: what a move copies. */
};

struct placement_snapshot {
	const struct placement_member *members;
	size_t n_members;
	const struct placement_instance *instances; /* Reservations are among them. */
	size_t n_instances;
	const struct placement_group_row *groups;
	size_t n_groups;
};

enum placement_reason {
	PLACEMENT_CHOSEN,
	PLACEMENT_SOURCE,
	PLACEMENT_OFFLINE,
	PLACEMENT_EVACUATED,
	PLACEMENT_NOT_SCHEDULED,
	PLACEMENT_ONLY_GROUP,
	PLACEMENT_NOT_TARGET,
	PLACEMENT_NOT_TARGET_GROUP,
	PLACEMENT_NOT_ALLOWED,
	PLACEMENT_ARCHITECTURE,
	PLACEMENT_CLUSTER_GROUP,
	PLACEMENT_POOL,
	PLACEMENT_NETWORK,
	PLACEMENT_MEMORY,
	PLACEMENT_CPUS,
	PLACEMENT_GROUP_SPREAD,
	PLACEMENT_GROUP_COMPACT,
	PLACEMENT_MORE_OF_GROUP,
	PLACEMENT_MORE_INSTANCES,
	PLACEMENT_LESS_MEMORY,
	PLACEMENT_DOMAIN,
	PLACEMENT_NAME,
	N_PLACEMENT_REASONS
};

struct placement_rejection {
	uint32_t member; /* Index. */
	uint32_t reason; /* enum placement_reason */
	uint64_t have;   /* What the sentence counts, for reasons that do. */
	uint64_t want;
};

/* What to choose for, beside the instance itself. */
struct placement_wish {
	const struct placement_instance *instance;
	size_t target;            /* Exactly this member, or PLACEMENT_NONE. */
	const char *target_group; /* One of this cluster group ("@group" without "@"). */
	const char *const
		*allowed_groups; /* restricted.cluster.groups; ends with NULL; NULL: all. */
	size_t exclude;          /* Not this member (the source), or PLACEMENT_NONE. */
	const bool *excluded;    /* Or none of these, by index; or NULL. */
	bool is_explained;       /* Fill in 'rejections'. */
};

struct placement_choice {
	size_t member; /* Index, or PLACEMENT_NONE. */
	struct placement_rejection *rejections;
	size_t n_rejections;
	bool is_group_full; /* Nobody was left because of the placement group. */
};

struct placement_usage;

/* Where everything is, as the snapshot says; the snapshot must outlive it. */
struct placement_usage *placement_usage_new(const struct placement_snapshot *snapshot) MUST_CHECK;
void placement_usage_free(struct placement_usage *usage);
DEFINE_SCOPED(struct placement_usage *, placement_usage_free);

/* Counts 'instance' on a member (+1) or no longer (-1). It need not be of the snapshot. */
void placement_usage_add(struct placement_usage *usage, const struct placement_instance *instance,
                         size_t member, int count);

/* How many instances of a placement group are on a member. */
size_t placement_usage_group_count(const struct placement_usage *usage, size_t group,
                                   size_t member);

/* Whether 'member' passes every filter now; otherwise the first reason against it. */
enum placement_reason placement_check(const struct placement_usage *usage,
                                      const struct placement_wish *wish, size_t member,
                                      struct placement_rejection *ret_rejection);

/* Chooses. Never fails: no choice is PLACEMENT_NONE. */
void placement_choose(const struct placement_usage *usage, const struct placement_wish *wish,
                      struct placement_choice *ret_choice);
void placement_choice_done(struct placement_choice *choice);

/*
 * The error for a wish that found nobody, as LXD says it: 409 when the placement group is the
 * cause, 404 otherwise. Returns its errno.
 */
int placement_error(const struct placement_snapshot *snapshot, const struct placement_wish *wish,
                    const struct placement_choice *choice, struct error **err);

/* Why a member was not chosen, as a sentence without a period. Owned by the caller. */
char *placement_rejection_text(const struct placement_snapshot *snapshot,
                               const struct placement_instance *instance,
                               const struct placement_rejection *rejection) MUST_CHECK;

/* Why the chosen member was. Owned by the caller. */
char *placement_chosen_text(const struct placement_usage *usage, const struct placement_wish *wish,
                            const struct placement_choice *choice) MUST_CHECK;
