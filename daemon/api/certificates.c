#include "daemon/api/certificates.h"

#include <string.h>

#include "cluster/certificate.h"
#include "daemon/api/addresses.h"
#include "daemon/api/recursion.h"
#include "daemon/auth/identity.h"
#include "daemon/auth/trust_token.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/core/token.h"
#include "db/cache.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* Clients that are no administrators see themselves. */
static bool is_shown(const struct request *req, const struct db_certificate *row)
{
	return access_is_admin(req->requestor) ||
	       str_equals(req->requestor->fingerprint, row->fingerprint);
}

static int certificates_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();

	int r = db_cache_view(req->state->cache, DB_CERTIFICATES, &view, err);
	if (r < 0)
		return r;

	const struct db_certificates *rows = db_cache_certificates(view);

	for (size_t i = 0; i < rows->n; i++) {
		const struct db_certificate *row = &rows->rows[i];

		if (!is_shown(req, row))
			continue;

		scoped_free char *url = lifecycle_url(
			NULL, (const char *const[]){ "certificates", row->fingerprint, NULL });

		recursion_add(req, list, url,
		              recursion_needs_items(req) ? identity_json(row) : NULL);
	}

	response_sync(res, TAKE_PTR(list));
	return 0;
}

/* As the API shows a request for a token, all fields there. */
static struct json_object *request_of(struct json_object *body)
{
	static const char *const texts[] = { "name", "type", "certificate", "password",
		                             "trust_token" };
	struct json_object *o = jv_object();
	struct json_object *projects = jv_member(body, "projects");

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		jv_set_string(o, texts[i], jv_text(body, texts[i]));
	if (!jv_text(body, "type"))
		jv_set_string(o, "type", "client");
	jv_set_bool(o, "restricted", jv_flag(body, "restricted"));
	jv_set_bool(o, "token", true);
	jv_set_take(o, "projects", projects ? jv_copy(projects) : jv_array());
	return o;
}

static int check_token_body(struct json_object *body, struct error **err)
{
	scoped(strv_freep) char **projects = NULL;
	const char *name, *type = "client";
	bool is_restricted = false;

	if (jv_need_string(body, "name", &name, err) < 0 ||
	    jv_get_string(body, "type", &type, err) < 0 ||
	    jv_get_strv(body, "projects", &projects, err) < 0 ||
	    jv_get_bool(body, "restricted", &is_restricted, err) < 0)
		return (*err)->code;

	if (!str_equals(type, "client") && !str_equals(type, "metrics"))
		return error_set(err, 400, "Tokens can only be issued for client certificates");

	return 0;
}

static int create_token(struct request *req, struct response *res, struct json_object *body,
                        struct error **err)
{
	struct state *state = req->state;
	scoped(jv_unrefp) struct json_object *metadata = jv_object();
	struct json_object *addresses, *operation;
	scoped_free char *expiry = server_conf_string(state, "core.remote_token_expiry");
	scoped_free char *url = NULL;

	int r = check_token_body(body, err);
	if (r < 0)
		return r;

	addresses = addresses_of_cluster(state);
	jv_set_take(metadata, "addresses", addresses);
	if (jv_len(addresses) == 0)
		return error_set(err, 400,
		                 "Cannot issue a token: the server is not listening on HTTPS");

	struct certificate *cert = certificate_of_listener(state->cluster);

	jv_set_string(metadata, "fingerprint", cert ? cert->fingerprint : "");
	certificate_free(cert);
	jv_set_take(metadata, "request", request_of(body));

	const struct token_spec spec = {
		.kind = DB_TOKEN_CLIENT,
		.name = jv_text(body, "name"),
		.description = "Certificate add token",
		.expiry = expiry,
		.metadata = metadata,
	};

	r = token_create(req, &spec, &url, &operation, err);
	if (r < 0)
		return r;

	response_async(res, url, operation);
	return 0;
}

/* Trusts a stranger's certificate for a token that is used up. */
static int admit(struct request *req, struct json_object *body, const char *token, char **ret_url,
                 struct error **err)
{
	scoped(jv_unrefp) struct json_object *metadata = NULL;
	scoped_free char *secret = trust_token_secret(token);

	int r = token_look(req->state, DB_TOKEN_CLIENT, secret, NULL, &metadata, err);
	if (r < 0)
		return r;

