#include "cluster/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "db/engine.h"
#include "db/local.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"
#include "lib/base/tree_copy.h"

static int open_local(const char *dir, struct db_local **ret_local, struct error **err)
{
	scoped_free char *path = path_join(dir, "database", "local.db", NULL);

	return db_local_open(path, ret_local, err);
}

int recovery_list(const char *dir, struct raft_node **ret_nodes, size_t *ret_n_nodes,
                  struct error **err)
{
	scoped(db_local_closep) struct db_local *local = NULL;
	scoped(db_local_raft_nodes_done) struct db_local_raft_nodes rows = { 0 };

	int r = open_local(dir, &local, err);
	if (r >= 0)
		r = db_local_list_raft_nodes(local, &rows, err);
	if (r < 0)
		return r;

	struct raft_node *nodes = xcalloc(rows.n ? rows.n : 1, sizeof(*nodes));
	for (size_t i = 0; i < rows.n; i++) {
		nodes[i] = (struct raft_node){ .id = rows.rows[i].id,
			                       .address = xstrdup(rows.rows[i].address),
			                       .name = xstrdup(str_or_empty(rows.rows[i].name)),
			                       .role = (enum role)rows.rows[i].role };
	}
	*ret_nodes = nodes;
	*ret_n_nodes = rows.n;

	return 0;
}

static int back_up(const char *from, const char *to, struct error **err)
{
	int r = tree_remove(to, 0);
	if (r == 0 && mkdir(to, 0700) < 0)
		r = -errno;
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", to);

	scoped_fd int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd int target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source < 0 || target < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", from);

	const struct tree_copy_options options = { .keep_owner = true };
	r = tree_copy(source, target, &options);
	if (r < 0)
		return error_set_errno(err, r, "Failed copying \"%s\"", from);

	return 0;
}

int recovery_from_quorum_loss(const char *dir, struct error **err)
{
	scoped(db_local_closep) struct db_local *local = NULL;
	scoped(db_local_raft_done) struct db_local_raft raft = { 0 };
	scoped(db_local_raft_nodes_done) struct db_local_raft_nodes rows = { 0 };
	scoped_free char *global = path_join(dir, "database", "global", NULL);
	scoped_free char *backup = path_join(dir, "database", "global.bak", NULL);
	const char *name = "";

	int r = open_local(dir, &local, err);
	if (r >= 0)
		r = db_local_get_raft(local, &raft, err);
	if (r >= 0)
		r = db_local_list_raft_nodes(local, &rows, err);
	if (r < 0)
		return r;
	if (!raft.clustered)
		return error_set(err, 400, "This server is not clustered");
	for (size_t i = 0; i < rows.n; i++) {
		if (rows.rows[i].id == raft.id)
			name = rows.rows[i].name;
	}

	r = back_up(global, backup, err);
	if (r < 0)
		return r;

	const struct engine_options options = { .id = raft.id,
		                                .address = raft.address,
		                                .dir = global };
	const struct engine_member member = { .id = raft.id,
		                              .address = raft.address,
		                              .role = ENGINE_VOTER };
	r = engine_recover(&options, &member, 1, err);
	if (r < 0)
		return error_wrap(err, "Failed rewriting the membership");

	const struct db_local_raft_node node = {
		.id = raft.id, .address = raft.address, .name = (char *)name, .role = ENGINE_VOTER
	};
	return db_local_replace_raft_nodes(local, &node, 1, err);
}
