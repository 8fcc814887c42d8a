#include "daemon/api/cluster.h"

#include "cluster/bootstrap.h"
#include "cluster/certificate.h"
#include "cluster/cluster.h"
#include "cluster/join.h"
#include "cluster/join_token.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

/* Keys of pools that each member has for itself: a joiner is asked for them. */
static const char *const member_keys[] = { "source", "size" };

static struct json_object *member_config(const struct db_view *view)
{
	const struct db_storage_pools *pools = db_cache_pools(view);
	struct json_object *list = jv_array();

	for (size_t i = 0; i < pools->n; i++) {
		for (size_t j = 0; j < COUNT_OF(member_keys); j++) {
			struct json_object *o = jv_object();

			jv_set_string(o, "entity", "storage-pool");
			jv_set_string(o, "name", pools->rows[i].name);
			jv_set_string(o, "key", member_keys[j]);
			jv_set_string(o, "value", "");
			jv_set_stringf(o, "description", "\"%s\" property for storage pool \"%s\"",
			               member_keys[j], pools->rows[i].name);
			jv_add_take(list, o);
		}
	}

	return list;
}

static int cluster_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	bool is_clustered = state_is_clustered(req->state);
	scoped_free char *name = is_clustered ? state_member_name(req->state) : xstrdup("");

	int r = db_cache_view(req->state->cache, DB_POOLS, &view, err);
	if (r < 0)
		return r;

	struct json_object *o = jv_object();

	jv_set_string(o, "server_name", name);
	jv_set_bool(o, "enabled", is_clustered);
	jv_set_take(o, "member_config", member_config(view));
	response_sync_etag(res, o, o);
	return 0;
}

/* PUT /1.0/cluster, on its way to an operation; owns all its texts. */
struct enabling {
	struct json_object *body;
	char *server_name;
	char *server_address;
	char *cluster_address;
	char *cluster_certificate;
	char *token;
	ARRAY_OF(struct cluster_member_config) config;
};

static void enabling_free(void *arg)
{
	struct enabling *e = arg;

	if (!e)
		return;

	free(e->server_name);
	free(e->server_address);
	free(e->cluster_address);
	free(e->cluster_certificate);
	free(e->token);
	for (size_t i = 0; i < e->config.n_items; i++) {
		free((char *)e->config.items[i].entity);
		free((char *)e->config.items[i].name);
		free((char *)e->config.items[i].key);
		free((char *)e->config.items[i].value);
	}
	ARRAY_DONE(&e->config);
	free(e);
}

static void enabling_freep(struct enabling **e)
{
	enabling_free(*e);
}

static int read_text(struct json_object *body, const char *key, char **ret, struct error **err)
{
	const char *text = "";

	int r = jv_get_string(body, key, &text, err);
	if (r < 0)
		return r;

	free(*ret);
	*ret = str_trim(text);
	return 0;
}

static int read_config(struct json_object *body, struct enabling *e, struct error **err)
{
	struct json_object *list = NULL;

	int r = jv_get_array(body, "member_config", &list, err);

	for (size_t i = 0; r >= 0 && i < jv_len(list); i++) {
		struct json_object *o = jv_item(list, i);
		const char *entity, *name, *key, *value = "";

		if (jv_check_object(o, "An item of \"member_config\"", err) < 0 ||
		    jv_need_string(o, "entity", &entity, err) < 0 ||
		    jv_need_string(o, "name", &name, err) < 0 ||
		    jv_need_string(o, "key", &key, err) < 0 ||
		    jv_get_string(o, "value", &value, err) < 0)
			return (*err)->code;

		ARRAY_ADD(&e->config, (struct cluster_member_config){ .entity = xstrdup(entity),
		                                                      .name = xstrdup(name),
		                                                      .key = xstrdup(key),
		                                                      .value = xstrdup(value) });
	}

	return r < 0 ? r : 0;
}

static int read_body(struct json_object *body, struct enabling *e, struct error **err)
{
	const struct {
		const char *key;
		char **field;
	} texts[] = {
		{ "server_name", &e->server_name },
		{ "server_address", &e->server_address },
		{ "cluster_address", &e->cluster_address },
		{ "cluster_certificate", &e->cluster_certificate },
		{ "cluster_token", &e->token },
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		int r = read_text(body, texts[i].key, texts[i].field, err);
		if (r < 0)
			return r;
	}

	return read_config(body, e, err);
}

/* A join token names the member that it is for. */
static int name_from_token(struct enabling *e, struct error **err)
{
	struct join_token token = { 0 };

	if (!*e->token || *e->server_name)
		return 0;

	int r = join_token_parse(e->token, &token, err);
	if (r < 0)
		return r;

	free(e->server_name);
	e->server_name = xstrdup(token.server_name);
	join_token_done(&token);
	return 0;
}

