/*
 * Control groups, version 1, 2 or both at once, behind one set of names.
 *
 * Version 1 has a tree per controller, version 2 one for all; a hybrid system has both, and each
 * controller lives in one of them. Callers name a controller and a group; where that is, is found
 * here. Groups are named relative to the group of process 1, as liblxc does, so that a daemon in a
 * PID namespace of its own keeps its groups below its own.
 *
 * Returns negative errno; -EOPNOTSUPP if this system does not have the controller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/scoped.h"

enum cgroup_controller {
	CGROUP_CPU,
	CGROUP_CPUACCT, /* Version 2: part of CPU. */
	CGROUP_CPUSET,
	CGROUP_MEMORY,
	CGROUP_PIDS,
	CGROUP_FREEZER, /* Version 2: always there. */
	CGROUP_DEVICES, /* Version 2: not files, but BPF; has() is true. */
	CGROUP_BLKIO,   /* Version 2: "io". */
	CGROUP_HUGETLB,
	N_CGROUP_CONTROLLERS,
};

struct cgroup;

/* Looks once at what is mounted. */
int cgroup_open(struct cgroup **ret_cgroup);

/* For tests: the same from texts in the form of /proc/self/mountinfo and /proc/1/cgroup. */
int cgroup_parse(const char *mountinfo, const char *init_cgroup, struct cgroup **ret_cgroup);
void cgroup_free(struct cgroup *cg);
DEFINE_SCOPED(struct cgroup *, cgroup_free);

bool cgroup_has(const struct cgroup *cg, enum cgroup_controller controller);

/* Whether the controller is in version 2's tree: its files are named otherwise. */
bool cgroup_is_v2(const struct cgroup *cg, enum cgroup_controller controller);

/* Whether limits and counts include swap: memory.memsw.* or memory.swap.* are there. */
bool cgroup_has_swap(const struct cgroup *cg);

/* The folder of a group, owned by the caller; NULL without the controller. */
char *cgroup_path(const struct cgroup *cg, enum cgroup_controller controller, const char *group);

/* The whole file without the final line break; owned by the caller. */
int cgroup_read(const struct cgroup *cg, enum cgroup_controller controller, const char *group,
                const char *file, char **ret_text);

/* A file that holds one number; "max" is UINT64_MAX. */
int cgroup_read_number(const struct cgroup *cg, enum cgroup_controller controller,
                       const char *group, const char *file, uint64_t *ret_number);

/* The number after 'key' in a file of "key number" lines; -ENOENT if it has none. */
int cgroup_read_key(const struct cgroup *cg, enum cgroup_controller controller, const char *group,
                    const char *file, const char *key, uint64_t *ret_number);

int cgroup_write(const struct cgroup *cg, enum cgroup_controller controller, const char *group,
                 const char *file, const char *text);

/* The first process of a group in whatever tree has it; -ESRCH if it is empty, -ENOENT if absent.
 */
int cgroup_first_pid(const struct cgroup *cg, const char *group, pid_t *ret_pid);

/* Moves a process into a group in every tree that has the group. */
int cgroup_enter(const struct cgroup *cg, const char *group, pid_t pid);

/* Removes a group and those below it in every tree. -EBUSY if a process is left in one. */
int cgroup_remove(const struct cgroup *cg, const char *group);

/* Kills every process in a group and below, and waits until it is empty; -ETIMEDOUT after 10 s. */
int cgroup_kill(const struct cgroup *cg, const char *group);

int cgroup_freeze(const struct cgroup *cg, const char *group, bool freeze);
int cgroup_is_frozen(const struct cgroup *cg, const char *group, bool *ret_frozen);

struct cgroup_usage {
	int64_t processes; /* -1: not known. */
	uint64_t cpu_ns;
	uint64_t memory, memory_peak, memory_limit; /* Limit UINT64_MAX: none. */
	uint64_t swap, swap_peak;
};

/* What a group uses; what the system cannot say stays 0 (processes -1). */
void cgroup_usage(const struct cgroup *cg, const char *group, struct cgroup_usage *ret_usage);
