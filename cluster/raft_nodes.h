/*
 * Raft's membership: as rows, and as changes that the leader is asked for.
 *
 * A change is asked for until it is there: what a lost answer left open is looked up before it is
 * asked for again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cluster/roles.h"
#include "lib/base/error.h"

struct gateway;

/* A member as raft knows it; also a row of raft_nodes in the local database. */
struct raft_node {
	uint64_t id;
	char *address;
	char *name; /* The member's; NULL where raft alone was asked. */
	enum role role;
};

void raft_nodes_free(struct raft_node *nodes, size_t n_nodes);

/* The node with this id, borrowed, or NULL. */
const struct raft_node *raft_nodes_by_id(const struct raft_node *nodes, size_t n_nodes,
                                         uint64_t id);

/* The membership as the leader knows it; 503 if there is none. Names are NULL. */
int raft_nodes_read(struct gateway *gateway, struct raft_node **ret_nodes, size_t *ret_n_nodes,
                    struct error **err);

/* As the node of the member at 'address' knows it: a spare's may be old or empty. */
int raft_nodes_read_of(struct gateway *gateway, const char *address, struct raft_node **ret_nodes,
                       size_t *ret_n_nodes, struct error **err);

/* Changes; they return when the change is committed. */
int raft_nodes_add(struct gateway *gateway, uint64_t id, const char *address, struct error **err);
int raft_nodes_assign(struct gateway *gateway, uint64_t id, enum role role, struct error **err);
int raft_nodes_remove(struct gateway *gateway, uint64_t id, struct error **err);

/*
 * Gives leadership from this node to the voter 'id' (0: any), once, within 1.5 s, and waits until
 * another one is known to lead; 0 if this node does not lead.
 */
int raft_nodes_transfer(struct gateway *gateway, uint64_t id, struct error **err);
