/* What /proc says of a process. Returns negative errno; -ESRCH if there is no such process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Parent's pid and start time in clock ticks since boot. Either output may be NULL. */
int procfs_stat(pid_t pid, pid_t *ret_parent, uint64_t *ret_started);

/* When it started, in seconds since 1970. */
int procfs_started_at(pid_t pid, uint64_t *ret_seconds);

/* Whether it is the first process of a PID namespace below ours. */
bool procfs_is_namespace_init(pid_t pid);

/* Its child that is the first process of a PID namespace; -ENOENT if it has none. */
int procfs_namespace_child(pid_t pid, pid_t *ret_child);

/* MemTotal of /proc/meminfo in bytes. */
int procfs_memory_total(uint64_t *ret_bytes);
