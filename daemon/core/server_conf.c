/*
 * Two databases and one configuration: keys with CONF_LOCAL are this member's, all others are the
 * cluster's. A change is carried out first and stored afterwards, so that an address that cannot be
 * listened on is an error for the client and not a surprise at the next start.
 */
#include "daemon/core/server_conf.h"

#include <pthread.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/cluster_conf.h"
#include "cluster/notify.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "db/config.h"
#include "db/local.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/thread.h"
#include "lib/conf/conf.h"
#include "lib/data/compress.h"
#include "lib/data/jv.h"
#include "lib/net/netaddr.h"

#define MAX_KEYS 64
#define HTTPS_PORT 8443

static int check_address(const char *value, struct error **err)
{
	scoped_free char *host = NULL;
	uint16_t port;

	if (netaddr_split(value, HTTPS_PORT, &host, &port) < 0)
		return error_set(err, 400, "Invalid address \"%s\"", value);

	return 0;
}

int server_conf_check_compression(const char *value, struct error **err)
{
	enum compress_kind kind;
	int level;

	if (compress_parse_algorithm(value, &kind, &level) == 0)
		return 0;

	return error_set(err, 400, "Compression algorithm \"%s\" is not supported", value);
}

static int check_readonly(const char *value, struct error **err)
{
	return error_set(err, 400, "The key cannot be set to \"%s\": it is kept by the daemon",
	                 value);
}

static const char *const host_names[] = { "random", "mac", NULL };

static const struct conf_key own_keys[] = {
	{ .name = "core.https_address",
	  .type = CONF_STRING,
	  .flags = CONF_LOCAL,
	  .check = check_address,
	  .doc = "Address and port on which clients reach this server over HTTPS." },
	{ .name = "core.https_allowed_credentials",
	  .type = CONF_BOOL,
	  .fallback = "false",
	  .doc = "Whether answers to browsers carry Access-Control-Allow-Credentials." },
	{ .name = "core.https_allowed_headers",
	  .type = CONF_STRING,
	  .doc = "Value of Access-Control-Allow-Headers in answers to browsers." },
	{ .name = "core.https_allowed_methods",
	  .type = CONF_STRING,
	  .doc = "Value of Access-Control-Allow-Methods in answers to browsers." },
	{ .name = "core.https_allowed_origin",
	  .type = CONF_STRING,
	  .doc = "Origin of web pages that may use the API from a browser." },
	{ .name = "core.metrics_address",
	  .type = CONF_STRING,
	  .flags = CONF_LOCAL,
	  .check = check_address,
	  .doc = "Address and port on which only metrics are served over HTTPS." },
	{ .name = "core.metrics_authentication",
	  .type = CONF_BOOL,
	  .fallback = "true",
	  .doc = "Whether metrics are for trusted clients only." },
	{ .name = "core.remote_token_expiry",
	  .type = CONF_EXPIRY,
	  .fallback = "15d",
	  .doc = "How long a token that adds a client is good for." },
	{ .name = "core.shutdown_timeout",
	  .type = CONF_UINT,
	  .fallback = "5",
	  .doc = "Minutes for which a shutdown waits for running operations." },
	{ .name = "backups.compression_algorithm",
	  .type = CONF_STRING,
	  .flags = CONF_IDLE,
	  .fallback = "gzip",
	  .check = server_conf_check_compression,
	  .doc = "How backups are compressed." },
	{ .name = "images.auto_update_cached",
	  .type = CONF_BOOL,
	  .flags = CONF_IDLE,
	  .fallback = "true",
	  .doc = "Whether cached images are refreshed by themselves." },
	{ .name = "images.auto_update_interval",
	  .type = CONF_UINT,
	  .flags = CONF_IDLE,
	  .fallback = "6",
	  .doc = "Hours between looks for newer versions of cached images; 0 for never." },
	{ .name = "images.compression_algorithm",
	  .type = CONF_STRING,
	  .fallback = "gzip",
	  .check = server_conf_check_compression,
	  .doc = "How images made from instances are compressed." },
	{ .name = "images.default_architecture",
	  .type = CONF_STRING,
	  .flags = CONF_IDLE,
	  .doc = "Architecture of images where members differ." },
	{ .name = "images.remote_cache_expiry",
	  .type = CONF_UINT,
	  .fallback = "10",
	  .doc = "Days after which a cached image that nobody used is removed." },
	{ .name = "instances.nic.host_name",
	  .type = CONF_ENUM,
	  .fallback = "random",
	  .choices = host_names,
	  .doc = "How the host's ends of network interfaces are named." },
	{ .name = "volatile.uuid",
	  .type = CONF_STRING,
	  .check = check_readonly,
	  .doc = "Identity of this server or cluster; made once by the daemon." },
	{ .name = "user.*",
	  .type = CONF_STRING,
	  .doc = "Free for users; never read by the daemon." },
};

