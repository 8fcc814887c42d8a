#include "daemon/auth/identity.h"

#include <string.h>

#include "daemon/auth/auth.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/core/token.h"
#include "db/certificates.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/enum.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/http_exchange.h"
#include "lib/net/x509.h"

static const char *const types[] = {
	[DB_CERTIFICATE_CLIENT] = "client",
	[DB_CERTIFICATE_SERVER] = "server",
	[DB_CERTIFICATE_METRICS] = "metrics",
};

const char *identity_type_name(int type)
{
	return str_or_empty(ENUM_NAME(types, type));
}

int identity_type_of(const char *name)
{
	for (int i = DB_CERTIFICATE_CLIENT; i <= DB_CERTIFICATE_METRICS; i++) {
		if (str_equals(types[i], name))
			return i;
	}

	return -EINVAL;
}

struct json_object *identity_etag(const struct db_certificate *row)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", row->name);
	jv_set_string(o, "type", identity_type_name((int)row->type));
	jv_set_bool(o, "restricted", row->restricted);
	jv_set_strv(o, "projects", row->projects);
	jv_set_string(o, "certificate", row->certificate);
	return o;
}

struct json_object *identity_json(const struct db_certificate *row)
{
	struct json_object *o = identity_etag(row);

	jv_set_string(o, "fingerprint", row->fingerprint);
	return o;
}

static char *url_of(const char *fingerprint)
{
	return lifecycle_url(NULL, (const char *const[]){ "certificates", fingerprint, NULL });
}

static int read_certificate(struct request *req, struct json_object *body, struct x509 **ret_cert,
                            struct error **err)
{
	const struct http_peer *peer = http_exchange_peer(req->exchange);
	const char *text = "";

	int r = jv_get_string(body, "certificate", &text, err);
	if (r < 0)
		return r;

	if (*text) {
		r = x509_parse_base64(text, ret_cert, err);
		return r < 0 ? error_wrap(err, "Invalid certificate material") : 0;
	}

	if (!peer->cert_der)
		return error_set(err, 400, "No client certificate provided");

	return x509_parse_der(peer->cert_der, peer->cert_size, ret_cert, err);
}

static int check_projects(struct db_certificate *row, struct error **err)
{
	if (row->projects && row->projects[0] && !row->restricted)
		return error_set(err, 400,
		                 "A certificate with a list of projects must be restricted");

	return 0;
}

/* 'source' is the body of an administrator or the grant of a token. */
static int read_fields(struct json_object *source, struct db_certificate *row, struct error **err)
{
	const char *type = NULL, *name = NULL;

	if (jv_get_string(source, "type", &type, err) < 0 ||
	    jv_get_string(source, "name", &name, err) < 0 ||
	    jv_get_bool(source, "restricted", &row->restricted, err) < 0 ||
	    jv_get_strv(source, "projects", &row->projects, err) < 0)
		return (*err)->code;

	if (type) {
		int code = identity_type_of(type);

		if (code < 0)
			return error_set(err, 400, "Unknown certificate type \"%s\"", type);
		row->type = code;
	}

	if (name) {
		if (strlen(name) > 255)
			return error_set(err, 400, "The certificate's name is too long");
		free(row->name);
		row->name = xstrdup(name);
	}

	return check_projects(row, err);
}

struct addition {
	const struct db_certificate *row;
	const char *secret; /* Of a token, or NULL. */
};

static int insert(struct db_tx *tx, void *arg, struct error **err)
{
	const struct addition *addition = arg;
	const struct db_certificate *row = addition->row;
	scoped(db_certificate_done) struct db_certificate existing = { 0 };
	scoped(error_freep) struct error *cause = NULL;
	int64_t id;

	int r = db_certificate_find(tx, row->fingerprint, &existing, &cause);
	if (r == 0)
		return error_set(err, 409, "Certificate already in trust store");
	if (r != -ENOENT) {
		*err = TAKE_PTR(cause);
		return r;
	}

	r = addition->secret ? token_use_in(tx, DB_TOKEN_CLIENT, addition->secret, NULL, err) : 0;
	return r < 0 ? r : db_certificate_create(tx, row, &id, err);
}

int identity_create(struct request *req, struct json_object *body, struct json_object *granted,
                    const char *secret, char **ret_url, struct error **err)
{
	scoped(x509_freep) struct x509 *cert = NULL;
	scoped(db_certificate_done) struct db_certificate row = { .type = DB_CERTIFICATE_CLIENT };
	const char *reason;

	int r = read_certificate(req, body, &cert, err);
	if (r < 0)
		return r;

	if (!x509_is_valid_now(cert, &reason))
		return error_set(err, 400, "Invalid certificate: %s", reason);

	row.fingerprint = xstrdup(cert->fingerprint);
	row.certificate = x509_to_pem(cert->der, cert->der_size);
	row.description = xstrdup("");
	row.name = xstrdup("");
	row.created = date_now();
	r = read_fields(granted ? granted : body, &row, err);
	if (r < 0)
		return r;

	if (row.type == DB_CERTIFICATE_SERVER)
		return error_set(err, 400, "Certificates of servers come with a join");

	if (!*row.name) {
		free(row.name);
		row.name = xstrdup(granted && jv_text(body, "name") ? jv_text(body, "name")
		                                                    : cert->common_name);
	}

	struct addition addition = { .row = &row, .secret = secret };
	r = db_write(req->state->db, insert, &addition, err);
	if (r < 0)
		return r;

	auth_announce(req->state, NULL);
	*ret_url = url_of(row.fingerprint);
	lifecycle_send_for(req, "certificate-created", NULL, *ret_url, NULL);
	return 0;
}

