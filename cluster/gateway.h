/*
 * This member's database node and the roads to it.
 *
 * The node listens on an abstract socket that only this process may use. Other members reach it by
 * "POST /internal/database" with "Upgrade: dqlite" over TLS: the daemon's route hands the upgraded
 * stream to gateway_accept(), which pumps it to the abstract socket. The other direction is the
 * connect function that the node is given: it makes the same request to the peer, within 2 s, and
 * fails at once for a member that is known to be down.
 *
 * SQL clients (db/) use the same roads through 'struct db_ops'.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/roles.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct gateway;
struct db_local;
struct db_ops;
struct stream;

/* A member as raft knows it; also a row of raft_nodes in the local database. */
struct gateway_node {
	uint64_t id;
	char *address;
	enum role role;
};

void gateway_nodes_free(struct gateway_node *nodes, size_t n_nodes);

struct gateway_options {
	const char *dir;        /* "database" in the state directory; global/ is made if missing. */
	struct db_local *local; /* raft_nodes, own raft id and address; borrowed. */
	unsigned latency_ms; /* 1.5 times this is raft's heartbeat, 15 times its election time. */
	/*
	 * Reaches a peer: a connected blocking fd that carries the engine's protocol, in at most
	 * 'timeout_ms'. Called from the engine's threads and from those of db/.
	 */
	int (*dial)(void *arg, const char *address, unsigned timeout_ms, int *ret_fd,
	            struct error **err);
	/* Asks a peer who leads (GET /internal/database); "" if it does not know. */
	int (*ask_leader)(void *arg, const char *address, char **ret_leader, struct error **err);
	/* The leader is another one now; 'address' is "" if nobody leads. On the watch's thread. */
	void (*leader_changed)(void *arg, const char *address, bool is_self);
	void *arg;
};

/* Locks the data directory and starts the node with the id and address of the local database. */
int gateway_new(const struct gateway_options *options, struct gateway **ret_gateway,
                struct error **err);

/* Ends all pumped connections and the node; waits for both. Idempotent. */
void gateway_stop(struct gateway *gateway);
void gateway_free(struct gateway *gateway);
DEFINE_SCOPED(struct gateway *, gateway_free);

/*
 * Stops the node and starts it again with what the local database says now. 'is_wiped' empties its
 * directory first. 'nodes', if any, becomes the membership in its log while it is stopped
 * (recover).
 */
int gateway_restart(struct gateway *gateway, bool is_wiped, const struct gateway_node *nodes,
                    size_t n_nodes, struct error **err);

/* How db/ reaches the leader; borrowed from the gateway. */
const struct db_ops *gateway_db_ops(struct gateway *gateway);

/* This node's id and address ("1" when standalone); address owned. */
uint64_t gateway_id(struct gateway *gateway);
char *gateway_address(struct gateway *gateway) MUST_CHECK;

/*
 * Takes an upgraded connection of a member over, and returns at once. Fails with 503 if the node
 * does not run; 'stream' is closed then too.
 */
int gateway_accept_take(struct gateway *gateway, struct stream *stream, struct error **err);

/*
 * What the local node says: the leader's address ("" if unknown) for GET /internal/database.
 * Answers from memory: does not block.
 */
char *gateway_leader(struct gateway *gateway) MUST_CHECK;
bool gateway_is_leader(struct gateway *gateway);

/* Waits up to 'timeout_ms' until somebody leads; owned address. -ETIMEDOUT (503) otherwise. */
int gateway_wait_leader(struct gateway *gateway, unsigned timeout_ms, char **ret_address,
                        struct error **err);

/* A member whose connections fail at once until gateway_mark_up(): offline, or just refused one. */
void gateway_mark_down(struct gateway *gateway, const char *address);
void gateway_mark_up(struct gateway *gateway, const char *address);
bool gateway_is_marked_down(struct gateway *gateway, const char *address);

/* Replaces raft_nodes in the local database, and what db_ops names as candidates. */
int gateway_set_nodes(struct gateway *gateway, const struct gateway_node *nodes, size_t n_nodes,
                      struct error **err);

/* Raft's membership as the leader knows it; fails with 503 if there is none. */
int gateway_membership(struct gateway *gateway, struct gateway_node **ret_nodes,
                       size_t *ret_n_nodes, struct error **err);

/* Changes of raft's membership, sent to the leader; they wait until it is committed. */
int gateway_add(struct gateway *gateway, uint64_t id, const char *address, struct error **err);
int gateway_assign(struct gateway *gateway, uint64_t id, enum role role, struct error **err);
int gateway_remove(struct gateway *gateway, uint64_t id, struct error **err);
int gateway_transfer(struct gateway *gateway, uint64_t id, struct error **err);
