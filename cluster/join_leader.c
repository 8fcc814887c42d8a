#include "cluster/join_leader.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/bootstrap.h"
#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/gateway.h"
#include "cluster/heartbeat.h"
#include "cluster/raft_nodes.h"
#include "cluster/token_secret.h"
#include "cluster/trust.h"
#include "db/db.h"
#include "db/members.h"
#include "db/schema.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/random.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/uuid.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

#define SECRET_SIZE 32 /* Bytes; twice as many digits. */

/* --- Tokens --- */

struct new_token {
	struct join_token *token;
	int64_t expires;
	const char *data;
};

static int check_name_is_free(struct db_tx *tx, const char *name, struct error **err)
{
	scoped(db_member_done) struct db_member row = { 0 };
	scoped(error_freep) struct error *missing = NULL;

	if (db_member_get(tx, name, &row, &missing) >= 0 && row.state != DB_MEMBER_PENDING)
		return error_set(err, 409, "The cluster already has a member with name: %s", name);

	return 0;
}

static int write_token(struct db_tx *tx, void *arg, struct error **err)
{
	const struct new_token *new = arg;
	scoped(db_token_list_done) struct db_tokens rows = { 0 };

	int r = check_name_is_free(tx, new->token->server_name, err);
	if (r < 0)
		return r;
	r = db_token_list(tx, DB_TOKEN_JOIN, &rows, err);
	for (size_t i = 0; r >= 0 && i < rows.n; i++) {
		if (str_equals(rows.rows[i].name, new->token->server_name))
			r = db_token_delete(tx, rows.rows[i].uuid, err);
	}
	if (r < 0)
		return r;

	const struct db_token row = { .uuid = new->token->uuid,
		                      .kind = DB_TOKEN_JOIN,
		                      .name = new->token->server_name,
		                      .project = (char *)"",
		                      .secret = new->token->secret,
		                      .created = date_now(),
		                      .expires = new->expires,
		                      .data = (char *)new->data };
	return db_token_create(tx, &row, err);
}

int join_leader_make_token(struct cluster *cluster, const char *server_name,
                           struct join_token *ret_token, struct error **err)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	scoped_free char *expiry = cluster_setting_text(cluster, "cluster.join_token_expiry");
	scoped(certificate_freep) struct certificate *shared = NULL;
	struct join_token token = { 0 };
	int64_t expires = 0;
	char date[DATE_SIZE];

	int r = bootstrap_check_name(server_name, err);
	if (r < 0)
		return r;
	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");
	if (parse_expiry(expiry, date_now(), &expires) < 0)
		return error_set(err, 500, "Invalid expiry \"%s\"", expiry);

	shared = certificate_of_listener(cluster);
	token.uuid = xcalloc(1, UUID_SIZE);
	uuid_make(token.uuid);
	token.server_name = xstrdup(server_name);
	token.fingerprint = xstrdup(shared->fingerprint);
	token.secret = random_hex(SECRET_SIZE);
	token.expires_at = xstrdup(date_format(expires, date));
	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		if (m->state == MEMBER_CREATED && m->is_online)
			strv_add(&token.addresses, m->address);
	}

	scoped(jv_unrefp) struct json_object *metadata = join_token_metadata(&token);
	jv_unset(metadata, "secret");
	token_secret_keep(cluster, metadata, token.secret);
	scoped_free char *data = jv_print_text(metadata, NULL);
	struct new_token new = { .token = &token, .expires = expires, .data = data };
	r = db_write(cluster->db, write_token, &new, err);
	if (r < 0) {
		join_token_done(&token);
		return r;
	}

	HOOK(cluster, lifecycle, "cluster-token-created", "/1.0/cluster/members", NULL);
	*ret_token = token;
	return 0;
}

/* --- Accepting --- */

/* What a joiner says of itself; borrowed from its request. */
struct joiner {
	struct cluster *cluster;
	const char *name;
	const char *address;
	const char *certificate;
	const char *secret; /* Or NULL. */
	const char *architecture;
	int64_t schema;
	int64_t n_api_extensions;
	struct json_object *inventory;
	int64_t id;                      /* Output: its row. */
	struct json_object *definitions; /* Output, owned. */
};

static int read_joiner(struct json_object *request, struct joiner *joiner, struct error **err)
{
	int r = jv_need_string(request, "name", &joiner->name, err);
	if (r >= 0)
		r = jv_need_string(request, "address", &joiner->address, err);
	if (r >= 0)
		r = jv_need_string(request, "certificate", &joiner->certificate, err);
	if (r >= 0)
		r = jv_get_string(request, "secret", &joiner->secret, err);
	if (r >= 0)
		r = jv_get_string(request, "architecture", &joiner->architecture, err);
	if (r >= 0)
		r = jv_get_int(request, "schema", &joiner->schema, err);
	if (r >= 0)
		r = jv_get_int(request, "api_extensions", &joiner->n_api_extensions, err);
	if (r >= 0)
		r = jv_get_object(request, "inventory", &joiner->inventory, err);
	if (r < 0)
		return r;

	r = bootstrap_check_name(joiner->name, err);
	if (r < 0)
		return r;

	scoped_free char *canonical = NULL;
	return bootstrap_check_address(joiner->address, &canonical, err);
}

