#include "daemon/api/listen.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "cluster/trust.h"
#include "daemon/api/dispatch.h"
#include "daemon/api/route.h"
#include "daemon/auth/auth.h"
#include "daemon/core/dirs.h"
#include "daemon/core/response.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/core/upload_pass.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/base/thread.h"
#include "lib/net/http_exchange.h"
#include "lib/net/http_server.h"
#include "lib/net/netaddr.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"

#define HTTPS_PORT 8443
#define METRICS_PORT 9100
#define MAX_FDS 8
#define JSON_MAX (8U << 20)
#define GUEST_MAX (1U << 20)

/* One configured address and the listeners that serve it. */
struct place {
	const char *key;
	uint16_t port; /* Where the address names none. */
	char *address; /* Canonical; NULL: none. */
	unsigned ids[MAX_FDS];
	size_t n_ids;
};

enum { PLACE_CORE, PLACE_CLUSTER, PLACE_METRICS, N_PLACES };

struct listeners {
	struct mutex lock;
	struct place places[N_PLACES];
	int spool; /* Directory for large bodies. */
};

/* Guests send nothing large but what somebody trusted gave them a secret for. */
static bool is_guest(struct state *state, const struct http_exchange *x)
{
	const struct http_peer *peer = http_exchange_peer(x);
	const char *secret = http_exchange_header(x, "X-LXD-secret");

	if (peer->is_unix && !peer->is_tls)
		return false;
	if (secret && upload_pass_is_known(state->upload_passes, secret))
		return false;
	if (peer->fingerprint[0] == '\0')
		return true;
	if (trust_is_member(state->cluster, peer->fingerprint))
		return false;

	scoped(db_cache_view_unrefp) struct db_view *view =
		db_cache_stale_view(state->cache, DB_CERTIFICATES);

	return !view || !db_cache_certificate(view, peer->fingerprint);
}

/*
 * Requests that do nothing but look at rows in memory. They all need one check that these are
 * current, which the first of them makes for those behind it: more than one thread would only be
 * woken in vain.
 */
static bool is_read(const struct http_exchange *x)
{
	const char *method = http_exchange_method(x), *path = http_exchange_path(x);
	const char *name = str_after(path, "/1.0/instances/");

	if (!str_equals(method, "GET") && !str_equals(method, "HEAD"))
		return false;
	if (name)
		return !strchr(name, '/') && !http_exchange_query_value(x, "recursion");

	return str_equals(path, "/1.0");
}

/* Whether such a request waits for that check alone: others of them must not hold up these. */
static bool is_prompt(struct state *state, const struct http_exchange *x)
{
	return atomic_load(&state->is_ready) && cluster_is_led(state->cluster) &&
	       !is_guest(state, x);
}

/*
 * Threads that wait must not be those that are waited for. While nobody leads, all handlers may
 * wait for the database, and what elects a leader comes in as requests of other members too.
 * Handlers that tell the other members of a change wait for theirs, which tell nobody.
 */
static struct worker *worker_of(const struct http_exchange *x, void *arg)
{
	struct state *state = arg;

	if (!trust_is_member(state->cluster, http_exchange_peer(x)->fingerprint) ||
	    http_exchange_header(x, AUTH_REQUESTOR_HEADER))
		return is_read(x) && is_prompt(state, x) ? state->reads : NULL;

	return str_equals(http_exchange_path(x), "/internal/database") ? state->vital
	                                                               : state->peers;
}

static uint64_t arrival_of(void *arg)
{
	const struct state *state = arg;

	return db_cache_ticket(state->cache);
}

static void limit_body(const struct http_exchange *x, struct http_body_limit *limit, void *arg)
{
	struct state *state = arg;
	bool has_path;
	const struct route *route =
		route_find(http_exchange_method(x), http_exchange_path(x), &has_path);

	limit->size_max = JSON_MAX;
	limit->memory_max = JSON_MAX;
	limit->spool_dir = -1;
	if (!route || is_guest(state, x)) {
		limit->size_max = GUEST_MAX;
		limit->memory_max = GUEST_MAX;
		limit->forbidden = route && route->body == ROUTE_BODY_FILE ? "Forbidden" : NULL;
		return;
	}

	if (route->body == ROUTE_BODY_FILE) {
		limit->size_max = UINT64_MAX;
		limit->memory_max = 1U << 20;
		limit->spool_dir = state->listeners->spool;
	}
}