static struct conf_key table[MAX_KEYS + 1];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void append(const struct conf_key *keys, size_t *n)
{
	for (; keys->name; keys++) {
		bool is_there = false;

		for (size_t i = 0; i < *n; i++)
			is_there |= str_equals(table[i].name, keys->name);
		if (is_there)
			continue;

		assert(*n < MAX_KEYS);
		table[(*n)++] = *keys;
	}
}

static void make_table(void)
{
	size_t n = 0;

	for (; n < COUNT_OF(own_keys); n++)
		table[n] = own_keys[n];
	append(cluster_conf_keys, &n);
	append(cluster_conf_local_keys, &n);
	for (size_t i = 0; i < n; i++) {
		if (str_equals(table[i].name, "cluster.https_address"))
			table[i].flags |= CONF_LOCAL;
	}
}

const struct conf_key *server_conf_table(void)
{
	pthread_once(&table_once, make_table);
	return table;
}

struct listener {
	char *prefix;
	server_conf_apply *fn;
	void *arg;
};

struct server_conf {
	struct mutex lock;
	struct smap local GUARDED;
	uint64_t n_changes GUARDED;          /* Of that. */
	ARRAY_OF(struct listener) listeners; /* Written during startup only. */
};

struct server_conf *server_conf_new(struct state *state)
{
	struct server_conf *conf = xcalloc(1, sizeof(*conf));

	(void)state;
	mutex_init(&conf->lock);
	return conf;
}

void server_conf_free(struct server_conf *conf)
{
	if (!conf)
		return;

	for (size_t i = 0; i < conf->listeners.n_items; i++)
		free(conf->listeners.items[i].prefix);
	ARRAY_DONE(&conf->listeners);
	mutex_lock(&conf->lock);
	smap_done(&conf->local);
	mutex_unlock(&conf->lock);
	mutex_done(&conf->lock);
	free(conf);
}

static bool is_local(const char *key)
{
	const struct conf_key *row = conf_find(server_conf_table(), key);

	return row && (row->flags & CONF_LOCAL);
}

int server_conf_load(struct state *state, struct error **err)
{
	scoped(smap_done) struct smap local = { 0 };

	int r = db_local_get_config(state->local, &local, err);
	if (r < 0)
		return r;

	mutex_lock(&state->conf->lock);
	smap_copy(&state->conf->local, &local);
	state->conf->n_changes++;
	mutex_unlock(&state->conf->lock);
	return 0;
}

static void copy_local(struct state *state, struct smap *ret)
{
	mutex_lock(&state->conf->lock);
	smap_copy(ret, &state->conf->local);
	mutex_unlock(&state->conf->lock);
}

/* Those of the cluster from memory; from the database only when they were never read. */
static void copy_global(struct state *state, struct smap *ret)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	view = db_cache_stale_view(state->cache, DB_CONFIG);
	if (!view && db_cache_view(state->cache, DB_CONFIG, &view, &err) < 0) {
		log_warn("Failed reading the server's configuration: %s", err->msg);
		return;
	}

	smap_copy(ret, db_cache_config(view));
}

static char *copy_value(const struct smap *config, const char *key)
{
	return xstrdup(str_or_empty(conf_get(server_conf_table(), config, key)));
}

char *server_conf_string(struct state *state, const char *key)
{
	scoped(smap_done) struct smap global = { 0 };

	if (is_local(key)) {
		mutex_lock(&state->conf->lock);
		char *value = copy_value(&state->conf->local, key);
		mutex_unlock(&state->conf->lock);
		return value;
	}

	copy_global(state, &global);
	return copy_value(&global, key);
}

uint64_t server_conf_local_changes(struct state *state)
{
	mutex_lock(&state->conf->lock);
	uint64_t n = state->conf->n_changes;
	mutex_unlock(&state->conf->lock);
	return n;
}

int64_t server_conf_int(struct state *state, const char *key)
{
	scoped_free char *value = server_conf_string(state, key);
	int64_t number = 0;

	parse_int64(value, &number);
	return number;
}

bool server_conf_bool(struct state *state, const char *key)
{
	scoped_free char *value = server_conf_string(state, key);

	return parse_is_true(value);
}

static void merged(struct state *state, const struct smap *global, struct smap *ret)
{
	scoped(smap_done) struct smap local = { 0 };

	smap_copy(ret, global);
	copy_local(state, &local);
	smap_merge(ret, &local);
}

static int read_fresh(struct state *state, struct smap *ret, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(state->cache, DB_CONFIG, &view, err);
	if (r < 0)
		return r;

	merged(state, db_cache_config(view), ret);
	return 0;
}

