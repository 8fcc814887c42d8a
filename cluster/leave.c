#include "cluster/leave.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/bootstrap.h"
#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/gateway.h"
#include "cluster/handover.h"
#include "cluster/heartbeat.h"
#include "cluster/raft_nodes.h"
#include "cluster/rebalance.h"
#include "cluster/trust.h"
#include "db/db.h"
#include "db/local.h"
#include "db/members.h"
#include "db/schema.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

#define REMOVE_TIMEOUT_MS 120000
#define RESET_TIMEOUT_MS 30000
#define DRAIN_MS 5000

/* --- Removing, on the leader --- */

struct removal {
	struct cluster *cluster;
	int64_t id;
	char *name;
	char *address;
	bool is_forced;
	bool is_pending;
};

static int check(struct db_tx *tx, void *arg, struct error **err)
{
	struct removal *removal = arg;

	if (removal->is_forced || removal->is_pending)
		return 0;

	return HOOK_INT(removal->cluster, member_check_empty, tx, removal->id, removal->name, err);
}

static int purge(struct db_tx *tx, void *arg, struct error **err)
{
	struct removal *removal = arg;

	int r = check(tx, removal, err);
	if (r >= 0)
		r = HOOK_INT(removal->cluster, member_purge, tx, removal->id, err);
	if (r >= 0)
		r = trust_remove(tx, removal->name, err);
	if (r >= 0)
		r = removal->is_forced ? db_member_purge(tx, removal->id, err)
		                       : db_member_delete(tx, removal->id, err);

	return r;
}

/* It resets itself; without its help it would go on believing that it is a member. */
static void reset_member(struct cluster *cluster, const struct removal *removal)
{
	scoped(error_freep) struct error *err = NULL;
	const struct connect_call call = { .method = "PUT",
		                           .path = "/internal/cluster/reset",
		                           .timeout_ms = RESET_TIMEOUT_MS };

	if (connect_call(cluster, removal->address, &call, NULL, &err) < 0)
		log_warn("Failed resetting the removed member \"%s\": %s", removal->name, err->msg);
}

static int remove_member(struct cluster *cluster, struct removal *removal, struct error **err)
{
	int r = db_read(cluster->db, check, removal, err);
	if (r < 0)
		return r;
	if (!removal->is_forced && !removal->is_pending) {
		r = HOOK_INT(cluster, member_clean, removal->id, removal->name, err);
		if (r < 0)
			return r;
	}

	/* From raft first: a row without a node is mended by asking again, the reverse is not. */
	r = raft_nodes_remove(cluster->gateway, (uint64_t)removal->id, err);
	if (r < 0)
		return error_wrap(err, "Failed removing the member from the database");
	r = db_write(cluster->db, purge, removal, err);
	if (r < 0)
		return r;

	bool is_down = gateway_is_marked_down(cluster->gateway, removal->address);
	if (!removal->is_pending && (!removal->is_forced || !is_down))
		reset_member(cluster, removal);
	r = trust_refresh(cluster, err);
	if (r >= 0)
		r = cluster_members_refresh(cluster, err);

	return r;
}

static int find(struct cluster *cluster, const char *name, bool is_forced, struct removal *removal,
                struct error **err)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	const struct member *m = member_list_by_name(list, name);
	size_t n_full = 0;

	for (size_t i = 0; i < list->n_members; i++)
		n_full += list->members[i].state != MEMBER_PENDING;
	if (!m)
		return error_set(err, 404, "Cluster member not found");
	if (n_full == 1 && m->state != MEMBER_PENDING)
		return error_set(err, 400, "Member is the only member in the cluster");
	if (!m->is_online && !is_forced && m->state != MEMBER_PENDING)
		return error_set(err, 400, "Cluster member \"%s\" is offline", name);

	*removal = (struct removal){ .cluster = cluster,
		                     .id = m->id,
		                     .name = xstrdup(m->name),
		                     .address = xstrdup(m->address),
		                     .is_forced = is_forced,
		                     .is_pending = m->state == MEMBER_PENDING };
	return 0;
}