struct change {
	struct request *req;
	const char *fingerprint;
	struct json_object *body;
	bool is_patch;
	char *before; /* Whole fingerprints. */
	char *after;
};

static int load(struct db_tx *tx, const char *fingerprint, struct db_certificate *ret_row,
                struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;

	int r = db_certificate_find(tx, fingerprint, ret_row, &cause);
	if (r == -ENOENT)
		return error_set(err, 404, "Certificate not found");
	if (r < 0)
		*err = TAKE_PTR(cause);

	return r;
}

/* Clients that are no administrators may exchange their own certificate and nothing else. */
static int check_self(const struct request *req, const struct db_certificate *before,
                      const struct db_certificate *after, struct error **err)
{
	if (access_is_admin(req->requestor))
		return 0;

	if (!str_equals(req->requestor->fingerprint, before->fingerprint))
		return error_set(err, 404, "Certificate not found");

	if (before->restricted != after->restricted || before->type != after->type ||
	    !str_equals(before->name, after->name) ||
	    !strv_equals(before->projects, after->projects))
		return error_set(err, 403, "Certificate is restricted");

	return 0;
}

static int read_new_certificate(struct json_object *body, struct db_certificate *row,
                                struct error **err)
{
	scoped(x509_freep) struct x509 *cert = NULL;
	const char *text = "";

	int r = jv_get_string(body, "certificate", &text, err);
	if (r < 0)
		return r;
	if (!*text)
		return 0;

	r = x509_parse_base64(text, &cert, err);
	if (r < 0)
		return error_wrap(err, "Invalid certificate material");
	if (str_equals(cert->fingerprint, row->fingerprint))
		return 0;

	free(row->fingerprint);
	free(row->certificate);
	row->fingerprint = xstrdup(cert->fingerprint);
	row->certificate = x509_to_pem(cert->der, cert->der_size);
	return 0;
}

static int change(struct db_tx *tx, void *arg, struct error **err)
{
	struct change *c = arg;
	scoped(db_certificate_done) struct db_certificate before = { 0 };
	scoped(db_certificate_done) struct db_certificate row = { 0 };

	int r = load(tx, c->fingerprint, &before, err);
	if (r < 0)
		return r;

	r = load(tx, before.fingerprint, &row, err);
	if (r < 0)
		return r;

	scoped(jv_unrefp) struct json_object *etag = identity_etag(&before);

	r = request_check_etag(c->req, etag, err);
	if (r < 0)
		return r;

	if (!c->is_patch) {
		row.restricted = false;
		strv_free(TAKE_PTR(row.projects));
	}

	r = read_fields(c->body, &row, err);
	if (r < 0)
		return r;

	if ((row.type == DB_CERTIFICATE_SERVER) != (before.type == DB_CERTIFICATE_SERVER))
		return error_set(err, 400, "The type of a server's certificate cannot be changed");

	r = read_new_certificate(c->body, &row, err);
	if (r < 0)
		return r;

	r = check_self(c->req, &before, &row, err);
	if (r < 0)
		return r;

	free(c->before);
	free(c->after);
	c->before = xstrdup(before.fingerprint);
	c->after = xstrdup(row.fingerprint);
	return db_certificate_update(tx, &row, err);
}

int identity_update(struct request *req, const char *fingerprint, struct json_object *body,
                    bool is_patch, struct error **err)
{
	struct change c = {
		.req = req,
		.fingerprint = fingerprint,
		.body = body,
		.is_patch = is_patch,
	};

	int r = db_write(req->state->db, change, &c, err);
	if (r == 0) {
		scoped_free char *url = url_of(c.after);

		auth_announce(req->state, c.before);
		lifecycle_send_for(req, "certificate-updated", NULL, url, NULL);
	}

	free(c.before);
	free(c.after);
	return r;
}

static int remove_row(struct db_tx *tx, void *arg, struct error **err)
{
	struct change *c = arg;
	scoped(db_certificate_done) struct db_certificate row = { 0 };

	int r = load(tx, c->fingerprint, &row, err);
	if (r < 0)
		return r;

	r = check_self(c->req, &row, &row, err);
	if (r < 0)
		return r;

	free(c->before);
	c->before = xstrdup(row.fingerprint);
	return db_certificate_delete(tx, row.id, err);
}

int identity_delete(struct request *req, const char *fingerprint, struct error **err)
{
	struct change c = { .req = req, .fingerprint = fingerprint };

	int r = db_write(req->state->db, remove_row, &c, err);
	if (r == 0) {
		scoped_free char *url = url_of(c.before);

		auth_announce(req->state, c.before);
		lifecycle_send_for(req, "certificate-deleted", NULL, url, NULL);
	}

	free(c.before);
	return r;
}
