#include "cluster/rebalance.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/gateway.h"
#include "cluster/heartbeat.h"
#include "cluster/raft_nodes.h"
#include "cluster/rebalance_private.h"
#include "db/conn.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

#define REACH_TIMEOUT_MS 1000
#define HEARD_TIMEOUT_MS 5000 /* For a demoted member to hear of it. */
#define HEARD_PAUSE_MS 20
#define CHANGES_MAX 64
#define LEAVING_MS 30000

struct roles_targets rebalance_targets(struct cluster *cluster)
{
	return (struct roles_targets){
		.max_voters = (size_t)cluster_setting(cluster, "cluster.max_voters"),
		.max_standbys = (size_t)cluster_setting(cluster, "cluster.max_standby"),
	};
}

void rebalance_set_leaving(struct cluster *cluster, int64_t id, bool is_leaving)
{
	mutex_lock(&cluster->lock);
	if (is_leaving) {
		cluster->leaving_id = id;
		cluster->leaving_until = date_deadline(LEAVING_MS);
	} else if (cluster->leaving_id == id) {
		cluster->leaving_id = 0;
	}
	mutex_unlock(&cluster->lock);
}

/* A member that hands its role over still answers for a moment; it must not get it back. */
static bool is_leaving(struct cluster *cluster, int64_t id)
{
	mutex_lock(&cluster->lock);
	bool is_so = cluster->leaving_id == id && date_left(cluster->leaving_until) != 0;
	mutex_unlock(&cluster->lock);

	return is_so;
}

/* "default" and "" are no domain; others are told apart by their hash. */
static uint64_t domain_number(const char *domain)
{
	return str_is_empty(domain) || strcmp(domain, "default") == 0 ? 0 : str_hash(domain) | 1;
}

/* What roles.h wants to know of one member; 'm' is NULL for a node without a row. */
static struct roles_member describe(struct cluster *cluster, uint64_t id, enum role role,
                                    bool is_leader, const struct member *m)
{
	struct roles_member member = {
		.id = id,
		.role = role,
		.is_leader = is_leader,
		.is_online = m && m->is_online,
		.is_suspect = m && m->is_suspect,
		.may_promote = m && m->state == MEMBER_CREATED && !is_leaving(cluster, (int64_t)id),
		.domain = m ? domain_number(m->failure_domain) : 0,
	};

	/* A short absence takes no role away; it gives none either. */
	if (m && m->is_suspect && role != ROLE_VOTER)
		member.may_promote = false;

	return member;
}

int rebalance_state(struct cluster *cluster, struct roles_member **ret_members,
                    size_t *ret_n_members, struct error **err)
{
	struct raft_node *nodes = NULL;
	size_t n_nodes = 0;
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	scoped_free char *leader = gateway_leader(cluster->gateway);

	int r = raft_nodes_read(cluster->gateway, &nodes, &n_nodes, err);
	if (r < 0)
		return r;

	struct roles_member *members = xcalloc(n_nodes ? n_nodes : 1, sizeof(*members));
	for (size_t i = 0; i < n_nodes; i++) {
		members[i] = describe(cluster, nodes[i].id, nodes[i].role,
		                      str_equals(nodes[i].address, leader),
		                      member_list_by_id(list, (int64_t)nodes[i].id));
	}
	raft_nodes_free(nodes, n_nodes);
	*ret_members = members;
	*ret_n_members = n_nodes;

	return 0;
}

bool rebalance_is_needed(struct cluster *cluster)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	scoped_free struct roles_member *members =
		xcalloc(list->n_members ? list->n_members : 1, sizeof(*members));
	const struct roles_targets targets = rebalance_targets(cluster);
	struct roles_change change;

	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		members[i] = describe(cluster, (uint64_t)m->id, m->role, m->is_leader, m);
	}

	return roles_next_change(members, list->n_members, &targets, &change);
}

static void pause_ms(int64_t ms)
{
	const struct timespec time = { .tv_nsec = ms * 1000000 };

	nanosleep(&time, NULL);
}

/* Waits until the member's own node knows its role; gives up without an error. */
static void wait_until_heard(struct cluster *cluster, const char *address, uint64_t id,
                             enum role role)
{
	int64_t deadline = date_deadline(HEARD_TIMEOUT_MS);

	for (;;) {
		scoped(error_freep) struct error *err = NULL;
		struct raft_node *nodes = NULL;
		size_t n_nodes = 0;

		int r = raft_nodes_read_of(cluster->gateway, address, &nodes, &n_nodes, &err);
		const struct raft_node *node = raft_nodes_by_id(nodes, n_nodes, id);
		bool has_heard = r >= 0 && node && node->role == role;
		raft_nodes_free(nodes, n_nodes);
		if (has_heard || r < 0 || date_left(deadline) == 0)
			return;
		pause_ms(HEARD_PAUSE_MS);
	}
}

int rebalance_assign(struct cluster *cluster, const struct roles_change *change, struct error **err)
{
	struct raft_node *nodes = NULL;
	size_t n_nodes = 0;
	int r = raft_nodes_read(cluster->gateway, &nodes, &n_nodes, err);
	if (r < 0)
		return r;

	const struct raft_node *node = raft_nodes_by_id(nodes, n_nodes, change->id);
	scoped_free char *address = node ? xstrdup(node->address) : NULL;
	enum role before = node ? node->role : ROLE_SPARE;
	raft_nodes_free(nodes, n_nodes);
	scoped_free char *leader = gateway_leader(cluster->gateway);
	if (address && strcmp(address, leader) == 0 && change->role != ROLE_VOTER)
		return error_set(err, 503, "The leader cannot give its role away");
	if (!address)
		return error_set(err, 404, "The database has no node %llu",
		                 (unsigned long long)change->id);

	/* The engine would wait 50 s for one that does not answer. */
	scoped(error_freep) struct error *cause = NULL;
	scoped(db_conn_freep) struct db_conn *conn = NULL;
	bool is_reached =
		gateway_connect(cluster->gateway, address, REACH_TIMEOUT_MS, &conn, &cause) >= 0;
	if (change->role < before && !is_reached)
		return error_move(err, &cause);
	if (change->role == ROLE_SPARE && before == ROLE_VOTER && is_reached) {
		r = raft_nodes_assign(cluster->gateway, change->id, ROLE_STANDBY, err);
		if (r < 0)
			return r;
		wait_until_heard(cluster, address, change->id, ROLE_STANDBY);
	}

	return raft_nodes_assign(cluster->gateway, change->id, change->role, err);
}