static int ask_leader_to_remove(struct cluster *cluster, const char *name, bool is_forced,
                                struct error **err)
{
	scoped_free char *path = url_path("1.0", "cluster", "members", name, NULL);
	scoped_free char *full = xasprintf("%s%s", path, is_forced ? "?force=1" : "");
	const struct connect_call call = { .method = "DELETE",
		                           .path = full,
		                           .timeout_ms = REMOVE_TIMEOUT_MS };

	return connect_call_leader(cluster, &call, NULL, err);
}

int leave_remove(struct cluster *cluster, const char *name, bool is_forced, struct error **err)
{
	struct removal removal = { 0 };

	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");
	if (!gateway_is_leader_now(cluster->gateway))
		return ask_leader_to_remove(cluster, name, is_forced, err);

	int r = cluster_members_refresh(cluster, err);
	if (r >= 0)
		r = find(cluster, name, is_forced, &removal, err);
	if (r < 0)
		return r;
	if (removal.id == cluster_member_id(cluster)) {
		r = handover_leadership(cluster, err);
		if (r >= 0)
			r = ask_leader_to_remove(cluster, name, is_forced, err);
	} else {
		mutex_lock(&cluster->membership);
		r = remove_member(cluster, &removal, err);
		mutex_unlock(&cluster->membership);
		if (r >= 0) {
			cluster_lifecycle(cluster, "cluster-member-removed", name);
			rebalance_request(cluster);
		}
	}
	free(removal.name);
	free(removal.address);

	return r;
}

/* --- The removed member --- */

int leave_local_reset(struct cluster *cluster, struct error **err)
{
	const struct db_local_raft standalone = { .id = 1, .address = (char *)"1" };

	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");

	log_warn("This member was removed from its cluster: starting anew as a standalone server");
	cluster_unsettle(cluster);
	db_pause(cluster->db, DRAIN_MS);
	/* First of all, so that the fresh node is not taken for the cluster's. */
	cluster_set_identity_take(cluster, 1, "none", "", NULL);
	int r = gateway_set_nodes(cluster->gateway, NULL, 0, err);
	if (r >= 0)
		r = gateway_restart(cluster->gateway, GATEWAY_WIPE, &standalone, NULL, 0, err);
	cluster_unlink(cluster, "cluster.crt");
	cluster_unlink(cluster, "cluster.key");
	trust_clear(cluster);
	db_forget_leader(cluster->db);
	db_resume(cluster->db);
	if (r >= 0)
		r = db_schema_ensure(cluster->db, err);
	if (r >= 0)
		r = cluster_members_refresh(cluster, err);
	HOOK(cluster, database_replaced);
	cluster_settle(cluster);

	return r;
}

/* --- Renaming --- */

struct renaming {
	const char *name;
	const char *new_name;
};

static int rename_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct renaming *renaming = arg;
	scoped(db_member_done) struct db_member row = { 0 };
	scoped(error_freep) struct error *missing = NULL;

	if (db_member_get(tx, renaming->new_name, &row, &missing) >= 0)
		return error_set(err, 409, "The name \"%s\" is already in use", renaming->new_name);
	if (missing->status != 404)
		return error_move(err, &missing);

	int r = db_member_rename(tx, renaming->name, renaming->new_name, err);
	if (r < 0)
		return r;
	return trust_rename(tx, renaming->name, renaming->new_name, err);
}

int leave_rename(struct cluster *cluster, const char *name, const char *new_name,
                 struct error **err)
{
	struct renaming renaming = { .name = name, .new_name = new_name };

	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");

	int r = bootstrap_check_name(new_name, err);
	if (r < 0)
		return r;

	/* The row can be written from here; the leader only tells the others. */
	r = db_write(cluster->db, rename_rows, &renaming, err);
	if (r < 0)
		return r;
	r = cluster_members_refresh(cluster, err);
	if (r < 0)
		return r;

	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	const struct member *own = member_list_by_id(list, cluster_member_id(cluster));
	if (own)
		cluster_set_name(cluster, own->name);
	if (gateway_is_leader_now(cluster->gateway)) {
		r = heartbeat_leader_round(cluster, err);
	} else {
		const struct connect_call call = { .method = "POST",
			                           .path = "/internal/cluster/rebalance" };

		r = connect_call_leader(cluster, &call, NULL, err);
	}
	if (r < 0)
		return r;

	cluster_lifecycle(cluster, "cluster-member-renamed", new_name);
	return 0;
}