int listen_setup(struct state *state, struct error **err)
{
	struct listeners *l = xcalloc(1, sizeof(*l));
	const struct http_server_config config = {
		.loop = state->loop,
		.worker = state->requests,
		.handler = dispatch_handle,
		.limit_body = limit_body,
		.worker_of = worker_of,
		.arrival_of = arrival_of,
		.error_body = response_error_text,
		.arg = state,
		.is_tls_on_unix = true,
	};

	mutex_init(&l->lock);
	l->places[PLACE_CORE] = (struct place){ .key = "core.https_address", .port = HTTPS_PORT };
	l->places[PLACE_CLUSTER] =
		(struct place){ .key = "cluster.https_address", .port = HTTPS_PORT };
	l->places[PLACE_METRICS] =
		(struct place){ .key = "core.metrics_address", .port = METRICS_PORT };
	state->listeners = l;
	l->spool = open(state->dirs->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->spool < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", state->dirs->spool);

	state->http = http_server_new(&config);
	return 0;
}

int listen_set_certificate(struct state *state, const char *cert_pem, const char *key_pem,
                           struct error **err)
{
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = NULL;

	int r = tls_credentials_new(cert_pem, key_pem, &cred, err);
	if (r < 0)
		return r;

	http_server_set_credentials(state->http, cred);
	return 0;
}

static bool is_wildcard_of(const char *wide, const char *address)
{
	scoped_free char *wide_host = NULL;
	scoped_free char *host = NULL;
	uint16_t wide_port, port;

	return netaddr_split(wide, HTTPS_PORT, &wide_host, &wide_port) == 0 &&
	       netaddr_split(address, HTTPS_PORT, &host, &port) == 0 && wide_port == port &&
	       netaddr_is_wildcard(wide_host);
}

/* Whether one of the other places serves 'address' already. */
static bool is_covered(const struct listeners *l, const struct place *place, const char *address)
{
	for (size_t i = 0; i < COUNT_OF(l->places); i++) {
		const struct place *other = &l->places[i];

		if (other != place && other->address && other->n_ids > 0 &&
		    (str_equals(other->address, address) ||
		     is_wildcard_of(other->address, address)))
			return true;
	}

	return false;
}

static void close_place(struct state *state, struct place *place)
{
	for (size_t i = 0; i < place->n_ids; i++)
		http_server_remove_listener(state->http, place->ids[i]);
	place->n_ids = 0;
}

static int open_place(struct state *state, struct place *place, const char *address,
                      struct error **err)
{
	int fds[MAX_FDS];

	if (is_covered(state->listeners, place, address))
		return 0;

	int n = socket_listen_address(address, place->port, fds, COUNT_OF(fds));
	if (n < 0)
		return error_set(err, 400, "Failed listening on \"%s\": %s", address, strerror(-n));

	for (int i = 0; i < n; i++)
		place->ids[place->n_ids++] =
			http_server_add_listener_take(state->http, HTTP_LISTENER_TLS, fds[i]);

	log_info_kv("Listening", "address", address);
	return 0;
}

/* What another place had in its stead may now be free, or be needed again. */
static void open_uncovered(struct state *state)
{
	for (size_t i = 0; i < COUNT_OF(state->listeners->places); i++) {
		struct place *place = &state->listeners->places[i];
		scoped(error_freep) struct error *err = NULL;

		if (!place->address || place->n_ids > 0)
			continue;

		if (open_place(state, place, place->address, &err) < 0)
			log_error("%s", err->msg);
	}
}

static int change_place(struct state *state, struct place *place, const char *address,
                        struct error **err)
{
	scoped_free char *canonical = NULL;
	scoped_free char *before = place->address;
	int r = 0;

	if (!str_is_empty(address) && netaddr_canonical(address, place->port, &canonical) < 0) {
		TAKE_PTR(before);
		return error_set(err, 400, "Invalid address \"%s\"", address);
	}
	if (str_equals(before, canonical) && place->n_ids > 0) {
		TAKE_PTR(before);
		return 0;
	}

	/* A wildcard and an address on one port do not go together: the old one goes first. */
	close_place(state, place);
	place->address = NULL;
	if (canonical)
		r = open_place(state, place, canonical, err);
	if (r < 0 && before) {
		scoped(error_freep) struct error *again = NULL;

		place->address = TAKE_PTR(before);
		if (open_place(state, place, place->address, &again) < 0)
			log_error("%s", again->msg);
		return r;
	}
	if (r < 0)
		return r;

	place->address = TAKE_PTR(canonical);
	open_uncovered(state);
	return 0;
}

static int changed(struct state *state, const char *key, const char *value, void *arg,
                   struct error **err)
{
	struct listeners *l = state->listeners;
	struct place *place = arg;

	(void)key;
	mutex_lock(&l->lock);

	int r = change_place(state, place, value, err);

	mutex_unlock(&l->lock);
	return r;
}

void listen_retry(struct state *state)
{
	struct listeners *l = state->listeners;

	mutex_lock(&l->lock);
	open_uncovered(state);
	mutex_unlock(&l->lock);
}

static int group_id(const char *group, gid_t *ret_gid, struct error **err)
{
	struct group *entry = group ? getgrnam(group) : NULL;

	if (group && !entry)
		return error_set(err, 400, "Unknown group \"%s\"", group);

	*ret_gid = entry ? entry->gr_gid : 0;
	return 0;
}

static int open_unix(struct state *state, const struct listen_options *options, struct error **err)
{
	int fds[MAX_FDS];
	gid_t group = 0;

	int r = group_id(options->group, &group, err);
	if (r < 0)
		return r;

	int n = socket_activation_fds(fds, COUNT_OF(fds));
	if (n <= 0) {
		fds[0] = socket_listen_unix(state->dirs->unix_socket, 0660, group);
		if (fds[0] < 0)
			return error_set_errno(err, fds[0], "Failed listening on \"%s\"",
			                       state->dirs->unix_socket);
		n = 1;
	}

	for (int i = 0; i < n; i++)
		http_server_add_listener_take(
			state->http,
			socket_is_unix(fds[i]) ? HTTP_LISTENER_UNIX : HTTP_LISTENER_TLS, fds[i]);

	return 0;
}

/* For listen_retry(): an interface may come up after the daemon. */
static void remember(struct listeners *l, struct place *place, const char *address)
{
	char *canonical;

	if (netaddr_canonical(address, place->port, &canonical) < 0)
		return;

	mutex_lock(&l->lock);
	free(place->address);
	place->address = canonical;
	mutex_unlock(&l->lock);
}

int listen_start(struct state *state, const struct listen_options *options, struct error **err)
{
	struct listeners *l = state->listeners;

	int r = open_unix(state, options, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < COUNT_OF(l->places); i++) {
		scoped(error_freep) struct error *failed = NULL;
		scoped_free char *address = server_conf_string(state, l->places[i].key);

		if (changed(state, l->places[i].key, address, &l->places[i], &failed) < 0) {
			log_error("%s", failed->msg);
			remember(l, &l->places[i], address);
		}
		server_conf_on_change(state, l->places[i].key, changed, &l->places[i]);
	}

	return 0;
}

static uint16_t port_of(const char *address)
{
	scoped_free char *host = NULL;
	uint16_t port = 0;

	return address && netaddr_split(address, 0, &host, &port) == 0 ? port : 0;
}

bool listen_is_for_metrics(struct state *state, const char *local_address)
{
	struct listeners *l = state->listeners;
	uint16_t port = port_of(local_address);

	mutex_lock(&l->lock);

	const struct place *metrics = &l->places[PLACE_METRICS];
	bool is_only = port != 0 && metrics->n_ids > 0 && port_of(metrics->address) == port;

	for (size_t i = 0; i < COUNT_OF(l->places); i++) {
		if (i != PLACE_METRICS && l->places[i].n_ids > 0 &&
		    port_of(l->places[i].address) == port)
			is_only = false;
	}
	mutex_unlock(&l->lock);
	return is_only;
}

void listen_free(struct state *state)
{
	struct listeners *l = state->listeners;

	http_server_free(state->http);
	state->http = NULL;
	if (!l)
		return;

	for (size_t i = 0; i < COUNT_OF(l->places); i++)
		free(l->places[i].address);
	if (l->spool >= 0)
		close(l->spool);
	mutex_done(&l->lock);
	free(l);
	state->listeners = NULL;
}
