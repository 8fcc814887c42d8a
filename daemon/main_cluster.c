#include "daemon/main_cluster.h"

#include <inttypes.h>
#include <stdio.h>

#include "cluster/raft_nodes.h"
#include "cluster/recovery.h"
#include "daemon/core/dirs.h"
#include "lib/base/str.h"

static int list(const char *dir, struct error **err)
{
	struct raft_node *nodes = NULL;
	size_t n = 0;

	int r = recovery_list(dir, &nodes, &n, err);
	if (r < 0)
		return r;

	printf("ID|ADDRESS|ROLE\n");
	for (size_t i = 0; i < n; i++)
		printf("%" PRIu64 "|%s|%s\n", nodes[i].id, nodes[i].address,
		       roles_name(nodes[i].role));
	raft_nodes_free(nodes, n);
	return 0;
}

int main_cluster_run(int argc, char **argv)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(dirs_freep) struct dirs *dirs = dirs_new();
	int r;

	if (argc == 2 && str_equals(argv[1], "list-database")) {
		r = list(dirs->root, &err);
	} else if (argc == 2 && str_equals(argv[1], "recover-from-quorum-loss")) {
		r = recovery_from_quorum_loss(dirs->root, &err);
	} else {
		fprintf(stderr, "Usage: musterd cluster list-database|recover-from-quorum-loss\n");
		return 1;
	}

	if (r < 0)
		fprintf(stderr, "Error: %s\n", err->msg);

	return r < 0;
}
