#include "daemon/auth/auth.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/notify.h"
#include "cluster/trust.h"
#include "daemon/core/access.h"
#include "daemon/core/event.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"
#include "lib/net/http_exchange.h"

static struct requestor *identify_unix(const struct http_peer *peer)
{
	char buf[1024], number[32];
	struct passwd entry, *found = NULL;
	const char *name = "root";

	if (peer->uid != 0) {
		snprintf(number, sizeof(number), "%u", (unsigned)peer->uid);
		name = getpwuid_r(peer->uid, &entry, buf, sizeof(buf), &found) == 0 && found
		               ? entry.pw_name
		               : number;
	}

	return access_new(REQUESTOR_ADMIN, name, "unix", "@");
}

static struct requestor *identify_row(const struct db_certificate *row,
                                      const struct http_peer *peer)
{
	bool is_metrics = row->type == DB_CERTIFICATE_METRICS;
	struct requestor *r = access_new(is_metrics ? REQUESTOR_METRICS : REQUESTOR_CLIENT,
	                                 peer->fingerprint, "tls", peer->address);

	r->fingerprint = xstrdup(peer->fingerprint);
	r->is_restricted = row->restricted;
	r->projects = strv_copy(row->projects);
	return r;
}

/* From memory; a certificate that is not known there is looked for in the database. */
static struct requestor *identify_tls(struct state *state, const struct http_peer *peer)
{
	if (peer->fingerprint[0] != '\0') {
		scoped(error_freep) struct error *err = NULL;
		scoped(db_cache_view_unrefp) struct db_view *view = NULL;
		const struct db_certificate *row = NULL;

		view = db_cache_stale_view(state->cache, DB_CERTIFICATES);
		if (view)
			row = db_cache_certificate(view, peer->fingerprint);

		if (!row) {
			db_cache_view_unref(TAKE_PTR(view));
			if (db_cache_view(state->cache, DB_CERTIFICATES, &view, &err) < 0)
				log_warn("Failed reading trusted certificates: %s", err->msg);
			else
				row = db_cache_certificate(view, peer->fingerprint);
		}

		if (row && row->type != DB_CERTIFICATE_SERVER)
			return identify_row(row, peer);
	}

	return access_new(REQUESTOR_GUEST, "", "tls", peer->address);
}

static int kind_of(const char *text)
{
	if (str_equals(text, "client"))
		return REQUESTOR_CLIENT;
	if (str_equals(text, "metrics"))
		return REQUESTOR_METRICS;
	if (str_equals(text, "admin"))
		return REQUESTOR_ADMIN;

	return str_equals(text, "guest") ? REQUESTOR_GUEST : -EINVAL;
}

static const char *text_of(enum requestor_kind kind)
{
	switch (kind) {
	case REQUESTOR_GUEST:
		return "guest";
	case REQUESTOR_METRICS:
		return "metrics";
	case REQUESTOR_CLIENT:
		return "client";
	case REQUESTOR_ADMIN:
	case REQUESTOR_PEER:
		return "admin";
	}

	return "guest";
}

char *auth_forward_header(const struct requestor *requestor)
{
	scoped(jv_unrefp) struct json_object *o = jv_object();

	jv_set_string(o, "kind", text_of(requestor->kind));
	jv_set_string(o, "username", requestor->username);
	jv_set_string(o, "protocol", requestor->protocol);
	jv_set_string(o, "address", requestor->address);
	if (requestor->fingerprint)
		jv_set_string(o, "fingerprint", requestor->fingerprint);
	if (requestor->is_restricted)
		jv_set_strv(o, "projects", requestor->projects);

	size_t size;
	scoped_free char *text = jv_print_text(o, &size);

	return base64_encode_url(text, size);
}

static int read_header(const char *header, struct requestor **ret_requestor, struct error **err)
{
	scoped_free uint8_t *text = NULL;
	scoped(jv_unrefp) struct json_object *o = NULL;
	size_t size;

	if (base64_decode(header, strlen(header), &text, &size) < 0)
		return error_set(err, 400, "Invalid header %s", AUTH_REQUESTOR_HEADER);

	int r = jv_parse_object((const char *)text, size, &o, err);
	if (r < 0)
		return r;

	int kind = kind_of(jv_text(o, "kind"));
	if (kind < 0)
		return error_set(err, 400, "Invalid header %s", AUTH_REQUESTOR_HEADER);

	scoped(access_unrefp) struct requestor *who =
		access_new((enum requestor_kind)kind, jv_text(o, "username"),
	                   jv_text(o, "protocol"), jv_text(o, "address"));
	const char *fingerprint = jv_text(o, "fingerprint");

	if (fingerprint)
		who->fingerprint = xstrdup(fingerprint);
	if (jv_member(o, "projects")) {
		who->is_restricted = true;
		r = jv_get_strv(o, "projects", &who->projects, err);
		if (r < 0)
			return r;
	}

	*ret_requestor = TAKE_PTR(who);
	return 0;
}

int auth_identify(struct state *state, struct http_exchange *exchange,
                  struct requestor **ret_requestor, bool *ret_is_peer, bool *ret_is_forwarded,
                  struct error **err)
{
	const struct http_peer *peer = http_exchange_peer(exchange);

	*ret_is_peer = false;
	*ret_is_forwarded = false;
	if (peer->is_unix && !peer->is_tls) {
		*ret_requestor = identify_unix(peer);
		return 0;
	}

	if (peer->fingerprint[0] == '\0' || !trust_is_member(state->cluster, peer->fingerprint)) {
		*ret_requestor = identify_tls(state, peer);
		return 0;
	}

	const char *header = http_exchange_header(exchange, AUTH_REQUESTOR_HEADER);

	if (header) {
		*ret_is_forwarded = true;
		return read_header(header, ret_requestor, err);
	}

	*ret_is_peer = true;
	*ret_requestor = access_new(REQUESTOR_PEER, peer->fingerprint, "cluster", peer->address);
	return 0;
}

int auth_refresh(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = trust_refresh(state->cluster, err);
	if (r < 0)
		return r;

	return db_cache_view(state->cache, DB_CERTIFICATES, &view, err);
}

void auth_end_streams(struct state *state, const char *fingerprint)
{
	event_close_listeners(state, fingerprint);
	operation_end_streams(state, fingerprint);
}

void auth_announce(struct state *state, const char *fingerprint)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(jv_unrefp) struct json_object *body = jv_object();
	const struct connect_call call = {
		.method = "POST",
		.path = "/internal/identity-cache-refresh",
		.body = body,
		.timeout_ms = 5000,
	};

	if (auth_refresh(state, &err) < 0) {
		log_warn("Failed reading trusted certificates: %s", err->msg);
		error_free(TAKE_PTR(err));
	}

	if (fingerprint) {
		auth_end_streams(state, fingerprint);
		jv_set_string(body, "fingerprint", fingerprint);
	}

	if (state_is_clustered(state))
		notify_members(state->cluster, NOTIFY_TRY, &call, NULL, &err);
}
