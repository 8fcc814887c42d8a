#include "daemon/api/dispatch.h"

#include <string.h>

#include "daemon/api/forwarding.h"
#include "daemon/api/instance_alias.h"
#include "daemon/api/listen.h"
#include "daemon/api/route.h"
#include "daemon/auth/auth.h"
#include "daemon/auth/authorizer.h"
#include "daemon/core/access.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/net/http_exchange.h"

/* Who asks before the start is complete waits as long as this. */
#define READY_MS 60000

static const char *const methods[] = { "GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS" };

static bool is_known_method(const char *method)
{
	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		if (str_equals(methods[i], method))
			return true;
	}

	return false;
}

static bool is_write(const char *method)
{
	return !str_equals(method, "GET") && !str_equals(method, "HEAD");
}

static int find_route(struct http_exchange *x, const struct route **ret_route, struct error **err)
{
	const char *method = http_exchange_method(x);
	bool has_path;
	const struct route *route = route_find(method, http_exchange_path(x), &has_path);

	if (route) {
		*ret_route = route;
		return 0;
	}

	if (!has_path)
		return error_set(err, 404, "Not Found");
	if (!is_known_method(method))
		return error_set(err, 404, "Method \"%s\" not found", method);

	return error_set(err, 501, "Not Implemented");
}

/* What other members ask for before, and so that, the database is there. */
static int wait_ready(struct state *state, const struct route *route, struct error **err)
{
	if (atomic_load(&state->is_ready) || route->access == ACCESS_PEER)
		return 0;

	cancel_wait(state->ready, date_deadline(READY_MS));
	if (!atomic_load(&state->is_ready))
		return error_set(err, 503, "The daemon is starting up");

	return 0;
}

/* Browsers send the page's origin with writes and upgrades; nobody else does. */
static int check_origin(struct request *req, struct error **err)
{
	const char *origin = request_header(req, "Origin");

	/* No browser, but Python's websocket client on a unix socket. */
	if (str_is_empty(origin) || str_starts(origin, "ws+unix://"))
		return 0;

	scoped_free char *allowed = server_conf_string(req->state, "core.https_allowed_origin");
	bool is_allowed = !str_is_empty(allowed) &&
	                  (str_equals(allowed, "*") || str_equals_nocase(allowed, origin));

	if (is_allowed) {
		static const struct {
			const char *header, *key;
		} rows[] = {
			{ "Access-Control-Allow-Methods", "core.https_allowed_methods" },
			{ "Access-Control-Allow-Headers", "core.https_allowed_headers" },
		};

		http_exchange_add_header(req->exchange, "Access-Control-Allow-Origin", allowed);
		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			scoped_free char *value = server_conf_string(req->state, rows[i].key);

			if (!str_is_empty(value))
				http_exchange_add_header(req->exchange, rows[i].header, value);
		}
		if (server_conf_bool(req->state, "core.https_allowed_credentials"))
			http_exchange_add_header(req->exchange, "Access-Control-Allow-Credentials",
			                         "true");
		return 0;
	}

	if (!is_write(req->method) && !request_header(req, "Upgrade"))
		return 0;
	if (http_exchange_is_same_origin(req->exchange))
		return 0;

	return error_set(err, 403, "Requests from origin \"%s\" are not allowed", origin);
}

static const char *project_of(struct request *req)
{
	return str_equals(req->route->entity, "project") && strchr(req->route->path, '{')
	               ? request_param(req, "name")
	               : req->project;
}

static int check_access(struct request *req, struct error **err)
{
	const struct route *route = req->route;
	const struct requestor *who = req->requestor;

	switch (route->access) {
	case ACCESS_ANYONE:
		return 0;
	case ACCESS_TRUSTED:
		if (!access_is_trusted(who))
			return error_set(err, 403, "Forbidden");
		if (!route->entity || req->all_projects)
			return 0;
		return authorizer_check(who, route->entity, "can_view", project_of(req), err);
	case ACCESS_ENTITLED:
		return authorizer_check(who, route->entity, route->entitlement, project_of(req),
		                        err);
	case ACCESS_PEER:
		if (req->is_forwarded || who->kind == REQUESTOR_PEER ||
		    who->kind == REQUESTOR_ADMIN)
			return 0;
		return error_set(err, 403, "Forbidden");
	case ACCESS_METRICS:
		if (access_is_trusted(who) || who->kind == REQUESTOR_METRICS ||
		    !server_conf_bool(req->state, "core.metrics_authentication"))
			return 0;
		return error_set(err, 403, "Forbidden");
	}

	return error_set(err, 403, "Forbidden");
}

static int serve(struct request *req, struct response *res, const struct route *route,
                 struct error **err)
{
	scoped_free char *address = NULL;

	int r = check_origin(req, err);
	if (r < 0)
		return r;

	r = check_access(req, err);
	if (r < 0)
		return r;

	r = instance_alias_check(req, err);
	if (r < 0)
		return r;

	r = forwarding_find(req, &address, err);
	if (r < 0)
		return r;

	if (address)
		return forwarding_send(req, res, address, err);

	return route->handler(req, res, err);
}

/* A browser asks whether it may send a request from another origin. */
static int answer_options(struct request *req, struct response *res, struct error **err)
{
	int r = check_origin(req, err);
	if (r < 0)
		return r;

	response_raw(res, 200, NULL, xstrdup(""), 0);
	return 0;
}

static int dispatch(struct state *state, struct http_exchange *x, struct request *req,
                    struct response *res, struct requestor **ret_requestor, struct error **err)
{
	const struct http_peer *peer = http_exchange_peer(x);
	const struct route *route = NULL;

	if (str_equals(http_exchange_method(x), "OPTIONS")) {
		int r = request_init(req, state, x, NULL, NULL, err);
		if (r < 0)
			return r;

		res->request = req;
		return answer_options(req, res, err);
	}

	int r = find_route(x, &route, err);
	if (r < 0)
		return r;

	assert(route);
	if (route->access != ACCESS_METRICS && !peer->is_unix &&
	    listen_is_for_metrics(state, peer->local_address))
		return error_set(err, 404, "Not Found");

	r = wait_ready(state, route, err);
	if (r < 0)
		return r;

	r = request_init(req, state, x, route, route->path, err);
	if (r < 0)
		return r;
	res->request = req;

	r = auth_identify(state, x, ret_requestor, &req->is_peer, &req->is_forwarded, err);
	if (r < 0)
		return r;
	req->requestor = *ret_requestor;
	if (log_is_on(LOG_LEVEL_DEBUG))
		log_debug_kv("Handling request", "method", req->method, "url", req->path,
		             "username", req->requestor->username, "protocol",
		             req->requestor->protocol);

	return serve(req, res, route, err);
}

void dispatch_handle(struct http_exchange *exchange, void *arg)
{
	struct state *state = arg;
	struct request req = { 0 };
	struct response res = { .exchange = exchange, .state = state };
	scoped(error_freep) struct error *err = NULL;
	scoped(access_unrefp) struct requestor *requestor = NULL;

	int r = dispatch(state, exchange, &req, &res, &requestor, &err);

	if (r < 0 && !res.is_sent)
		response_error(&res, err);
	assert(res.is_sent);
	request_done(&req);
}
