#include "daemon/api/server.h"

#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "cluster/certificate.h"
#include "cluster/cluster.h"
#include "daemon/api/addresses.h"
#include "daemon/api/extensions.h"
#include "daemon/core/access.h"
#include "daemon/core/environment.h"
#include "daemon/core/kept_answers.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/net/http_exchange.h"

/* The level of LXD's API that is served, and what clients look for there. */
#define API_LEVEL "6.6"
#define API_SERVER "lxd"

static void set_storage(struct json_object *env, struct state *state, const struct db_view *view)
{
	const struct db_storage_pools *pools = db_cache_pools(view);
	const struct environment *e = state->environment;
	struct json_object *supported = jv_array();
	scoped(strbuf_done) struct strbuf names = { 0 };
	scoped(strbuf_done) struct strbuf versions = { 0 };

	for (size_t i = 0; i < e->n_storage_drivers; i++) {
		const struct environment_driver *driver = &e->storage_drivers[i];
		struct json_object *o = jv_object();
		bool is_used = false;

		for (size_t j = 0; j < pools->n; j++)
			is_used |= str_equals(pools->rows[j].driver, driver->name);
		if (is_used) {
			strbuf_addf(&names, "%s%s", names.size ? " | " : "", driver->name);
			strbuf_addf(&versions, "%s%s", versions.size ? " | " : "", driver->version);
		}

		jv_set_string(o, "Name", driver->name);
		jv_set_string(o, "Version", driver->version);
		jv_set_bool(o, "Remote", driver->is_remote);
		jv_add_take(supported, o);
	}

	jv_set_string(env, "storage", strbuf_text(&names));
	jv_set_string(env, "storage_version", strbuf_text(&versions));
	jv_set_take(env, "storage_supported_drivers", supported);
}

static void set_certificate(struct json_object *env, struct state *state)
{
	struct certificate *cert = certificate_of_listener(state->cluster);

	jv_set_string(env, "certificate", cert ? cert->cert : "");
	jv_set_string(env, "certificate_fingerprint", cert ? cert->fingerprint : "");
	certificate_free(cert);
}

static struct json_object *lxc_features(const struct environment *e)
{
	struct json_object *o = jv_object();

	for (char **name = e->lxc_features; name && *name; name++)
		jv_set_string(o, *name, "true");

	return o;
}

static struct json_object *environment_json(struct request *req, const struct db_view *view,
                                            struct json_object *addresses)
{
	struct state *state = req->state;
	const struct environment *e = state->environment;
	struct json_object *env = jv_object();
	struct json_object *types = jv_array();
	struct json_object *architectures = jv_array();
	struct json_object *range = jv_array();
	scoped_free char *name = state_server_name(state);

	for (const char *const *a = environment_architectures(e); *a; a++)
		jv_add_string(architectures, *a);
	jv_add_string(types, "container");
	jv_add_int(range, 1);
	jv_add_int(range, 1);

	jv_set_take(env, "addresses", jv_ref(addresses));
	jv_set_take(env, "architectures", architectures);
	jv_set_take(env, "backup_metadata_version_range", range);
	set_certificate(env, state);
	jv_set_string(env, "driver", e->driver);
	jv_set_string(env, "driver_version", e->driver_version);
	jv_set_take(env, "instance_types", types);
	jv_set_string(env, "firewall", e->firewall);
	jv_set_string(env, "kernel", e->kernel);
	jv_set_string(env, "kernel_architecture", e->architecture);
	jv_set_take(env, "kernel_features", environment_kernel_features(e));
	jv_set_string(env, "kernel_version", e->kernel_version);
	jv_set_take(env, "lxc_features", lxc_features(e));
	jv_set_string(env, "os_name", e->os_name);
	jv_set_string(env, "os_version", e->os_version);
	jv_set_string(env, "project", req->project);
	jv_set_string(env, "server", API_SERVER);
	jv_set_bool(env, "server_clustered", state_is_clustered(state));
	jv_set_string(env, "server_event_mode", "full-mesh");
	jv_set_string(env, "server_name", name);
	jv_set_int(env, "server_pid", getpid());
	jv_set_string(env, "server_version", API_LEVEL);
	jv_set_bool(env, "server_lts", false);
	set_storage(env, state, view);
	return env;
}

static struct json_object *extensions_json(void)
{
	struct json_object *list = jv_array();
	const char *name;

	for (size_t at = 0; (name = extensions_next(&at));)
		jv_add_string(list, name);

	return list;
}