/* The address that others will dial: as asked for, else what is configured. */
static int choose_address(struct state *state, struct enabling *e, struct error **err)
{
	static const char *const keys[] = { "cluster.https_address", "core.https_address" };
	char *checked;

	for (size_t i = 0; i < COUNT_OF(keys) && !*e->server_address; i++) {
		free(e->server_address);
		e->server_address = server_conf_string(state, keys[i]);
	}

	if (!*e->server_address)
		return error_set(err, 400,
		                 "Cannot use clustering: \"core.https_address\" is not set");

	int r = bootstrap_check_address(e->server_address, &checked, err);
	if (r < 0)
		return r;

	free(e->server_address);
	e->server_address = checked;
	return 0;
}

/* Listens on the address before anybody is told of it. What was set before is for a failure. */
static int set_addresses(struct state *state, const char *address, char **ret_before,
                         struct error **err)
{
	scoped_free char *core = server_conf_string(state, "core.https_address");
	scoped_free char *before = server_conf_string(state, "cluster.https_address");

	int r = server_conf_set(state, "cluster.https_address", address, err);
	if (r < 0)
		return r;

	if (!*core) {
		r = server_conf_set(state, "core.https_address", address, err);
		if (r < 0)
			return r;
	}

	*ret_before = TAKE_PTR(before);
	return 0;
}

static void restore_address(struct state *state, const char *before)
{
	scoped(error_freep) struct error *err = NULL;

	if (server_conf_set(state, "cluster.https_address", before, &err) < 0)
		log_warn("Failed restoring \"cluster.https_address\": %s", err->msg);
}

static int run_bootstrap(struct operation *op, void *arg, struct error **err)
{
	const struct enabling *e = arg;
	struct state *state = operation_state(op);
	scoped_free char *before = NULL;

	int r = set_addresses(state, e->server_address, &before, err);
	if (r < 0)
		return r;

	r = bootstrap_run(state->cluster, e->server_name, e->server_address, err);
	if (r < 0)
		restore_address(state, before);

	return r;
}

static int run_join(struct operation *op, void *arg, struct error **err)
{
	const struct enabling *e = arg;
	struct state *state = operation_state(op);
	scoped_free char *before = NULL;
	const struct join_request join = {
		.server_name = e->server_name,
		.server_address = e->server_address,
		.cluster_address = *e->cluster_address ? e->cluster_address : NULL,
		.cluster_certificate = *e->cluster_certificate ? e->cluster_certificate : NULL,
		.token = *e->token ? e->token : NULL,
		.member_config = e->config.items,
		.n_member_config = e->config.n_items,
	};

	int r = set_addresses(state, e->server_address, &before, err);
	if (r < 0)
		return r;

	r = join_run(state->cluster, &join, err);
	if (r < 0)
		restore_address(state, before);

	return r;
}

static int run_disable(struct operation *op, void *arg, struct error **err)
{
	struct state *state = operation_state(op);

	(void)arg;

	int r = bootstrap_disable(state->cluster, err);
	if (r < 0)
		return r;

	restore_address(state, NULL);
	return 0;
}

static int start(struct request *req, struct response *res, const char *description,
                 operation_run *run, struct enabling *e_take, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	const struct operation_spec spec = {
		.description = description,
		.conflict = "cluster",
		.may_not_cancel = true,
		.run = run,
		.free_arg = enabling_free,
		.arg = e_take,
	};

	int r = operation_new_for(req, &spec, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

static int cluster_put(struct request *req, struct response *res, struct error **err)
{
	scoped(enabling_freep) struct enabling *e = xcalloc(1, sizeof(*e));
	struct json_object *body;
	bool is_enabled = false;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_bool(body, "enabled", &is_enabled, err);
	if (r < 0)
		return r;

	r = read_body(body, e, err);
	if (r < 0)
		return r;

	if (!is_enabled) {
		if (!state_is_clustered(req->state))
			return error_set(err, 400, "This server is not clustered");
		return start(req, res, "Disabling clustering", run_disable, TAKE_PTR(e), err);
	}

	if (state_is_clustered(req->state))
		return error_set(err, 400, "This server is already clustered");

	r = name_from_token(e, err);
	if (r < 0)
		return r;
	if (!*e->server_name)
		return error_set(err, 400, "ServerName is required when enabling clustering");

	r = bootstrap_check_name(e->server_name, err);
	if (r < 0)
		return r;

	r = choose_address(req->state, e, err);
	if (r < 0)
		return r;

	if (*e->token || *e->cluster_address)
		return start(req, res, "Joining cluster", run_join, TAKE_PTR(e), err);

	return start(req, res, "Creating bootstrap node", run_bootstrap, TAKE_PTR(e), err);
}

static int certificate_put(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *cert, *key;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	if (jv_need_string(body, "cluster_certificate", &cert, err) < 0 ||
	    jv_need_string(body, "cluster_certificate_key", &key, err) < 0)
		return (*err)->code;

	r = certificate_update(req->state->cluster, cert, key, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET", .path = "/1.0/cluster",             .handler = cluster_get,     .access = ACCESS_TRUSTED, .extension = "clustering" },
	{ .method = "PUT", .path = "/1.0/cluster",             .handler = cluster_put,     .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering" },
	{ .method = "PUT", .path = "/1.0/cluster/certificate", .handler = certificate_put, .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_update_cert" },
};
/* clang-format on */

const struct route_table cluster_routes = ROUTE_TABLE(routes);
