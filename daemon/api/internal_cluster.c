#include "daemon/api/internal_cluster.h"

#include "cluster/certificate.h"
#include "cluster/cluster.h"
#include "cluster/gateway.h"
#include "cluster/handover.h"
#include "cluster/heartbeat.h"
#include "cluster/join_leader.h"
#include "cluster/leave.h"
#include "cluster/rebalance.h"
#include "daemon/core/access.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/http_exchange.h"
#include "lib/net/stream.h"

/* Who leads, as this member knows it; answered from memory, whatever the database does. */
static int database_get(struct request *req, struct response *res, struct error **err)
{
	struct json_object *o = jv_object();
	scoped_free char *leader = gateway_leader(cluster_gateway(req->state->cluster));

	(void)err;
	jv_set_string(o, "leader", leader);
	response_sync(res, o);
	return 0;
}

static void tunnel_open(struct stream *stream, void *arg)
{
	struct state *state = arg;
	scoped(error_freep) struct error *err = NULL;

	if (stream && gateway_accept_take(cluster_gateway(state->cluster), stream, &err) < 0)
		log_debug("Refused a connection to the database: %s", err->msg);
}

/* The tunnel of the engine's protocol. */
static int database_post(struct request *req, struct response *res, struct error **err)
{
	if (!http_exchange_wants_upgrade(req->exchange, "dqlite"))
		return error_set(err, 400, "Missing or invalid upgrade header");

	response_upgrade(res, "dqlite", tunnel_open, req->state);
	return 0;
}

/* A heartbeat of the leader. */
static int database_put(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body, *answer = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = heartbeat_local_receive(req->state->cluster, body, &answer, err);
	if (r < 0)
		return r;

	response_sync(res, answer);
	return 0;
}

/* A joiner is nobody yet: the secret in its request is what lets it in. */
static int accept_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body, *answer = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = join_leader_accept(req->state->cluster, body, access_is_admin(req->requestor), &answer,
	                       err);
	if (r < 0)
		return r;

	response_sync(res, answer);
	return 0;
}

typedef int cluster_call(struct cluster *cluster, struct json_object *body, struct error **err);

static int run_call(struct request *req, struct response *res, cluster_call *fn, struct error **err)
{
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = fn(req->state->cluster, body, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

static int undo_post(struct request *req, struct response *res, struct error **err)
{
	return run_call(req, res, join_leader_undo, err);
}

static int handover_post(struct request *req, struct response *res, struct error **err)
{
	return run_call(req, res, handover_leader_take, err);
}

static int rebalance_post(struct request *req, struct response *res, struct error **err)
{
	return run_call(req, res, rebalance_leader_receive, err);
}

static int reset_put(struct request *req, struct response *res, struct error **err)
{
	int r = leave_local_reset(req->state->cluster, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
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

	r = certificate_local_receive(req->state->cluster, cert, key, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",  .path = "/internal/database",            .handler = database_get,    .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/database",            .handler = database_post,   .access = ACCESS_PEER },
	{ .method = "PUT",  .path = "/internal/database",            .handler = database_put,    .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/cluster/accept",      .handler = accept_post,     .access = ACCESS_ANYONE },
	{ .method = "POST", .path = "/internal/cluster/undo",        .handler = undo_post,       .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/cluster/handover",    .handler = handover_post,   .access = ACCESS_PEER },
	{ .method = "POST", .path = "/internal/cluster/rebalance",   .handler = rebalance_post,  .access = ACCESS_PEER },
	{ .method = "PUT",  .path = "/internal/cluster/reset",       .handler = reset_put,       .access = ACCESS_PEER },
	{ .method = "PUT",  .path = "/internal/cluster/certificate", .handler = certificate_put, .access = ACCESS_PEER },
};
/* clang-format on */

const struct route_table internal_cluster_routes = ROUTE_TABLE(routes);
