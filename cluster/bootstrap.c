#include "cluster/bootstrap.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster_private.h"
#include "cluster/gateway.h"
#include "cluster/heartbeat.h"
#include "cluster/trust.h"
#include "db/db.h"
#include "db/local.h"
#include "db/members.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/net/netaddr.h"

#define DRAIN_MS 5000
#define LEADER_TIMEOUT_MS 10000
#define STANDALONE_ADDRESS "1"

int bootstrap_check_name(const char *server_name, struct error **err)
{
	if (str_is_empty(server_name))
		return error_set(err, 400, "ServerName is required when enabling clustering");
	if (*server_name == '@')
		return error_set(err, 400, "ServerName may not start with \"@\"");
	if (strcmp(server_name, "none") == 0)
		return error_set(err, 400, "Join token name cannot be \"none\"");
	if (strlen(server_name) > 63 || !str_is_hostname(server_name))
		return error_set(err, 400, "Invalid server name \"%s\"", server_name);

	return 0;
}

int bootstrap_check_address(const char *address, char **ret_address, struct error **err)
{
	scoped_free char *host = NULL;
	uint16_t port = 0;

	if (str_is_empty(address))
		return error_set(err, 400, "No cluster.https_address is set");
	if (netaddr_split(address, 8443, &host, &port) < 0)
		return error_set(err, 400, "Invalid address \"%s\"", address);
	if (netaddr_is_wildcard(host))
		return error_set(err, 400, "Cannot use wildcard address \"%s\" for clustering",
		                 address);

	*ret_address = netaddr_join(host, port);
	return 0;
}

/* What the member is called from now on, and its certificate. */
struct identity {
	struct cluster *cluster;
	const char *name;
	const char *address;
	bool is_clustered;
};

static int write_identity(struct db_tx *tx, void *arg, struct error **err)
{
	const struct identity *identity = arg;
	scoped(db_member_done) struct db_member row = { 0 };

	int r = db_member_get_by_id(tx, cluster_member_id(identity->cluster), &row, err);
	if (r < 0)
		return r;
	if (strcmp(row.name, identity->name) != 0) {
		r = db_member_rename(tx, row.name, identity->name, err);
		if (r < 0)
			return r;
	}
	r = db_member_set_address(tx, row.id, identity->address, err);
	if (r < 0)
		return r;

	if (!identity->is_clustered)
		return trust_remove(tx, row.name, err);
	return trust_add(tx, identity->name, identity->cluster->server->cert, err);
}

/* Gives this member's node another address; its database goes on. */
static int move_node(struct cluster *cluster, const char *address, const char *name,
                     bool is_clustered, struct error **err)
{
	struct db_local_raft raft = { .id = gateway_id(cluster->gateway),
		                      .address = (char *)address,
		                      .clustered = is_clustered };
	const struct raft_node node = {
		.id = raft.id, .address = (char *)address, .name = (char *)name, .role = ROLE_VOTER
	};
	scoped_free char *leader = NULL;

	int r = gateway_set_nodes(cluster->gateway, &node, 1, err);
	if (r < 0)
		return r;
	r = gateway_restart(cluster->gateway, GATEWAY_KEEP, &raft, &node, 1, err);
	if (r < 0)
		return r;

	return gateway_wait_leader(cluster->gateway, LEADER_TIMEOUT_MS, &leader, err);
}

static void undo(struct cluster *cluster)
{
	scoped(error_freep) struct error *err = NULL;
	struct identity identity = { .cluster = cluster, .name = "none", .address = "" };

	log_warn("Failed enabling clustering: going back");
	cluster_set_identity_take(cluster, cluster_member_id(cluster), "none", "", NULL);
	cluster_unlink(cluster, "cluster.crt");
	cluster_unlink(cluster, "cluster.key");
	if (move_node(cluster, STANDALONE_ADDRESS, "none", false, &err) < 0 ||
	    db_write(cluster->db, write_identity, &identity, &err) < 0)
		log_error("%s", err->msg);
	trust_clear(cluster);
}

static int run(struct cluster *cluster, const char *server_name, const char *address,
               struct error **err)
{
	struct identity identity = {
		.cluster = cluster, .name = server_name, .address = address, .is_clustered = true
	};

	/* Clients know this server by its certificate, so it becomes the cluster's. */
	int r = certificate_store(cluster->dir, "cluster", cluster->server, err);
	if (r < 0)
		return r;
	r = db_write(cluster->db, write_identity, &identity, err);
	if (r < 0)
		return r;

	db_pause(cluster->db, DRAIN_MS);
	cluster_set_identity_take(cluster, cluster_member_id(cluster), server_name, address,
	                          certificate_copy(cluster->server));
	r = move_node(cluster, address, server_name, true, err);
	db_forget_leader(cluster->db);
	db_resume(cluster->db);
	if (r >= 0)
		r = trust_refresh(cluster, err);
	if (r >= 0)
		r = cluster_members_refresh(cluster, err);

	return r;
}

int bootstrap_run(struct cluster *cluster, const char *server_name, const char *address,
                  struct error **err)
{
	scoped_free char *canonical = NULL;
	int r = bootstrap_check_name(server_name, err);
	if (r < 0)
		return r;
	r = bootstrap_check_address(address, &canonical, err);
	if (r < 0)
		return r;

	mutex_lock(&cluster->membership);
	bool is_enabled = cluster_is_enabled(cluster);
	if (is_enabled)
		r = error_set(err, 400, "This server is already clustered");
	else
		r = run(cluster, server_name, canonical, err);
	if (r < 0 && !is_enabled)
		undo(cluster);
	mutex_unlock(&cluster->membership);
	if (r < 0)
		return r;

	scoped_free char *source = xasprintf("/1.0/cluster/members/%s", server_name);
	HOOK(cluster, lifecycle, "cluster-enabled", source, NULL);
	return 0;
}

static int disable(struct cluster *cluster, struct error **err)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	struct identity identity = { .cluster = cluster, .name = "none", .address = "" };

	if (list->n_members > 1)
		return error_set(err, 400, "Clustering can only be disabled on the last member");

	int r = db_write(cluster->db, write_identity, &identity, err);
	if (r < 0)
		return r;

	db_pause(cluster->db, DRAIN_MS);
	cluster_set_identity_take(cluster, cluster_member_id(cluster), "none", "", NULL);
	r = move_node(cluster, STANDALONE_ADDRESS, "none", false, err);
	db_forget_leader(cluster->db);
	db_resume(cluster->db);
	if (r < 0)
		return r;

	cluster_unlink(cluster, "cluster.crt");
	cluster_unlink(cluster, "cluster.key");
	trust_clear(cluster);
	return cluster_members_refresh(cluster, err);
}

int bootstrap_disable(struct cluster *cluster, struct error **err)
{
	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");

	mutex_lock(&cluster->membership);
	int r = disable(cluster, err);
	mutex_unlock(&cluster->membership);
	if (r >= 0)
		HOOK(cluster, lifecycle, "cluster-disabled", "/1.0/cluster", NULL);

	return r;
}