struct json_object *server_conf_json(struct state *state, const struct db_view *view)
{
	scoped(smap_done) struct smap config = { 0 };

	merged(state, db_cache_config(view), &config);
	return jv_of_smap(&config);
}

void server_conf_on_change(struct state *state, const char *prefix, server_conf_apply *fn,
                           void *arg)
{
	ARRAY_ADD(&state->conf->listeners,
	          (struct listener){ .prefix = xstrdup(prefix), .fn = fn, .arg = arg });
}

static int apply(struct state *state, const char *key, const char *value, struct error **err)
{
	struct server_conf *conf = state->conf;

	for (size_t i = 0; i < conf->listeners.n_items; i++) {
		struct listener *l = &conf->listeners.items[i];

		if (!str_starts(key, l->prefix))
			continue;

		int r = l->fn(state, key, str_or_empty(value), l->arg, err);
		if (r < 0)
			return r;
	}

	return 0;
}

/* A set of changes on its way. */
struct change {
	struct state *state;
	const struct request *req; /* NULL: the daemon itself. */
	struct json_object *values;
	bool is_patch;
	struct smap before;  /* All keys, as found last. */
	struct smap after;   /* As they shall be. */
	struct smap changed; /* Those that differ, "" for unset. */
};

static void change_done(struct change *c)
{
	smap_done(&c->before);
	smap_done(&c->after);
	smap_done(&c->changed);
}

static int note_change(const char *name, const char *before, const char *after, void *arg)
{
	struct change *c = arg;

	(void)before;
	smap_set(&c->changed, name, str_or_empty(after));
	return 0;
}

/* Values may be numbers and booleans, as older clients send them. */
static int value_text(const char *key, struct json_object *value, char **ret, struct error **err)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		*ret = xstrdup("");
		return 0;
	case json_type_string:
	case json_type_int:
	case json_type_boolean:
		*ret = xstrdup(json_object_get_string(value));
		return 0;
	case json_type_double:
	case json_type_object:
	case json_type_array:
		break;
	}

	return error_set(err, 400, "Invalid value of \"%s\"", key);
}

static int validate(const struct change *c, const char *key, const char *value, struct error **err)
{
	bool is_own = !c->req && str_equals(key, "volatile.uuid");

	if (is_own || str_equals(value, str_or_empty(smap_get(&c->before, key))))
		return 0;

	int r = conf_validate(server_conf_table(), key, value, err);
	if (r < 0)
		return error_wrap(err, "Cannot set \"%s\" to \"%s\"", key, value);

	return 0;
}

/*
 * What set-up files for older servers still say: a password to be trusted by. There is none here;
 * the key is taken and forgotten, so that such a file works, and nobody is let in by it.
 */
static bool is_forgotten(const char *key)
{
	return str_equals(key, "core.trust_password");
}

/* From 'before' to 'after' and 'changed', every value checked. */
static int plan(struct change *c, struct error **err)
{
	const char *uuid = smap_get(&c->before, "volatile.uuid");
	const char *address = smap_get(&c->before, "cluster.https_address");

	smap_clear(&c->after);
	smap_clear(&c->changed);
	if (c->is_patch)
		smap_copy(&c->after, &c->before);
	else if (uuid)
		smap_set(&c->after, "volatile.uuid", uuid);
	if (address && state_is_clustered(c->state))
		smap_set(&c->after, "cluster.https_address", address);

	JV_FOREACH (c->values, key, value) {
		scoped_free char *text = NULL;

		if (is_forgotten(key))
			continue;

		int r = value_text(key, value, &text, err);
		if (r < 0)
			return r;

		r = validate(c, key, text, err);
		if (r < 0)
			return r;

		smap_set(&c->after, key, *text ? text : NULL);
	}

	return conf_diff(&c->before, &c->after, note_change, c);
}

static int check_etag(const struct change *c, struct error **err)
{
	scoped(jv_unrefp) struct json_object *source = jv_of_smap(&c->before);

	return request_check_etag(c->req, source, err);
}

static int store(struct db_tx *tx, void *arg, struct error **err)
{
	struct change *c = arg;
	scoped(smap_done) struct smap global = { 0 };

	int r = db_config_load(tx, &global, err);
	if (r < 0)
		return r;

	/* What was planned may rest on what another member has changed meanwhile. */
	smap_clear(&c->before);
	merged(c->state, &global, &c->before);

	r = check_etag(c, err);
	if (r < 0)
		return r;

	r = plan(c, err);
	if (r < 0)
		return r;

	SMAP_FOREACH (e, &c->changed) {
		if (is_local(e->key))
			continue;

		r = db_config_set(tx, e->key, e->value, err);
		if (r < 0)
			return r;
	}

	return 0;
}

