#include "cluster/handover.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/gateway.h"
#include "cluster/raft_nodes.h"
#include "cluster/rebalance.h"
#include "cluster/rebalance_private.h"
#include "db/db.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

#define DRAIN_MS 1000
#define CALL_TIMEOUT_MS 10000

/* The voter that is to lead: online, not evacuated if there is such a one, of the lowest id. */
static uint64_t choose_leader(const struct roles_member *members, size_t n_members)
{
	const struct roles_member *best = NULL;

	for (size_t i = 0; i < n_members; i++) {
		const struct roles_member *m = &members[i];

		if (m->role != ROLE_VOTER || m->is_leader || !m->is_online)
			continue;
		if (!best || (m->may_promote && !best->may_promote) ||
		    (m->may_promote == best->may_promote && m->id < best->id))
			best = m;
	}

	return best ? best->id : 0;
}

int handover_leadership(struct cluster *cluster, struct error **err)
{
	scoped_free struct roles_member *members = NULL;
	size_t n_members = 0;

	if (!cluster_is_enabled(cluster) || !gateway_is_leader(cluster->gateway))
		return 0;

	int r = rebalance_state(cluster, &members, &n_members, err);
	if (r < 0)
		return r;
	uint64_t id = choose_leader(members, n_members);

	/* Two members have one voter: the other becomes one first. */
	struct roles_change change;
	const struct roles_targets targets = rebalance_targets(cluster);
	uint64_t own_id = (uint64_t)cluster_member_id(cluster);
	if (id == 0 && roles_replacement(members, n_members, &targets, own_id, &change)) {
		mutex_lock(&cluster->membership);
		r = rebalance_assign(cluster, &change, err);
		mutex_unlock(&cluster->membership);
		if (r < 0)
			return r;
		id = change.id;
	}
	if (id == 0)
		return error_set(err, 503, "No other online voter can lead the cluster");

	/* Transactions of this member end first: they would be cut off. */
	db_pause(cluster->db, DRAIN_MS);
	r = raft_nodes_transfer(cluster->gateway, id, err);
	db_resume(cluster->db);
	if (r < 0)
		return error_wrap(err, "Failed transferring leadership");

	return 0;
}

void handover_run(struct cluster *cluster)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	scoped_free char *address = cluster_member_address(cluster);

	if (!cluster_is_enabled(cluster) || list->n_members < 2)
		return;

	if (handover_leadership(cluster, &err) < 0) {
		log_warn("%s", err->msg);
		return;
	}

	scoped(jv_unrefp) struct json_object *body = jv_object();
	jv_set_string(body, "address", address);
	const struct connect_call call = { .method = "POST",
		                           .path = "/internal/cluster/handover",
		                           .body = body,
		                           .timeout_ms = CALL_TIMEOUT_MS };
	if (connect_call_leader(cluster, &call, NULL, &err) < 0)
		log_warn("Failed handing the database's role over: %s", err->msg);
}

/* Promotes a replacement, if there is one, then takes the role away. */
static int replace_role(struct cluster *cluster, const char *address, struct error **err)
{
	scoped_free struct roles_member *members = NULL;
	size_t n_members = 0;
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	const struct member *leaving = member_list_by_address(list, address);
	const struct roles_targets targets = rebalance_targets(cluster);
	struct roles_change change;

	if (!leaving)
		return error_set(err, 404, "No member with address \"%s\"", address);

	int r = rebalance_state(cluster, &members, &n_members, err);
	if (r < 0)
		return r;

	uint64_t id = (uint64_t)leaving->id;
	enum role role = ROLE_SPARE;
	for (size_t i = 0; i < n_members; i++) {
		if (members[i].id == id)
			role = members[i].role;
	}
	if (role == ROLE_SPARE)
		return 0;

	rebalance_set_leaving(cluster, leaving->id, true);
	if (roles_replacement(members, n_members, &targets, id, &change)) {
		r = rebalance_assign(cluster, &change, err);
		if (r < 0)
			return r;
	}
	/*
	 * Also without a replacement: two of two are not harder to have than two of three with one
	 * away, and the next one to leave in order leaves one of one.
	 */
	change = (struct roles_change){ .id = id, .role = ROLE_SPARE };
	return rebalance_assign(cluster, &change, err);
}

int handover_leader_take(struct cluster *cluster, struct json_object *request, struct error **err)
{
	const char *address = NULL;
	int r = jv_need_string(request, "address", &address, err);
	if (r < 0)
		return r;
	if (!gateway_is_leader(cluster->gateway))
		return error_set(err, 503, "This member does not lead the cluster");

	mutex_lock(&cluster->membership);
	r = replace_role(cluster, address, err);
	mutex_unlock(&cluster->membership);

	return r;
}
