/*
 * The replicating node that is embedded in the daemon: dqlite, or cowsql, its fork.
 *
 * Which of the two is decided when the tree is configured (-Dengine=...). Their node functions
 * differ in the prefix only; the wire protocol and the files on disk are the same. This is the only
 * file that includes their header.
 *
 * A process runs one node per directory; engine_node_start() takes a lock on it. Before the first
 * node, call engine_init(): the library relies on SIGPIPE being ignored and on enough threads.
 */
#pragma once

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"

struct engine_node;

struct engine_options {
	uint64_t id;         /* Raft id. Id 1 on an empty directory bootstraps a cluster of one. */
	const char *address; /* Raft address, handed to 'connect' of the other nodes as it is. */
	const char *dir;     /* Must exist; belongs to the node alone. */
	uint64_t failure_domain; /* Only handed out on request; 0: none. */

	/*
	 * Expected one-way latency between nodes; the heartbeat is 1.5 times, the election timeout
	 * 15 to 30 times as long. 0: 50 ms.
	 */
	uint32_t latency_ms;

	/* Log entries between snapshots and kept behind them; 0: 512 and 1024. */
	uint32_t snapshot_threshold;
	uint32_t snapshot_trailing;

	/*
	 * Connects to the node at 'address': 0 and a connected, blocking stream socket (which the
	 * engine then owns), or a negative errno. It is called on the engine's pool of threads,
	 * about once a second for each node that is not connected, and must return within two
	 * seconds. NULL for a node that will never have peers.
	 */
	int (*connect)(void *arg, const char *address, int *ret_fd);
	void *connect_arg;
};

/* Name and version of the library, "cowsql" and "1.15.8". */
const char *engine_name(void);
const char *engine_version(void);

/*
 * Prepares the process: ignores SIGPIPE, sets the size of libuv's pool of threads. Must be called
 * before the process uses libuv. Idempotent.
 */
void engine_init(void);

/*
 * Starts a node; returns when its log is loaded and it answers connections. Fails with a 500, also
 * when another process runs a node in that directory (-EBUSY).
 */
int engine_node_start(const struct engine_options *options, struct engine_node **ret_node,
                      struct error **err) MUST_CHECK;

/*
 * Connects to the node from within this process: a connected stream fd, close-on-exec, which the
 * caller owns, or a negative errno.
 */
int engine_node_connect(struct engine_node *node) MUST_CHECK;

/* Stops and frees the node. Hands nothing over. All its connections are closed. Accepts NULL. */
void engine_node_stop(struct engine_node *node);
DEFINE_SCOPED(struct engine_node *, engine_node_stop);

enum engine_role { ENGINE_VOTER, ENGINE_STANDBY, ENGINE_SPARE };

struct engine_member {
	uint64_t id;
	const char *address;
	enum engine_role role;
};

/*
 * Rewrites the raft membership of the stopped node in 'options->dir' to 'members'. To be done on
 * one member only, the one with the newest data, whose directory is then copied to the others.
 */
int engine_recover(const struct engine_options *options, const struct engine_member *members,
                   size_t n_members, struct error **err) MUST_CHECK;