static int store_local(struct change *c, struct error **err)
{
	SMAP_FOREACH (e, &c->changed) {
		if (!is_local(e->key))
			continue;

		int r = db_local_set_config(c->state->local, e->key, e->value, err);
		if (r < 0)
			return r;

		mutex_lock(&c->state->conf->lock);
		smap_set(&c->state->conf->local, e->key, *e->value ? e->value : NULL);
		c->state->conf->n_changes++;
		mutex_unlock(&c->state->conf->lock);
	}

	return 0;
}

static bool has_global(const struct change *c)
{
	SMAP_FOREACH (e, &c->changed) {
		if (!is_local(e->key))
			return true;
	}

	return false;
}

static void take_back(struct change *c, const struct smap *applied)
{
	SMAP_FOREACH (e, applied) {
		scoped(error_freep) struct error *err = NULL;

		if (apply(c->state, e->key, e->value, &err) < 0)
			log_warn("Failed restoring \"%s\": %s", e->key, err->msg);
	}
}

static void refresh(struct state *state)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(error_freep) struct error *err = NULL;

	if (db_cache_view(state->cache, DB_CONFIG, &view, &err) < 0)
		log_warn("Failed reading the server's configuration: %s", err->msg);
}

/* The others learn at once; one that is away reads it when it is back. */
static void tell_others(struct change *c)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(jv_unrefp) struct json_object *keys = jv_object();
	scoped(error_freep) struct error *err = NULL;
	const struct connect_call call = {
		.method = "PUT",
		.path = "/internal/config",
		.body = body,
		.timeout_ms = 5000,
	};

	refresh(c->state);
	if (cluster_conf_changed(c->state->cluster, &err) < 0) {
		log_warn("Failed taking over the cluster's configuration: %s", err->msg);
		error_free(TAKE_PTR(err));
	}

	SMAP_FOREACH (e, &c->changed) {
		if (!is_local(e->key))
			jv_set_string(keys, e->key, e->value);
	}
	jv_set_take(body, "config", jv_ref(keys));
	if (state_is_clustered(c->state))
		notify_members(c->state->cluster, NOTIFY_TRY, &call, NULL, &err);
}

static int commit(struct change *c, struct error **err)
{
	scoped(smap_done) struct smap applied = { 0 };
	scoped(smap_done) struct smap wanted = { 0 };
	int r = 0;

	smap_copy(&wanted, &c->changed);
	SMAP_FOREACH (e, &wanted) {
		r = apply(c->state, e->key, e->value, err);
		if (r < 0)
			break;

		smap_set(&applied, e->key, str_or_empty(smap_get(&c->before, e->key)));
	}

	bool is_global = has_global(c);

	if (r == 0 && is_global)
		r = db_write(c->state->db, store, c, err);
	if (r == 0)
		r = store_local(c, err);
	if (r < 0) {
		take_back(c, &applied);
		return r;
	}

	if (is_global)
		tell_others(c);

	return 0;
}

static int run(struct change *c, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = locks_take(c->state->locks, LOCK_CONFIG, "server", NULL, &lock, err);
	if (r < 0)
		return r;

	r = read_fresh(c->state, &c->before, err);
	if (r < 0)
		return r;

	r = check_etag(c, err);
	if (r < 0)
		return r;

	r = plan(c, err);
	if (r < 0)
		return r;

	if (state_is_clustered(c->state) && smap_has(&c->changed, "cluster.https_address") &&
	    c->req)
		return error_set(err, 400,
		                 "Cannot change \"cluster.https_address\" of a clustered server");

	return commit(c, err);
}

int server_conf_replace(struct request *req, struct json_object *values, bool is_patch,
                        struct error **err)
{
	scoped(change_done) struct change c = {
		.state = req->state,
		.req = req,
		.values = values,
		.is_patch = is_patch,
	};

	int r = run(&c, err);
	if (r < 0)
		return r;

	lifecycle_send_for(req, "config-updated", NULL, "/1.0", jv_of_smap(&c.changed));
	return 0;
}

int server_conf_set(struct state *state, const char *key, const char *value, struct error **err)
{
	scoped(jv_unrefp) struct json_object *values = jv_object();
	scoped(change_done) struct change c = { .state = state,
		                                .values = values,
		                                .is_patch = true };

	jv_set_string(values, key, value);
	return run(&c, err);
}

void server_conf_take_over(struct state *state, struct json_object *keys)
{
	refresh(state);
	JV_FOREACH (keys, key, value) {
		scoped(error_freep) struct error *err = NULL;

		if (apply(state, key, str_or_empty(jv_string(value)), &err) < 0)
			log_warn("Failed applying \"%s\": %s", key, err->msg);
	}

	scoped(error_freep) struct error *err = NULL;

	if (cluster_conf_changed(state->cluster, &err) < 0)
		log_warn("Failed taking over the cluster's configuration: %s", err->msg);
}