static struct json_object *untrusted_json(struct request *req)
{
	struct json_object *o = jv_object();
	struct json_object *methods = jv_array();
	bool is_trusted = access_is_trusted(req->requestor);
	const struct http_peer *peer = http_exchange_peer(req->exchange);

	jv_add_string(methods, "tls");
	jv_set_take(o, "api_extensions", extensions_json());
	jv_set_string(o, "api_status", "stable");
	jv_set_string(o, "api_version", "1.0");
	jv_set_string(o, "auth", is_trusted ? "trusted" : "untrusted");
	jv_set_bool(o, "public", false);
	jv_set_take(o, "auth_methods", methods);
	jv_set_bool(o, "client_certificate", peer->fingerprint[0] != '\0');
	return o;
}

/*
 * All that an answer depends on and that can change while the daemon runs, but for the addresses
 * of interfaces, which are asked for before.
 */
static void print_key(struct request *req, const struct db_view *view,
                      struct json_object *addresses, struct strbuf *key)
{
	struct state *state = req->state;
	const struct requestor *who = req->requestor;
	const char *fingerprint = http_exchange_peer(req->exchange)->fingerprint;
	const void *rows[] = { db_cache_config(view), db_cache_pools(view) };
	uint64_t n_changes = server_conf_local_changes(state);
	scoped_free char *name = state_server_name(state);
	scoped_free char *cert = certificate_fingerprint_of_listener(state->cluster);
	const char *const texts[] = { req->project, who->username, who->protocol, name, cert };
	const bool flags[] = { access_is_admin(who), fingerprint[0] != '\0',
		               state_is_clustered(state) };

	strbuf_add_n(key, rows, sizeof(rows));
	strbuf_add_n(key, &n_changes, sizeof(n_changes));
	strbuf_add_n(key, flags, sizeof(flags));
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		strbuf_add_n(key, texts[i], strlen(texts[i]) + 1);
	for (size_t i = 0; i < jv_len(addresses); i++)
		strbuf_addf(key, "%s ", jv_string(jv_item(addresses, i)));
}

static struct kept_answer *make_answer(struct request *req, const struct db_view *view,
                                       struct json_object *addresses)
{
	scoped(jv_unrefp) struct json_object *server = untrusted_json(req);
	scoped(jv_unrefp) struct json_object *config =
		access_is_admin(req->requestor) ? server_conf_json(req->state, view) : jv_object();

	jv_set_take(server, "config", jv_ref(config));
	jv_set_string(server, "auth_user_name", req->requestor->username);
	jv_set_string(server, "auth_user_method", req->requestor->protocol);
	jv_set_take(server, "environment", environment_json(req, view, addresses));
	return response_keep(server, config);
}

static int server_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(kept_answer_unrefp) struct kept_answer *answer = NULL;
	scoped(strbuf_done) struct strbuf key = { 0 };

	if (!access_is_trusted(req->requestor)) {
		struct json_object *server = untrusted_json(req);

		jv_set_take(server, "config", jv_object());
		response_sync(res, server);
		return 0;
	}

	int r = request_view(req, DB_CONFIG | DB_POOLS | DB_PROJECTS, &view, err);
	if (r < 0)
		return r;

	if (!db_cache_project(view, req->project))
		return error_set(err, 404, "Failed loading project \"%s\": Project not found",
		                 req->project);

	scoped(jv_unrefp) struct json_object *addresses = addresses_listening(req->state);

	print_key(req, view, addresses, &key);
	answer = kept_answers_find(req->state->answers, &key);
	if (!answer) {
		answer = make_answer(req, view, addresses);
		kept_answers_add(req->state->answers, &key, answer, view);
	}
	response_kept(res, answer);
	return 0;
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	struct json_object *body, *config = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_object(body, "config", &config, err);
	if (r < 0)
		return r;

	r = server_conf_replace(req, config, is_patch, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

static int server_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int server_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET",   "/1.0", server_get,   ACCESS_ANYONE,   NULL,     NULL,       ON_TARGET, NULL,    NULL, ROUTE_BODY_JSON, false },
	{ "PUT",   "/1.0", server_put,   ACCESS_ENTITLED, "server", "can_edit", ON_TARGET, NULL,    NULL, ROUTE_BODY_JSON, false },
	{ "PATCH", "/1.0", server_patch, ACCESS_ENTITLED, "server", "can_edit", ON_TARGET, "patch", NULL, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table server_routes = ROUTE_TABLE(routes);
