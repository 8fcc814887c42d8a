/* Offline tools on a stopped member: "musterd cluster list-database", "recover-from-quorum-loss".
 */
#pragma once

#include <stddef.h>

#include "cluster/raft_nodes.h"
#include "lib/base/error.h"

/* The addresses of this stopped member's raft_nodes; release with raft_nodes_free(). */
int recovery_list(const char *dir, struct raft_node **ret_nodes, size_t *ret_n_nodes,
                  struct error **err);

/*
 * Makes the member of state directory 'dir' the only member of its cluster, keeping its database.
 * A copy of the directory is kept as database/global.bak. Fails (409) if the daemon runs.
 */
int recovery_from_quorum_loss(const char *dir, struct error **err);
