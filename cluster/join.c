#include "cluster/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "cluster/bootstrap.h"
#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/gateway.h"
#include "cluster/join_token.h"
#include "cluster/raft_nodes.h"
#include "cluster/rebalance.h"
#include "cluster/trust.h"
#include "db/db.h"
#include "db/local.h"
#include "db/members.h"
#include "db/schema.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/failpoint.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/tree.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"
#include "lib/net/x509.h"

#define FETCH_TIMEOUT_MS 3000
#define ACCEPT_TIMEOUT_MS 30000
#define DRAIN_MS 5000
#define STANDALONE_ADDRESS "1"

/* A join under way, and how far it went. */
struct joining {
	struct cluster *cluster;
	const struct join_request *request;
	char *own_address;  /* With a port. */
	char **addresses;   /* Of members. */
	char *secret;       /* Of the token, or NULL. */
	char *cluster_cert; /* PEM */
	char *fingerprint;  /* Of the token, or NULL. */
	char *reached;      /* The member that accepted. */
	struct json_object *answer;
	int64_t id;
	bool is_prepared;
	bool is_moved;
};

static void joining_done(struct joining *j)
{
	free(j->own_address);
	strv_free(j->addresses);
	free(j->secret);
	free(j->cluster_cert);
	free(j->fingerprint);
	free(j->reached);
	jv_unref(j->answer);
}

/* --- Asking --- */

static int read_request(struct joining *j, struct error **err)
{
	const struct join_request *request = j->request;

	int r = bootstrap_check_name(request->server_name, err);
	if (r < 0)
		return r;
	r = bootstrap_check_address(request->server_address, &j->own_address, err);
	if (r < 0)
		return r;

	if (!str_is_empty(request->cluster_address))
		strv_add(&j->addresses, request->cluster_address);
	if (!str_is_empty(request->cluster_certificate))
		j->cluster_cert = xstrdup(request->cluster_certificate);
	if (!str_is_empty(request->token)) {
		scoped(join_token_done) struct join_token token = { 0 };

		r = join_token_parse(request->token, &token, err);
		if (r < 0)
			return r;
		if (strcmp(token.server_name, request->server_name) != 0)
			return error_set(err, 400, "The join token is for the server name \"%s\"",
			                 token.server_name);
		if (join_token_is_expired(&token, date_now()))
			return error_set(err, 400, "The join token has expired");
		STRV_FOREACH (address, token.addresses)
			strv_add_once(&j->addresses, address);
		j->secret = TAKE_PTR(token.secret);
		j->fingerprint = TAKE_PTR(token.fingerprint);
	}
	if (!j->addresses)
		return error_set(err, 400, "No address of a cluster member is given");
	if (!j->cluster_cert && !j->fingerprint)
		return error_set(err, 400, "The cluster's certificate is not given");

	return 0;
}

/* The certificate that 'address' shows, if it is the one of the token. */
static int fetch_certificate(struct joining *j, const char *address, struct error **err)
{
	scoped(x509_freep) struct x509 *cert = NULL;
	int r = http_client_fetch_certificate(address, FETCH_TIMEOUT_MS, &cert, err);
	if (r < 0)
		return r;
	if (strcmp(cert->fingerprint, j->fingerprint) != 0)
		return error_set(err, 403,
		                 "The certificate of \"%s\" is not that of the join token",
		                 address);

	j->cluster_cert = x509_to_pem(cert->der, cert->der_size);
	return 0;
}

static const char *architecture(void)
{
	static struct utsname name;

	return uname(&name) < 0 ? "unknown" : name.machine;
}

static int ask_one(struct joining *j, const char *address, struct json_object *body,
                   bool *ret_is_answered, struct error **err)
{
	if (!j->cluster_cert) {
		int r = fetch_certificate(j, address, err);
		if (r < 0)
			return r;
	}

	scoped(http_client_unrefp) struct http_client *client =
		connect_pinned(j->cluster, address, j->cluster_cert);
	const struct connect_call call = { .method = "POST",
		                           .path = "/internal/cluster/accept",
		                           .body = body,
		                           .timeout_ms = ACCEPT_TIMEOUT_MS };
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	int r = connect_do(client, &call, ret_is_answered, &envelope, err);
	if (r < 0)
		return r;

	j->answer = jv_ref(jv_member(envelope, "metadata"));
	j->id = jv_number(j->answer, "id");
	j->reached = xstrdup(address);
	if (j->id <= 0)
		return error_set(err, 502, "The cluster gave no id");

	return 0;
}