/* The rows of a join of that name or address that was cut off; 400 for those of members. */
static int drop_leftovers(struct db_tx *tx, const struct joiner *joiner, struct error **err)
{
	scoped(db_member_list_done) struct db_members rows = { 0 };
	int r = db_member_list(tx, &rows, err);

	for (size_t i = 0; r >= 0 && i < rows.n; i++) {
		const struct db_member *row = &rows.rows[i];
		bool is_same_name = str_equals(row->name, joiner->name);
		bool is_same_address = str_equals(row->address, joiner->address);

		if (!is_same_name && !is_same_address)
			continue;
		if (row->state == DB_MEMBER_PENDING)
			r = db_member_delete(tx, row->id, err);
		else if (is_same_name)
			r = error_set(err, 400, "The cluster already has a member with name: %s",
			              joiner->name);
		else
			r = error_set(err, 400, "The cluster already has a member with address: %s",
			              joiner->address);
	}

	return r;
}

static int token_error(struct error **cause, struct error **err)
{
	if ((*cause)->status == 404)
		return error_set(err, 403, "The cluster join token is unknown, used or expired");

	return error_move(err, cause);
}

static int use_token(struct db_tx *tx, const struct joiner *joiner, struct error **err)
{
	scoped(db_token_done) struct db_token row = { 0 };
	scoped(error_freep) struct error *cause = NULL;

	int r = db_token_use(tx, DB_TOKEN_JOIN, joiner->secret, joiner->name, date_now(), &row,
	                     &cause);
	return r < 0 ? token_error(&cause, err) : 0;
}

/* Whether there is such a token: before anything is changed for whoever shows it. */
static int check_token(struct db_tx *tx, void *arg, struct error **err)
{
	const struct joiner *joiner = arg;
	scoped(db_token_done) struct db_token row = { 0 };
	scoped(error_freep) struct error *cause = NULL;

	if (!joiner->secret)
		return 0;

	int r = db_token_find(tx, DB_TOKEN_JOIN, joiner->secret, joiner->name, date_now(), &row,
	                      &cause);
	return r < 0 ? token_error(&cause, err) : 0;
}

static int write_joiner(struct db_tx *tx, void *arg, struct error **err)
{
	struct joiner *joiner = arg;
	struct cluster *cluster = joiner->cluster;
	const struct db_member row = { .name = (char *)joiner->name,
		                       .address = (char *)joiner->address,
		                       .description = (char *)"",
		                       .architecture = (char *)str_or_empty(joiner->architecture),
		                       .failure_domain = (char *)"default",
		                       .state = DB_MEMBER_PENDING,
		                       .heartbeat = date_now(),
		                       .schema = joiner->schema,
		                       .api_extensions = joiner->n_api_extensions };

	int r = joiner->secret ? use_token(tx, joiner, err) : 0;
	if (r >= 0)
		r = drop_leftovers(tx, joiner, err);
	if (r >= 0)
		r = HOOK_INT(cluster, join_check, tx, joiner->inventory, err);
	if (r >= 0)
		r = db_member_create(tx, &row, &joiner->id, err);
	if (r >= 0)
		r = trust_add(tx, joiner->name, joiner->certificate, err);

	jv_unref(joiner->definitions);
	joiner->definitions = NULL;
	if (r >= 0)
		r = HOOK_INT(cluster, join_definitions, tx, &joiner->definitions, err);

	return r;
}

static struct json_object *nodes_to_json(const struct member_list *list)
{
	struct json_object *array = jv_array();

	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		if (m->state == MEMBER_PENDING)
			continue;

		struct json_object *o = jv_object();
		jv_set_int(o, "id", m->id);
		jv_set_string(o, "address", m->address);
		jv_set_string(o, "name", m->name);
		jv_set_int(o, "role", m->role);
		jv_add_take(array, o);
	}

	return array;
}

/*
 * A node that a join of that name or address has left in raft. It is none of a member: those have a
 * row that is not pending.
 */
static int drop_raft_leftovers(struct cluster *cluster, const struct joiner *joiner,
                               struct error **err)
{
	struct raft_node *nodes = NULL;
	size_t n_nodes = 0;