static int run_changes(struct cluster *cluster, size_t *ret_n_changes, struct error **err)
{
	const struct roles_targets targets = rebalance_targets(cluster);
	uint64_t unreachable = 0; /* One that was online by the last round and is not. */

	for (size_t n = 0; n < CHANGES_MAX && !atomic_load(&cluster->is_leaving); n++) {
		scoped_free struct roles_member *members = NULL;
		scoped(error_freep) struct error *failure = NULL;
		struct roles_change change;
		size_t n_members = 0;

		int r = rebalance_state(cluster, &members, &n_members, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n_members; i++) {
			if (members[i].id == unreachable)
				members[i].may_promote = false;
		}
		if (!roles_next_change(members, n_members, &targets, &change))
			return 0;

		r = rebalance_assign(cluster, &change, &failure);
		if (r >= 0) {
			log_info("Member %llu is %s in the database now",
			         (unsigned long long)change.id,
			         change.role == ROLE_VOTER     ? "a voter"
			         : change.role == ROLE_STANDBY ? "a stand-by"
			                                       : "a spare");
			(*ret_n_changes)++;
			continue;
		}
		if (unreachable)
			return error_move(err, &failure);
		log_warn("Failed changing the role of member %llu: %s",
		         (unsigned long long)change.id, failure->msg);
		unreachable = change.id;
	}

	return 0;
}

int rebalance_leader_run(struct cluster *cluster, struct error **err)
{
	size_t n_changes = 0;

	if (!cluster_is_enabled(cluster))
		return 0;
	if (!gateway_is_leader(cluster->gateway))
		return error_set(err, 503, "This member does not lead the cluster");

	mutex_lock(&cluster->membership);
	int r = cluster_members_refresh(cluster, err);
	if (r >= 0)
		r = run_changes(cluster, &n_changes, err);
	mutex_unlock(&cluster->membership);

	scoped(error_freep) struct error *failure = NULL;
	if (n_changes > 0) {
		if (cluster_members_refresh(cluster, &failure) < 0)
			log_warn("Failed reading the members: %s", failure->msg);
		heartbeat_request(cluster);
	}

	return r;
}

static int survives_without(struct cluster *cluster, int64_t id, bool *ret_survives,
                            struct error **err)
{
	scoped_free struct roles_member *members = NULL;
	size_t n_members = 0;

	int r = rebalance_state(cluster, &members, &n_members, err);
	if (r == 0)
		*ret_survives = roles_quorum_survives(members, n_members, (uint64_t)id);

	return r;
}

int rebalance_leader_check_quorum(struct cluster *cluster, const char *name, struct error **err)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	const struct member *m = member_list_by_name(list, name);
	bool survives = true;

	if (!m)
		return 0;

	/* All are called now; one that was lost for a moment only gets a second chance. */
	for (int i = 0; i < 2; i++) {
		int r = heartbeat_leader_round(cluster, err);
		if (r == 0)
			r = survives_without(cluster, m->id, &survives, err);
		if (r < 0 || survives)
			return r;
	}

	return error_set(err, 400, "Insufficient online voters to maintain quorum");
}

int rebalance_background(struct cluster *cluster)
{
	scoped(error_freep) struct error *err = NULL;

	if (gateway_is_leader(cluster->gateway) && rebalance_leader_run(cluster, &err) < 0)
		log_warn("Failed rebalancing the database's roles: %s", err->msg);

	return 0;
}

int rebalance_leader_receive(struct cluster *cluster, struct json_object *request,
                             struct error **err)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	const char *address = jv_text(request, "address");
	const struct member *m = address ? member_list_by_address(list, address) : NULL;

	if (m) {
		rebalance_set_leaving(cluster, m->id, false);
		gateway_mark_up(cluster->gateway, address);
	}

	int r = rebalance_leader_run(cluster, err);
	if (r < 0)
		return r;

	/* What the caller has changed is known to all when it goes on. */
	return heartbeat_leader_round(cluster, err);
}

static void ask_leader(struct cluster *cluster)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped_free char *address = cluster_member_address(cluster);

	jv_set_string(body, "address", address);
	const struct connect_call call = { .method = "POST",
		                           .path = "/internal/cluster/rebalance",
		                           .body = body };
	if (connect_call_leader(cluster, &call, NULL, &err) < 0)
		log_debug("Failed asking the leader to rebalance: %s", err->msg);
}

static void ask_leader_later(void *arg)
{
	ask_leader(arg);
}

void rebalance_wait(struct cluster *cluster)
{
	if (!cluster_is_enabled(cluster))
		return;

	if (gateway_is_leader(cluster->gateway))
		(void)rebalance_background(cluster);
	else
		ask_leader(cluster);
}

void rebalance_request(struct cluster *cluster)
{
	if (!cluster_is_enabled(cluster))
		return;

	if (gateway_is_leader(cluster->gateway))
		cluster_wake(cluster, &cluster->roles);
	else
		(void)worker_submit(cluster->jobs, ask_leader_later, cluster);
}