	struct json_object *granted = jv_member(metadata, "request");

	return identity_create(req, body, granted, secret, ret_url, err);
}

static int certificates_create(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	scoped_free char *url = NULL;
	const char *token = "";
	bool wants_token = false;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	if (jv_get_bool(body, "token", &wants_token, err) < 0 ||
	    jv_get_string(body, "password", &token, err) < 0 ||
	    jv_get_string(body, "trust_token", &token, err) < 0)
		return (*err)->code;

	if (!access_is_admin(req->requestor)) {
		if (access_is_trusted(req->requestor))
			return error_set(err, 403, "Certificate is restricted");
		if (wants_token || !*token)
			return error_set(err, 403, "Forbidden");
	}

	if (wants_token)
		return create_token(req, res, body, err);

	/* Somebody trusted who brings a token is trusted already: nothing is used up. */
	r = access_is_trusted(req->requestor) ? identity_create(req, body, NULL, NULL, &url, err)
	                                      : admit(req, body, token, &url, err);
	if (r < 0)
		return r;

	response_created(res, url);
	return 0;
}

/*
 * What clients of newer servers ask instead, with a token and ?public. Identities are certificates
 * here and are managed as such.
 */
static int identities_create(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	scoped_free char *url = NULL;
	const char *token = "";

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_string(body, "trust_token", &token, err);
	if (r < 0)
		return r;

	if (access_is_admin(req->requestor))
		return error_set(err, 501, "Identities are managed as certificates");
	if (access_is_trusted(req->requestor))
		return error_set(err, 403, "Certificate is restricted");
	if (!request_query(req, "public") || !*token)
		return error_set(err, 403, "Forbidden");

	r = admit(req, body, token, &url, err);
	if (r < 0)
		return r;

	scoped_free char *location =
		xasprintf("/1.0/auth/identities/tls/%s", strrchr(url, '/') + 1);
	response_created(res, location);
	return 0;
}

/* The beginning of a fingerprint will do if it is unambiguous. */
static const struct db_certificate *find(const struct db_view *view, const char *prefix)
{
	const struct db_certificates *rows = db_cache_certificates(view);
	const struct db_certificate *found = NULL;

	for (size_t i = 0; i < rows->n; i++) {
		if (!str_starts(rows->rows[i].fingerprint, prefix))
			continue;
		if (found)
			return NULL;
		found = &rows->rows[i];
	}

	return found;
}

static int certificate_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(req->state->cache, DB_CERTIFICATES, &view, err);
	if (r < 0)
		return r;

	const struct db_certificate *row = find(view, request_param(req, "fingerprint"));

	if (!row || !is_shown(req, row))
		return error_set(err, 404, "Certificate not found");

	scoped(jv_unrefp) struct json_object *etag = identity_etag(row);

	response_sync_etag(res, identity_json(row), etag);
	return 0;
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = identity_update(req, request_param(req, "fingerprint"), body, is_patch, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

static int certificate_change(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int certificate_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

static int certificate_remove(struct request *req, struct response *res, struct error **err)
{
	int r = identity_delete(req, request_param(req, "fingerprint"), err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/certificates",               .handler = certificates_list,   .access = ACCESS_TRUSTED },
	{ .method = "POST",   .path = "/1.0/certificates",               .handler = certificates_create, .access = ACCESS_ANYONE },
	{ .method = "POST",   .path = "/1.0/auth/identities/tls",        .handler = identities_create,   .access = ACCESS_ANYONE },
	{ .method = "GET",    .path = "/1.0/certificates/{fingerprint}", .handler = certificate_get,     .access = ACCESS_TRUSTED },
	{ .method = "PUT",    .path = "/1.0/certificates/{fingerprint}", .handler = certificate_change,    .access = ACCESS_TRUSTED, .extension = "certificate_update" },
	{ .method = "PATCH",  .path = "/1.0/certificates/{fingerprint}", .handler = certificate_patch,   .access = ACCESS_TRUSTED, .extension = "certificate_update" },
	{ .method = "DELETE", .path = "/1.0/certificates/{fingerprint}", .handler = certificate_remove,  .access = ACCESS_TRUSTED },
};
/* clang-format on */

const struct route_table certificates_routes = ROUTE_TABLE(routes);