	int r = cluster_members_refresh(cluster, err);
	if (r >= 0)
		r = raft_nodes_read(cluster->gateway, &nodes, &n_nodes, err);

	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	for (size_t i = 0; r >= 0 && i < n_nodes; i++) {
		const struct member *m = member_list_by_id(list, (int64_t)nodes[i].id);
		bool is_same = str_equals(nodes[i].address, joiner->address) ||
		               (m && str_equals(m->name, joiner->name));

		if (is_same && (!m || m->state == MEMBER_PENDING))
			r = raft_nodes_remove(cluster->gateway, nodes[i].id, err);
	}
	raft_nodes_free(nodes, n_nodes);

	return r;
}

static int accept_joiner(struct cluster *cluster, struct joiner *joiner,
                         struct json_object **ret_answer, struct error **err)
{
	if (joiner->schema != db_schema_version() ||
	    joiner->n_api_extensions != (int64_t)cluster->n_api_extensions) {
		return error_set(err, 400,
		                 "The joining server version does not match (expected schema %lld "
		                 "with API count %llu)",
		                 (long long)db_schema_version(),
		                 (unsigned long long)cluster->n_api_extensions);
	}

	int r = db_read(cluster->db, check_token, joiner, err);
	if (r == 0)
		r = drop_raft_leftovers(cluster, joiner, err);
	if (r < 0)
		return r;
	r = db_write(cluster->db, write_joiner, joiner, err);
	if (r < 0)
		return r;
	r = trust_refresh(cluster, err);
	if (r >= 0)
		r = cluster_members_refresh(cluster, err);
	if (r < 0)
		return r;

	scoped(certificate_freep) struct certificate *shared = certificate_of_listener(cluster);
	scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
	struct json_object *answer = jv_object();
	jv_set_int(answer, "id", joiner->id);
	jv_set_take(answer, "raft_nodes", nodes_to_json(list));
	jv_set_take(answer, "trusted", trust_to_json(cluster));
	jv_set_string(answer, "cluster_certificate", shared->cert);
	jv_set_string(answer, "cluster_certificate_key", shared->key);
	jv_set_take(answer, "definitions", TAKE_PTR(joiner->definitions));
	*ret_answer = answer;

	return 0;
}

int join_leader_accept(struct cluster *cluster, struct json_object *request, bool is_trusted,
                       struct json_object **ret_answer, struct error **err)
{
	struct joiner joiner = { .cluster = cluster };

	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");

	int r = read_joiner(request, &joiner, err);
	if (r < 0)
		return r;
	if (!is_trusted && str_is_empty(joiner.secret))
		return error_set(err, 403, "not authorized");
	if (str_is_empty(joiner.secret))
		joiner.secret = NULL;

	if (!gateway_is_leader_now(cluster->gateway)) {
		const struct connect_call call = { .method = "POST",
			                           .path = "/internal/cluster/accept",
			                           .body = request };

		return connect_call_leader(cluster, &call, ret_answer, err);
	}

	mutex_lock(&cluster->membership);
	r = accept_joiner(cluster, &joiner, ret_answer, err);
	mutex_unlock(&cluster->membership);
	jv_unref(joiner.definitions);
	/* The others learn whom to trust. */
	heartbeat_request(cluster);

	return r;
}

/* --- Undoing --- */

static int delete_pending(struct db_tx *tx, void *arg, struct error **err)
{
	const int64_t *id = arg;
	scoped(db_member_done) struct db_member row = { 0 };

	int r = db_member_get_by_id(tx, *id, &row, err);
	if (r < 0)
		return r;
	if (row.state != DB_MEMBER_PENDING)
		return error_set(err, 400, "Cluster member \"%s\" has joined", row.name);

	r = trust_remove(tx, row.name, err);
	if (r < 0)
		return r;
	return db_member_delete(tx, *id, err);
}

int join_leader_undo(struct cluster *cluster, struct json_object *request, struct error **err)
{
	int64_t id = 0;
	int r = jv_get_int(request, "id", &id, err);
	if (r < 0)
		return r;
	if (id <= 0)
		return error_set(err, 400, "No member is named");

	if (!gateway_is_leader_now(cluster->gateway)) {
		const struct connect_call call = { .method = "POST",
			                           .path = "/internal/cluster/undo",
			                           .body = request };

		return connect_call_leader(cluster, &call, NULL, err);
	}

	mutex_lock(&cluster->membership);
	r = db_write(cluster->db, delete_pending, &id, err);
	if (r >= 0)
		r = raft_nodes_remove(cluster->gateway, (uint64_t)id, err);
	scoped(error_freep) struct error *failure = NULL;
	if (r >= 0 && (trust_refresh(cluster, &failure) < 0 ||
	               cluster_members_refresh(cluster, &failure) < 0))
		log_warn("%s", failure->msg);
	mutex_unlock(&cluster->membership);

	return r;
}
