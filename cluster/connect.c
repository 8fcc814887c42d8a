#include "cluster/connect.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/cluster_private.h"
#include "cluster/gateway.h"
#include "cluster/heartbeat.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"
#include "lib/net/http_client.h"

#define CONNECT_TIMEOUT_MS 2000
#define CALL_TIMEOUT_MS 30000
#define LEADER_TRIES_MS 5000
#define LEADER_PAUSE_MS 50
#define ANSWER_MAX (64U << 20)

int connect_address(struct cluster *cluster, const char *member_name, char **ret_address,
                    struct error **err)
{
	scoped(member_list_unrefp) struct member_list *members = cluster_members(cluster);
	const struct member *member = member_list_by_name(members, member_name);

	if (!member)
		return error_set(err, 404, "Cluster member \"%s\" not found", member_name);
	if (!member->is_online)
		return error_set(err, 503, "Cluster member \"%s\" is offline", member_name);

	*ret_address = xstrdup(member->address);
	return 0;
}

static struct http_client *make_client(struct cluster *cluster, const char *address,
                                       const char *server_cert)
{
	scoped_free char *cert_path = path_join(cluster->dir, "server.crt", NULL);
	scoped_free char *key_path = path_join(cluster->dir, "server.key", NULL);
	scoped_free char *agent = xasprintf("Muster %s", cluster->version);
	const struct http_client_config config = {
		.address = address,
		.server_cert_pem = server_cert,
		.cert_path = cert_path,
		.key_path = key_path,
		.user_agent = agent,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
	};

	return http_client_new(&config);
}

int connect_client(struct cluster *cluster, const char *address, struct http_client **ret_client,
                   struct error **err)
{
	mutex_lock(&cluster->lock);
	struct http_client *client = map_get(cluster->clients, address);
	client = client ? http_client_ref(client) : NULL;
	char *cert = xstrdup(cluster->shared ? cluster->shared->cert : cluster->server->cert);
	bool is_enabled = cluster->is_enabled;
	mutex_unlock(&cluster->lock);
	scoped_free char *server_cert = cert;

	if (!is_enabled)
		return error_set(err, 400, "This server is not clustered");
	if (client) {
		*ret_client = client;
		return 0;
	}

	client = make_client(cluster, address, server_cert);
	mutex_lock(&cluster->lock);
	/* The certificate may have changed, or another thread been faster; then it is used once. */
	if (cluster->shared && strcmp(cluster->shared->cert, server_cert) == 0 &&
	    !map_has(cluster->clients, address))
		map_set(cluster->clients, address, http_client_ref(client));
	mutex_unlock(&cluster->lock);

	*ret_client = client;
	return 0;
}

struct http_client *connect_pinned(struct cluster *cluster, const char *address,
                                   const char *server_cert)
{
	return make_client(cluster, address, server_cert);
}

/* The answer's envelope, or its error. */
static int read_envelope(const struct http_response *res, struct json_object **ret_envelope,
                         struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	scoped(error_freep) struct error *cause = NULL;

	if (jv_parse_object(res->body, res->size, &envelope, &cause) < 0)
		return error_set(err, 502, "Cluster member answered with something else than JSON");
	if (str_equals(jv_text(envelope, "type"), "error")) {
		int64_t code = jv_number(envelope, "error_code");
		const char *text = jv_text(envelope, "error");

		return error_set(err, code >= 400 && code < 600 ? (int)code : 500, "%s",
		                 str_is_empty(text) ? "Unknown error" : text);
	}

	*ret_envelope = TAKE_PTR(envelope);
	return 0;
}

int connect_do(struct http_client *client, const struct connect_call *call, bool *ret_is_reached,
               struct json_object **ret_envelope, struct error **err)
{
	scoped(strv_freep) char **headers = NULL;
	scoped(http_response_done) struct http_response res = { 0 };
	scoped_free char *body = NULL;
	size_t size = 0;

	for (size_t i = 0; i < call->n_headers; i++)
		strv_addf(&headers, "%s: %s", call->headers[i].name, call->headers[i].value);
	if (call->body) {
		body = jv_print_text(call->body, &size);
		strv_add(&headers, "Content-Type: application/json");
	}

