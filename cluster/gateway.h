/*
 * This member's database node and the roads to it.
 *
 * The node listens on a socket that only this process may use. Other members reach it by
 * "POST /internal/database" with "Upgrade: dqlite" over TLS: the daemon's route hands the upgraded
 * stream to gateway_accept_take(), which pumps it to the node. The other direction is the connect
 * function that the node is given: it makes the same request to the peer, within 2 s, and fails at
 * once for a member that was just found to be down. SQL clients (db/) use the same roads through
 * struct db_ops.
 *
 * A thread watches who leads; nothing here ever waits for the database itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/raft_nodes.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct cancel;
struct db_conn;
struct db_ops;
struct gateway;
struct db_local;
struct db_local_raft;
struct loop;
struct stream;

struct gateway_options {
	const char *dir;        /* "database" in the state directory; global/ is made if missing. */
	struct db_local *local; /* raft_nodes, own raft id and address; borrowed. */
	struct loop *loop;      /* Borrowed. */
	unsigned latency_ms; /* 1.5 times this is raft's heartbeat, 15 times its election time. */
	/*
	 * Reaches a peer: a connected fd that carries the engine's protocol, or a negative errno,
	 * in at most 'timeout_ms'. On threads of the engine and of db/.
	 */
	int (*dial)(void *arg, const char *address, unsigned timeout_ms, struct cancel *cancel);
	/* The leader is another one now; 'address' is "" if nobody leads. On the watch's thread. */
	void (*leader_changed)(void *arg, const char *address, bool is_self);
	void *arg;
};

/* Locks the data directory and starts the node with the id and address of the local database. */
int gateway_new(const struct gateway_options *options, struct gateway **ret_gateway,
                struct error **err);

/* Starts the thread that looks who leads; leader_changed() may be called from here on. */
int gateway_watch(struct gateway *gateway, struct error **err);

/* Ends the watch, all pumped connections and the node; waits for them. Idempotent. */
void gateway_stop(struct gateway *gateway);
void gateway_free(struct gateway *gateway);
DEFINE_SCOPED(struct gateway *, gateway_free);

/* What becomes of the node's directory when it starts anew. */
enum gateway_data {
	GATEWAY_KEEP,    /* Goes on with it. */
	GATEWAY_ASIDE,   /* Moves it to global.old (a join that may fail) and starts empty. */
	GATEWAY_RESTORE, /* Drops it and goes on with global.old. */
	GATEWAY_WIPE,    /* Drops it and starts empty. */
};

/*
 * Stops the node and starts it again. While it is stopped, 'identity' (unless NULL) is stored in
 * the local database, and 'nodes', if any, becomes the membership in its log.
 */
int gateway_restart(struct gateway *gateway, enum gateway_data data,
                    const struct db_local_raft *identity, const struct raft_node *nodes,
                    size_t n_nodes, struct error **err);

/* Removes global.old: the join is complete. */
void gateway_drop_old(struct gateway *gateway);

/* How db/ reaches the leader; borrowed from the gateway, which is the argument of the functions. */
const struct db_ops *gateway_db_ops(struct gateway *gateway);

/* This node's id and address ("1" when standalone); address owned. */
uint64_t gateway_id(struct gateway *gateway);
char *gateway_address(struct gateway *gateway) MUST_CHECK;

/*
 * Takes an upgraded connection of a member over, and returns at once; does not block. Fails with
 * 503 if the node does not run; 'stream' is closed then too.
 */
int gateway_accept_take(struct gateway *gateway, struct stream *stream, struct error **err);

/*
 * Who leads as far as is known here ("" if nobody), for GET /internal/database and others. From
 * memory: does not block.
 */
char *gateway_leader(struct gateway *gateway) MUST_CHECK;
bool gateway_is_leader(struct gateway *gateway);

/* Whether anybody leads as far as is known here. From memory. */
bool gateway_is_led(struct gateway *gateway);

/*
 * Whether this node leads, but "no" is never old: asks the local node first. For whoever passes a request on to the
 * leader: two members that each take the other for it would pass it to and fro.
 */
bool gateway_is_leader_now(struct gateway *gateway);

/* Asks the local node who leads, now; returns when the answer is taken over. */
void gateway_look(struct gateway *gateway);

/* A leader was heard (a heartbeat): counts on nodes that are no voters and hear nothing of raft. */
void gateway_note_leader(struct gateway *gateway, const char *address);

/* Waits up to 'timeout_ms' until somebody leads; owned address. -ETIMEDOUT (503) otherwise. */
int gateway_wait_leader(struct gateway *gateway, unsigned timeout_ms, char **ret_address,
                        struct error **err);

/* A member that refused or reset a connection: it is not tried for a moment, longer each time. */
void gateway_mark_down(struct gateway *gateway, const char *address);
void gateway_mark_up(struct gateway *gateway, const char *address);
bool gateway_is_marked_down(struct gateway *gateway, const char *address);

/* Replaces raft_nodes in the local database, and what db_ops names as candidates. */
int gateway_set_nodes(struct gateway *gateway, const struct raft_node *nodes, size_t n_nodes,
                      struct error **err);

/* A copy of raft_nodes from memory, by id; release with raft_nodes_free(). */
void gateway_nodes(struct gateway *gateway, struct raft_node **ret_nodes, size_t *ret_n_nodes);

/* Connects to the node of a member, this one included, within 'timeout_ms'. */
int gateway_connect(struct gateway *gateway, const char *address, unsigned timeout_ms,
                    struct db_conn **ret_conn, struct error **err);

/*
 * Connects to the leader, whoever it is, by 'deadline' (date_deadline()); its address is owned by
 * the caller. 503 if nobody leads.
 */
int gateway_connect_leader(struct gateway *gateway, int64_t deadline, struct db_conn **ret_conn,
                           char **ret_address, struct error **err);
