/* What an instance is doing and uses, as drivers report it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum instance_status {
	INSTANCE_STOPPED,
	INSTANCE_RUNNING,
	INSTANCE_FROZEN,
};

enum instance_state_part {
	INSTANCE_STATE_USAGE = 1 << 0,   /* Processes, CPU, memory. */
	INSTANCE_STATE_NETWORK = 1 << 1, /* Interfaces, addresses, counters. */
};

struct instance_address {
	char family[6]; /* "inet", "inet6" */
	char address[46];
	char netmask[4]; /* Prefix length: "24". */
	char scope[8];   /* "global", "link", "local" */
};

struct instance_interface {
	char name[16];
	char host_name[16]; /* Of the host's end, or "". */
	char hwaddr[64];
	char state[8]; /* "up", "down" */
	char type[16]; /* "broadcast", "loopback", "point-to-point", "unknown" */
	uint32_t mtu;
	struct instance_address *addresses;
	size_t n_addresses;
	struct {
		uint64_t bytes_received, bytes_sent;
		uint64_t packets_received, packets_sent;
		uint64_t errors_received, errors_sent;
		uint64_t dropped_inbound, dropped_outbound;
	} counters;
};

struct instance_state {
	enum instance_status status;
	pid_t pid;           /* Of its init on the host; 0 if stopped. */
	int64_t processes;   /* -1: not known. */
	uint64_t started_at; /* Seconds since 1970; 0 if stopped. */

	uint64_t cpu_usage; /* Nanoseconds since start. */

	uint64_t memory_usage; /* Bytes, as all below. */
	uint64_t memory_usage_peak;
	uint64_t memory_total; /* The limit, or the machine's memory. */
	uint64_t swap_usage;
	uint64_t swap_usage_peak;

	struct instance_interface *interfaces; /* NULL if not asked for or stopped. */
	size_t n_interfaces;
};

/* Frees what is in it, not the struct. All zero is fine. */
void instance_state_done(struct instance_state *state);