	const struct http_request req = {
		.method = call->method ? call->method : "GET",
		.path = call->path,
		.headers = (const char *const *)headers,
		.body = body,
		.body_size = size,
		.response_max = ANSWER_MAX,
		.timeout_ms = call->timeout_ms == CONNECT_NO_TIMEOUT ? 0
		              : call->timeout_ms                     ? call->timeout_ms
		                                                     : CALL_TIMEOUT_MS,
	};
	int r = http_client_do(client, &req, &res, err);
	*ret_is_reached = r >= 0;
	if (r < 0)
		return r;

	return read_envelope(&res, ret_envelope, err);
}

/* Waits for the operation that an answer names. */
static int wait_operation(struct http_client *client, const char *operation,
                          struct json_object **ret_metadata, struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	scoped_free char *path = xasprintf("%s/wait", operation);
	const struct connect_call call = { .path = path, .timeout_ms = CONNECT_NO_TIMEOUT };
	bool is_reached = false;

	int r = connect_do(client, &call, &is_reached, &envelope, err);
	if (r < 0)
		return r;

	struct json_object *metadata = jv_member(envelope, "metadata");
	int64_t code = jv_number(metadata, "status_code");
	if (code >= 400) {
		int64_t status = jv_number(metadata, "err_code");
		const char *text = jv_text(metadata, "err");

		return error_set(err, status >= 400 && status < 600 ? (int)status : 500, "%s",
		                 str_is_empty(text) ? "Operation failed" : text);
	}

	*ret_metadata = jv_ref(metadata);
	return 0;
}

int connect_call(struct cluster *cluster, const char *address, const struct connect_call *call,
                 struct json_object **ret_metadata, struct error **err)
{
	scoped(http_client_unrefp) struct http_client *client = NULL;
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	bool is_reached = false;

	int r = connect_client(cluster, address, &client, err);
	if (r < 0)
		return r;
	r = connect_do(client, call, &is_reached, &envelope, err);
	if (!is_reached)
		heartbeat_suspect(cluster, address);
	if (r < 0)
		return r;

	struct json_object *metadata = jv_ref(jv_member(envelope, "metadata"));
	const char *operation = jv_text(envelope, "operation");
	if (call->is_waited && str_equals(jv_text(envelope, "type"), "async") &&
	    !str_is_empty(operation)) {
		jv_unref(TAKE_PTR(metadata));
		r = wait_operation(client, operation, &metadata, err);
		if (r < 0)
			return r;
	}
	if (ret_metadata)
		*ret_metadata = metadata;
	else
		jv_unref(metadata);

	return 0;
}

int connect_call_member(struct cluster *cluster, const char *member_name,
                        const struct connect_call *call, struct json_object **ret_metadata,
                        struct error **err)
{
	scoped_free char *address = NULL;
	int r = connect_address(cluster, member_name, &address, err);
	if (r < 0)
		return r;

	return connect_call(cluster, address, call, ret_metadata, err);
}

int connect_call_leader(struct cluster *cluster, const struct connect_call *call,
                        struct json_object **ret_metadata, struct error **err)
{
	int64_t deadline =
		date_deadline(call->leader_wait_ms ? call->leader_wait_ms : LEADER_TRIES_MS);

	for (;;) {
		scoped(error_freep) struct error *failure = NULL;
		scoped_free char *address = NULL;

		int r = cluster_leader_address(cluster, &address, &failure);
		if (r >= 0)
			r = connect_call(cluster, address, call, ret_metadata, &failure);
		if (r >= 0)
			return 0;
		/* 503: nobody leads, it is gone, or it leads no more. The rest is its answer. */
		if (failure->status != 503 || date_left(deadline) == 0)
			return error_move(err, &failure);

		const struct timespec pause = { .tv_nsec = LEADER_PAUSE_MS * 1000000L };
		nanosleep(&pause, NULL);
	}
}

int connect_upgrade(struct cluster *cluster, const char *address,
                    const struct connect_upgrade *upgrade, struct stream **ret_stream,
                    struct error **err)
{
	scoped(http_client_unrefp) struct http_client *client = NULL;
	int r = connect_client(cluster, address, &client, err);
	if (r < 0)
		return r;

	static const char *const headers[] = { "X-Dqlite-Version: 1", NULL };
	bool is_websocket = strcmp(upgrade->protocol, "websocket") == 0;
	const struct http_request req = {
		.method = is_websocket ? "GET" : "POST",
		.path = upgrade->path,
		.headers = is_websocket ? NULL : headers,
		.timeout_ms = upgrade->timeout_ms,
		.cancel = upgrade->cancel,
	};

	return http_client_upgrade(client, &req, upgrade->protocol, ret_stream, err);
}