static int ask(struct joining *j, struct error **err)
{
	struct cluster *cluster = j->cluster;
	scoped(jv_unrefp) struct json_object *body = jv_object();
	struct json_object *inventory = NULL;

	int r = HOOK_INT(cluster, join_inventory, &inventory, err);
	if (r < 0)
		return r;
	jv_set_string(body, "name", j->request->server_name);
	jv_set_string(body, "address", j->own_address);
	jv_set_string(body, "certificate", cluster->server->cert);
	if (j->secret)
		jv_set_string(body, "secret", j->secret);
	jv_set_int(body, "schema", db_schema_version());
	jv_set_uint(body, "api_extensions", cluster->n_api_extensions);
	jv_set_string(body, "architecture", architecture());
	if (inventory)
		jv_set_take(body, "inventory", inventory);

	scoped(error_freep) struct error *last = NULL;
	STRV_FOREACH (address, j->addresses) {
		bool is_answered = false;

		error_clear(&last);
		r = ask_one(j, address, body, &is_answered, &last);
		if (r >= 0)
			return 0;
		/* What the cluster refuses it refuses everywhere. */
		if (is_answered && last->status != 503)
			break;
		log_debug("Failed joining through %s: %s", address, last->msg);
	}
	(void)error_move(err, &last);

	return error_wrap(err, "Failed joining the cluster");
}

/* --- Becoming a member --- */

static struct raft_node *nodes_of_answer(struct json_object *answer, size_t *ret_n_nodes)
{
	struct json_object *array = jv_member(answer, "raft_nodes");
	size_t n = jv_len(array);
	struct raft_node *nodes = xcalloc(n ? n : 1, sizeof(*nodes));

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = jv_item(array, i);
		int64_t role = jv_number(o, "role");

		nodes[i].id = (uint64_t)jv_number(o, "id");
		nodes[i].address = xstrdup(str_or_empty(jv_text(o, "address")));
		nodes[i].name = xstrdup(str_or_empty(jv_text(o, "name")));
		nodes[i].role =
			role == ROLE_VOTER || role == ROLE_STANDBY ? (enum role)role : ROLE_SPARE;
	}
	*ret_n_nodes = n;

	return nodes;
}

static int move_node(struct joining *j, struct error **err)
{
	struct cluster *cluster = j->cluster;
	const struct db_local_raft raft = { .id = (uint64_t)j->id,
		                            .address = j->own_address,
		                            .clustered = true };
	size_t n_nodes = 0;
	struct raft_node *nodes = nodes_of_answer(j->answer, &n_nodes);

	j->is_moved = true;
	int r = gateway_set_nodes(cluster->gateway, nodes, n_nodes, err);
	raft_nodes_free(nodes, n_nodes);
	if (r < 0)
		return r;
	/* From the moment that the old directory is aside, a crash means going back. */
	r = gateway_restart(cluster->gateway, GATEWAY_ASIDE, &raft, NULL, 0, err);
	if (r < 0)
		return r;

	return 0;
}

static int take_certificates(struct joining *j, struct error **err)
{
	struct cluster *cluster = j->cluster;
	scoped(certificate_freep) struct certificate *shared = NULL;
	const char *cert = jv_text(j->answer, "cluster_certificate");
	const char *key = jv_text(j->answer, "cluster_certificate_key");

	int r = certificate_new(str_or_empty(cert), str_or_empty(key), &shared, err);
	if (r < 0)
		return r;
	r = certificate_store(cluster->dir, "cluster", shared, err);
	if (r < 0)
		return r;

	cluster_set_identity_take(cluster, j->id, j->request->server_name, j->own_address,
	                          TAKE_PTR(shared));
	trust_of_json(cluster, jv_member(j->answer, "trusted"));
	cluster_list_nodes(cluster);
	return 0;
}

/*
 * As a spare: a voter that is not a member yet, and may never be one, could take the quorum with
 * it. The leader gives it a role once it has joined.
 */
static int enter_raft(struct joining *j, struct error **err)
{
	int r = raft_nodes_add(j->cluster->gateway, (uint64_t)j->id, j->own_address, err);
	if (r < 0)
		return error_wrap(err, "Failed joining the database");

	return 0;
}

static int end_pending(struct db_tx *tx, void *arg, struct error **err)
{
	struct joining *j = arg;

	int r = HOOK_INT(j->cluster, join_commit, tx, j->id, err);
	if (r < 0)
		return r;
	return db_member_set_state(tx, j->id, DB_MEMBER_CREATED, err);
}

