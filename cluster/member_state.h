/* Load, memory and pools of this member: GET /1.0/cluster/members/NAME/state. */
#pragma once

#include <stdint.h>

#include "lib/base/error.h"

struct cluster;
struct json_object;

struct member_state {
	uint64_t uptime; /* Seconds. */
	double load_averages[3];
	uint64_t total_ram, free_ram, shared_ram, buffered_ram; /* Bytes. */
	uint64_t total_swap, free_swap;                         /* Bytes. */
	uint64_t n_processes;
	uint64_t n_logical_cpus;
};

int member_state_read(struct member_state *ret_state, struct error **err);

/* Bytes of RAM and number of processors of this machine. */
uint64_t member_state_memory(void);
unsigned member_state_cpus(void);

/* {"sysinfo": {...}, "storage_pools": {...}} of this member; owned. */
int member_state_json(struct cluster *cluster, struct json_object **ret_state, struct error **err);
