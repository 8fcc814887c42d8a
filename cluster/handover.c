#include "cluster/handover.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/gateway.h"
#include "cluster/raft_nodes.h"
#include "cluster/rebalance.h"
#include "cluster/rebalance_private.h"
#include "db/conn.h"
#include "db/db.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

#define DRAIN_MS 1000
#define LEADERSHIP_TIMEOUT_MS 5000
#define REACH_TIMEOUT_MS 1000
#define CALL_TIMEOUT_MS 10000
#define LEADER_WAIT_MS 1500 /* When all shut down there is none any more. */

/* Whether the node of a member answers just now: it may be shutting down too. */
static bool is_reachable(struct cluster *cluster, uint64_t id)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	const struct member *m = member_list_by_id(list, (int64_t)id);
	scoped(db_conn_freep) struct db_conn *conn = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *leader = NULL;
	uint64_t leader_id = 0;

	return m &&
	       gateway_connect(cluster->gateway, m->address, REACH_TIMEOUT_MS, &conn, &err) >= 0 &&
	       db_conn_leader(conn, date_deadline(REACH_TIMEOUT_MS), &leader_id, &leader, &err) >=
	               0;
}

/* The voter that is to lead: online, not evacuated if there is such a one, of the lowest id. */
static uint64_t choose_leader(struct cluster *cluster, const struct roles_member *members,
                              size_t n_members)
{
	const struct roles_member *best = NULL;

	for (size_t i = 0; i < n_members; i++) {
		const struct roles_member *m = &members[i];

		if (m->role != ROLE_VOTER || m->is_leader || !m->is_online ||
		    !is_reachable(cluster, m->id))
			continue;
		if (!best || (m->may_promote && !best->may_promote) ||
		    (m->may_promote == best->may_promote && m->id < best->id))
			best = m;
	}

	return best ? best->id : 0;
}

/* Whoever is to lead: a voter, or another member that becomes one for it. */
static int find_leader(struct cluster *cluster, uint64_t *ret_id, struct error **err)
{
	const struct roles_targets targets = rebalance_targets(cluster);
	uint64_t own_id = (uint64_t)cluster_member_id(cluster);
	scoped_free struct roles_member *members = NULL;
	size_t n_members = 0;
	struct roles_change change;

	int r = rebalance_state(cluster, &members, &n_members, err);
	if (r < 0)
		return r;
	*ret_id = choose_leader(cluster, members, n_members);
	if (*ret_id != 0)
		return 0;
	/* Two members have one voter. */
	if (!roles_replacement(members, n_members, &targets, own_id, &change) ||
	    !is_reachable(cluster, change.id))
		return error_set(err, 503, "No other online member can lead the cluster");

	mutex_lock(&cluster->membership);
	r = rebalance_assign(cluster, &change, err);
	mutex_unlock(&cluster->membership);
	*ret_id = change.id;

	return r;
}

int handover_leadership(struct cluster *cluster, struct error **err)
{
	int64_t deadline = date_deadline(LEADERSHIP_TIMEOUT_MS);
	scoped(error_freep) struct error *last = NULL;

	if (!cluster_is_enabled(cluster))
		return 0;

	while (gateway_is_leader(cluster->gateway)) {
		uint64_t id = 0;

		int r = find_leader(cluster, &id, err);
		if (r < 0)
			return r;

		/* Transactions of this member end first: they would be cut off. */
		db_pause(cluster->db, DRAIN_MS);
		error_clear(&last);
		r = raft_nodes_transfer(cluster->gateway, id, &last);
		db_resume(cluster->db);
		if (r < 0 && date_left(deadline) == 0) {
			(void)error_move(err, &last);
			return error_wrap(err, "Failed transferring leadership");
		}
	}

	return 0;
}

/* Asks the leader to take the role of this member, which does not lead. */
static int give_role(struct cluster *cluster, const char *address, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();

	jv_set_string(body, "address", address);
	const struct connect_call call = { .method = "POST",
		                           .path = "/internal/cluster/handover",
		                           .body = body,
		                           .timeout_ms = CALL_TIMEOUT_MS,
		                           .leader_wait_ms = LEADER_WAIT_MS };

	return connect_call_leader(cluster, &call, NULL, err);
}

void handover_run(struct cluster *cluster)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	scoped_free char *address = cluster_member_address(cluster);

	if (!cluster_is_enabled(cluster) || list->n_members < 2)
		return;

	atomic_store(&cluster->is_leaving, true);
	/* Twice, since another one that shuts down may give leadership to this one meanwhile. */
	for (int i = 0; i < 2; i++) {
		scoped(error_freep) struct error *err = NULL;

		if (handover_leadership(cluster, &err) < 0) {
			log_info("Leadership stays here: %s", err->msg);
			return;
		}
		if (gateway_is_leader(cluster->gateway))
			continue;
		if (give_role(cluster, address, &err) >= 0)
			return;
		log_info("The database's role stays here: %s", err->msg);
	}
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
	/* Leadership first; without it the database would have no voter. */
	if (leaving->id == cluster_member_id(cluster))
		return error_set(err, 400, "This member leads the cluster");

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
	scoped(error_freep) struct error *failure = NULL;
	const char *address = NULL;
	int r = jv_need_string(request, "address", &address, err);
	if (r < 0)
		return r;
	if (!gateway_is_leader(cluster->gateway))
		return error_set(err, 503, "This member does not lead the cluster");

	mutex_lock(&cluster->membership);
	r = replace_role(cluster, address, err);
	mutex_unlock(&cluster->membership);
	/* What is shown here says so at once; the others hear of it with the next heartbeat. */
	if (r >= 0 && cluster_members_refresh(cluster, &failure) < 0)
		log_warn("Failed reading the members: %s", failure->msg);

	return r;
}