static int become_member(struct joining *j, struct error **err)
{
	struct cluster *cluster = j->cluster;

	int r = HOOK_INT(cluster, join_prepare, jv_member(j->answer, "definitions"),
	                 j->request->member_config, j->request->n_member_config, err);
	if (r < 0)
		return r;
	j->is_prepared = true;

	db_pause(cluster->db, DRAIN_MS);
	r = move_node(j, err);
	if (r >= 0)
		r = take_certificates(j, err);
	db_forget_leader(cluster->db);
	db_resume(cluster->db);
	if (r < 0)
		return r;

	HOOK(cluster, database_replaced);
	r = enter_raft(j, err);
	if (r == 0)
		r = FAILPOINT("join.entered", NULL,
		              "When a joiner is in the database's cluster and not a member yet",
		              err);
	if (r < 0)
		return r;

	return db_write(cluster->db, end_pending, j, err);
}

/* --- Going back --- */

static void tell_cluster(struct joining *j)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	bool is_answered = false;

	jv_set_int(body, "id", j->id);
	scoped(http_client_unrefp) struct http_client *client =
		connect_pinned(j->cluster, j->reached, j->cluster_cert);
	const struct connect_call call = { .method = "POST",
		                           .path = "/internal/cluster/undo",
		                           .body = body,
		                           .timeout_ms = ACCEPT_TIMEOUT_MS };
	if (connect_do(client, &call, &is_answered, &envelope, &err) < 0)
		log_warn("Failed telling the cluster that the join has failed: %s", err->msg);
}

static const struct db_local_raft standalone = { .id = 1, .address = (char *)STANDALONE_ADDRESS };

static void undo(struct joining *j)
{
	struct cluster *cluster = j->cluster;
	scoped(error_freep) struct error *err = NULL;

	if (j->id > 0)
		tell_cluster(j);
	if (j->is_moved) {
		db_pause(cluster->db, DRAIN_MS);
		if (gateway_set_nodes(cluster->gateway, NULL, 0, &err) < 0 ||
		    gateway_restart(cluster->gateway, GATEWAY_RESTORE, &standalone, NULL, 0, &err) <
		            0)
			log_error("Failed going back to a standalone server: %s", err->msg);
		cluster_unlink(cluster, "cluster.crt");
		cluster_unlink(cluster, "cluster.key");
		cluster_set_identity_take(cluster, 1, "none", "", NULL);
		trust_clear(cluster);
		db_forget_leader(cluster->db);
		db_resume(cluster->db);
		HOOK(cluster, database_replaced);

		scoped(error_freep) struct error *failure = NULL;
		if (cluster_members_refresh(cluster, &failure) < 0)
			log_warn("%s", failure->msg);
	}
	if (j->is_prepared)
		HOOK(cluster, join_undo);
}

int join_local_mend(struct cluster *cluster, struct error **err)
{
	scoped_free char *global = path_join(cluster->dir, "database", "global", NULL);
	scoped_free char *old = path_join(cluster->dir, "database", "global.old", NULL);

	if (!file_is_dir(old))
		return 0;

	log_warn("A join of a cluster was cut off: going back to a standalone server");
	int r = db_local_set_raft(cluster->local, &standalone, err);
	if (r < 0)
		return r;
	r = db_local_replace_raft_nodes(cluster->local, NULL, 0, err);
	if (r < 0)
		return r;
	cluster_unlink(cluster, "cluster.crt");
	cluster_unlink(cluster, "cluster.key");
	cluster_unlink(cluster, "database/trusted");
	r = tree_remove(global, 0);
	if (r == 0 && rename(old, global) < 0)
		r = -errno;
	if (r < 0)
		return error_set_errno(err, r, "Failed restoring \"%s\"", global);

	return 0;
}

/* --- The whole --- */

static int run(struct joining *j, struct error **err)
{
	int r = read_request(j, err);
	if (r < 0)
		return r;
	r = ask(j, err);
	if (r < 0)
		return r;

	return become_member(j, err);
}

int join_run(struct cluster *cluster, const struct join_request *request, struct error **err)
{
	scoped(joining_done) struct joining j = { .cluster = cluster, .request = request };
	scoped(error_freep) struct error *failure = NULL;

	mutex_lock(&cluster->membership);
	bool is_enabled = cluster_is_enabled(cluster);
	int r = is_enabled ? error_set(err, 400, "This server is already clustered") : run(&j, err);
	if (r < 0 && !is_enabled)
		undo(&j);
	mutex_unlock(&cluster->membership);
	if (r < 0)
		return r;

	gateway_drop_old(cluster->gateway);
	if (trust_refresh(cluster, &failure) < 0 || cluster_members_refresh(cluster, &failure) < 0)
		log_warn("%s", failure->msg);
	/* A cluster that has just been formed is to survive the loss of a member at once. */
	rebalance_wait(cluster);
	cluster_lifecycle(cluster, "cluster-member-added", request->server_name);

	return 0;
}
