#include "cluster/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cluster/cluster_conf.h"
#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/events_hub.h"
#include "cluster/gateway.h"
#include "cluster/heartbeat_private.h"
#include "cluster/join.h"
#include "cluster/raft_nodes.h"
#include "cluster/rebalance.h"
#include "cluster/rebalance_private.h"
#include "cluster/trust.h"
#include "db/conn.h"
#include "db/db.h"
#include "db/engine.h"
#include "db/local.h"
#include "db/members.h"
#include "db/schema.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/net/http_client.h"
#include "lib/net/stream_pump.h"

#define N_JOBS 4
#define N_CALLS 16
#define LATENCY_MS 30 /* Elections begin 0.45 to 0.9 s after the leader is lost. */
#define BEAT_MS 1000
#define FIND_LEADER_MS 2000
#define SCHEMA_TRY_MS 1000
#define DRAIN_MS 2000

void cluster_setup_process(void)
{
	engine_init();
}

char *cluster_database_dir(struct cluster *cluster)
{
	return path_join(cluster->dir, "database", NULL);
}

void cluster_unlink(struct cluster *cluster, const char *name)
{
	scoped_free char *path = path_join(cluster->dir, name, NULL);

	if (unlink(path) < 0 && errno != ENOENT)
		log_warn("Failed removing \"%s\": %s", path, strerror(errno));
}

/* --- What others ask --- */

struct db *cluster_db(struct cluster *cluster)
{
	return cluster->db;
}

struct db_local *cluster_local(struct cluster *cluster)
{
	return cluster->local;
}

struct gateway *cluster_gateway(struct cluster *cluster)
{
	return cluster->gateway;
}

bool cluster_is_enabled(struct cluster *cluster)
{
	mutex_lock(&cluster->lock);
	bool is_enabled = cluster->is_enabled;
	mutex_unlock(&cluster->lock);

	return is_enabled;
}

char *cluster_member_name(struct cluster *cluster)
{
	mutex_lock(&cluster->lock);
	char *name = xstrdup(cluster->name);
	mutex_unlock(&cluster->lock);

	return name;
}

char *cluster_member_address(struct cluster *cluster)
{
	mutex_lock(&cluster->lock);
	char *address = xstrdup(cluster->address);
	mutex_unlock(&cluster->lock);

	return address;
}

int64_t cluster_member_id(struct cluster *cluster)
{
	mutex_lock(&cluster->lock);
	int64_t id = cluster->id;
	mutex_unlock(&cluster->lock);

	return id;
}

bool cluster_is_led(struct cluster *cluster)
{
	return gateway_is_led(cluster->gateway);
}

bool cluster_is_leader(struct cluster *cluster)
{
	return !cluster_is_enabled(cluster) || gateway_is_leader(cluster->gateway);
}

bool cluster_is_leader_now(struct cluster *cluster)
{
	return !cluster_is_enabled(cluster) || gateway_is_leader_now(cluster->gateway);
}

struct member_list *cluster_members(struct cluster *cluster)
{
	mutex_lock(&cluster->lock);
	struct member_list *list = member_list_ref(cluster->members);
	mutex_unlock(&cluster->lock);

	return list;
}

int cluster_leader_address(struct cluster *cluster, char **ret_address, struct error **err)
{
	if (!cluster_is_enabled(cluster)) {
		*ret_address = xstrdup("");
		return 0;
	}

	scoped_free char *known = gateway_leader(cluster->gateway);
	if (*known && !gateway_is_marked_down(cluster->gateway, known)) {
		*ret_address = TAKE_PTR(known);
		return 0;
	}

	scoped(db_conn_freep) struct db_conn *conn = NULL;
	return gateway_connect_leader(cluster->gateway, date_deadline(FIND_LEADER_MS), &conn,
	                              ret_address, err);
}

int64_t cluster_setting(struct cluster *cluster, const char *key)
{
	mutex_lock(&cluster->lock);
	int64_t value = conf_get_int(cluster_conf_keys, &cluster->settings, key);
	mutex_unlock(&cluster->lock);

	return value;
}

char *cluster_setting_text(struct cluster *cluster, const char *key)
{
	mutex_lock(&cluster->lock);
	char *value = xstrdup(str_or_empty(conf_get(cluster_conf_keys, &cluster->settings, key)));
	mutex_unlock(&cluster->lock);

	return value;
}

/* --- The list of members --- */

struct liveness {
	struct cluster *cluster;
	int64_t id;
	char *name;
	bool is_online;
};

/* The hook may write to the database, which no heartbeat must wait for. */
static void run_liveness(void *arg)
{
	struct liveness *l = arg;

	HOOK(l->cluster, member_liveness, l->id, l->name, l->is_online);
	HOOK(l->cluster, warning, "Offline cluster member", l->name, "", !l->is_online);
	free(l->name);
	free(l);
}

/* Those who went or came since the list before, for the hooks; the leader's opinion only. */
static void tell_liveness(struct cluster *cluster, const struct member_list *before,
                          const struct member_list *after)
{
	for (size_t i = 0; i < after->n_members; i++) {
		const struct member *m = &after->members[i];
		const struct member *was = member_list_by_id(before, m->id);

		if (!was || was->is_online == m->is_online)
			continue;
		log_warn("Cluster member \"%s\" is %s", m->name,
		         m->is_online ? "online again" : "offline");

		struct liveness *l = xcalloc(1, sizeof(*l));
		*l = (struct liveness){ .cluster = cluster,
			                .id = m->id,
			                .name = xstrdup(m->name),
			                .is_online = m->is_online };
		if (worker_submit(cluster->jobs, run_liveness, l) < 0)
			run_liveness(l);
	}
}

bool cluster_update_members(struct cluster *cluster, cluster_make_list *make, void *arg)
{
	mutex_lock(&cluster->lock);
	struct member_list *before = cluster->members;
	struct member_list *after = make(before, arg);
	cluster->members = member_list_ref(after);
	mutex_unlock(&cluster->lock);

	bool is_changed = !member_list_equals(before, after);
	if (is_changed) {
		if (gateway_is_leader(cluster->gateway)) {
			heartbeat_changed(cluster);
			tell_liveness(cluster, before, after);
		}
		events_hub_update(cluster->hub);
		HOOK(cluster, members_changed);
	}
	member_list_unref(before);
	member_list_unref(after);

	return is_changed;
}

static struct member_list *take_as_it_is(const struct member_list *now, void *arg)
{
	return arg;
}

bool cluster_set_members_take(struct cluster *cluster, struct member_list *list)
{
	return cluster_update_members(cluster, take_as_it_is, list);
}

/* What the database and raft say of the members. */
struct fresh_rows {
	struct db_members rows;
	struct raft_node *nodes;
	size_t n_nodes;
	char *leader;
	bool is_enabled;
};

static struct member_list *merge_rows(const struct member_list *now, void *arg)
{
	const struct fresh_rows *fresh = arg;
	struct member_list *list = member_list_new(fresh->rows.n);

	for (size_t i = 0; i < fresh->rows.n; i++) {
		const struct db_member *row = &fresh->rows.rows[i];
		const struct member *was = member_list_by_id(now, row->id);
		const struct raft_node *node =
			raft_nodes_by_id(fresh->nodes, fresh->n_nodes, (uint64_t)row->id);
		struct member *m = &list->members[i];

		m->id = row->id;
		m->name = xstrdup(row->name);
		m->address = xstrdup(row->address);
		m->state = (enum member_admin_state)row->state;
		m->role = node ? node->role : ROLE_SPARE;
		m->is_leader = !fresh->is_enabled || str_equals(m->address, fresh->leader);
		m->is_online = was ? was->is_online : true;
		m->is_suspect = was && was->is_suspect;
		m->last_heartbeat = was ? was->last_heartbeat : date_now() / 1000000;
		m->architecture = xstrdup(str_or_empty(row->architecture));
		m->failure_domain = xstrdup(str_or_empty(row->failure_domain));
		m->schema = (uint64_t)row->schema;
		m->n_api_extensions = (uint64_t)row->api_extensions;
		m->memory = was ? was->memory : 0;
		m->n_cpus = was ? was->n_cpus : 0;
	}

	return list;
}

static int read_rows(struct db_tx *tx, void *arg, struct error **err)
{
	struct fresh_rows *fresh = arg;

	db_member_list_done(&fresh->rows);
	fresh->rows = (struct db_members){ 0 };

	return db_member_list(tx, &fresh->rows, err);
}

int cluster_members_refresh(struct cluster *cluster, struct error **err)
{
	struct fresh_rows fresh = { .is_enabled = cluster_is_enabled(cluster) };

	int r = db_read(cluster->db, read_rows, &fresh, err);
	if (r >= 0)
		r = raft_nodes_read(cluster->gateway, &fresh.nodes, &fresh.n_nodes, err);
	if (r >= 0) {
		fresh.leader = gateway_leader(cluster->gateway);
		(void)cluster_update_members(cluster, merge_rows, &fresh);

		scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
		const struct member *own = member_list_by_id(list, cluster_member_id(cluster));
		if (fresh.is_enabled && own)
			cluster_set_name(cluster, own->name);
		if (fresh.is_enabled)
			cluster_store_nodes(cluster, list);
		heartbeat_forget_list(cluster);
	}
	db_member_list_done(&fresh.rows);
	raft_nodes_free(fresh.nodes, fresh.n_nodes);
	free(fresh.leader);

	return r;
}

static bool nodes_equal(const struct raft_node *a, const struct raft_node *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i].id != b[i].id || a[i].role != b[i].role ||
		    !str_equals(a[i].address, b[i].address) || !str_equals(a[i].name, b[i].name))
			return false;
	}

	return true;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct raft_node *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void cluster_store_nodes(struct cluster *cluster, const struct member_list *list)
{
	scoped_free struct raft_node *nodes =
		xcalloc(list->n_members ? list->n_members : 1, sizeof(*nodes));
	struct raft_node *known = NULL;
	size_t n = 0, n_known = 0;

	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		if (*m->address) {
			nodes[n++] = (struct raft_node){ .id = (uint64_t)m->id,
				                         .address = m->address,
				                         .name = m->name,
				                         .role = m->role };
		}
	}
	qsort(nodes, n, sizeof(*nodes), compare_nodes);

	gateway_nodes(cluster->gateway, &known, &n_known);
	if (n > 0 && (n != n_known || !nodes_equal(nodes, known, n))) {
		scoped(error_freep) struct error *err = NULL;

		if (gateway_set_nodes(cluster->gateway, nodes, n, &err) < 0)
			log_warn("Failed storing the members: %s", err->msg);
	}
	raft_nodes_free(known, n_known);
}

/* Before anybody was heard: what was known when the daemon ran last. */
static struct member_list *list_of_nodes(struct cluster *cluster)
{
	struct raft_node *nodes = NULL;
	size_t n_nodes = 0;
	bool is_enabled = cluster_is_enabled(cluster);

	gateway_nodes(cluster->gateway, &nodes, &n_nodes);
	struct member_list *list = member_list_new(n_nodes);
	for (size_t i = 0; i < n_nodes; i++) {
		struct member *m = &list->members[i];

		m->id = (int64_t)nodes[i].id;
		m->name = xstrdup(is_enabled ? nodes[i].name : "none");
		m->address = xstrdup(is_enabled ? nodes[i].address : "");
		m->role = nodes[i].role;
		m->is_online = true;
		m->architecture = xstrdup("");
		m->failure_domain = xstrdup("default");
	}
	raft_nodes_free(nodes, n_nodes);

	return list;
}

void cluster_list_nodes(struct cluster *cluster)
{
	(void)cluster_set_members_take(cluster, list_of_nodes(cluster));
}

/* --- Identity --- */

void cluster_lifecycle(struct cluster *cluster, const char *action, const char *member_name)
{
	scoped_free char *source = xasprintf("/1.0/cluster/members/%s", member_name);

	HOOK(cluster, lifecycle, action, source, NULL);
}

void cluster_wake(struct cluster *cluster, struct task *const *task)
{
	mutex_lock(&cluster->lock);
	if (*task)
		task_run_now(*task);
	mutex_unlock(&cluster->lock);
}

static void set_beat(struct cluster *cluster, bool is_enabled)
{
	mutex_lock(&cluster->lock);
	if (cluster->beat) {
		task_set_interval(cluster->beat, is_enabled ? BEAT_MS : 0);
		task_run_now(cluster->beat);
	}
	mutex_unlock(&cluster->lock);
}

void cluster_set_identity_take(struct cluster *cluster, int64_t id, const char *name,
                               const char *address, struct certificate *shared)
{
	scoped(certificate_freep) struct certificate *shown =
		certificate_copy(shared ? shared : cluster->server);

	mutex_lock(&cluster->lock);
	cluster->is_enabled = shared != NULL;
	cluster->id = id;
	free(cluster->name);
	cluster->name = xstrdup(name);
	free(cluster->address);
	cluster->address = xstrdup(address);
	certificate_free(cluster->shared);
	cluster->shared = shared;
	map_clear(cluster->clients);
	mutex_unlock(&cluster->lock);

	HOOK(cluster, certificate_changed, shown->cert, shown->key);
	HOOK(cluster, identity_changed, name, address);
	set_beat(cluster, shared != NULL);
	events_hub_update(cluster->hub);
}

void cluster_set_name(struct cluster *cluster, const char *name)
{
	scoped_free char *address = NULL;

	mutex_lock(&cluster->lock);
	bool is_news = strcmp(cluster->name, name) != 0;
	if (is_news) {
		free(cluster->name);
		cluster->name = xstrdup(name);
		address = xstrdup(cluster->address);
	}
	mutex_unlock(&cluster->lock);
	if (is_news)
		HOOK(cluster, identity_changed, name, address);
}

/* --- Roads --- */

/* The gateway's way to a peer's node. */
static int dial(void *arg, const char *address, unsigned timeout_ms, struct cancel *cancel)
{
	struct cluster *cluster = arg;
	struct stream *stream = NULL;
	scoped(error_freep) struct error *err = NULL;

	int r = connect_upgrade(cluster, address,
	                        &(struct connect_upgrade){ .path = "/internal/database",
	                                                   .protocol = "dqlite",
	                                                   .timeout_ms = timeout_ms,
	                                                   .cancel = cancel },
	                        &stream, &err);
	if (r < 0) {
		log_debug("Failed reaching the database node at %s: %s", address, err->msg);
		return r;
	}

	return stream_pump_to_fd(cluster->loop, stream);
}

static struct member_list *mark_leader(const struct member_list *now, void *arg)
{
	struct member_list *list = member_list_copy(now);

	for (size_t i = 0; i < list->n_members; i++)
		list->members[i].is_leader = strcmp(list->members[i].address, arg) == 0;

	return list;
}

static void leader_changed(void *arg, const char *address, bool is_self)
{
	struct cluster *cluster = arg;

	if (*address)
		log_info("The cluster is led by \"%s\"%s", address, is_self ? ", this member" : "");
	else
		log_info("Nobody leads the cluster");
	/* A database that is being made is nobody's business yet. */
	if (atomic_load(&cluster->is_unsettled))
		return;

	bool was_self = atomic_exchange(&cluster->is_leading, is_self);
	if (cluster_is_enabled(cluster))
		(void)cluster_update_members(cluster, mark_leader, (char *)address);
	if (is_self && !was_self && cluster_is_enabled(cluster))
		heartbeat_leader_begin(cluster);
	if (is_self != was_self)
		HOOK(cluster, leader_changed, is_self);
}

void cluster_unsettle(struct cluster *cluster)
{
	leader_changed(cluster, "", false);
	atomic_store(&cluster->is_unsettled, true);
}

void cluster_settle(struct cluster *cluster)
{
	scoped_free char *leader = gateway_leader(cluster->gateway);

	atomic_store(&cluster->is_unsettled, false);
	leader_changed(cluster, leader, gateway_is_leader(cluster->gateway));
}

/* --- Life --- */

/* As the kernel calls it, which is LXD's name of it too. */
static const char *architecture(void)
{
	static struct utsname name;

	return uname(&name) < 0 ? "unknown" : name.machine;
}

static int load_identity(struct cluster *cluster, struct error **err) NO_LOCK_CHECK
{
	scoped(db_local_raft_done) struct db_local_raft raft = { 0 };
	int r = db_local_get_raft(cluster->local, &raft, err);
	if (r < 0)
		return r;

	if (raft.clustered) {
		r = certificate_load(cluster->dir, "cluster", &cluster->shared, err);
		if (r < 0)
			return r;
	}
	cluster->is_enabled = raft.clustered;
	cluster->id = raft.id ? (int64_t)raft.id : 1;
	cluster->address = xstrdup(raft.clustered ? raft.address : "");
	cluster->name = xstrdup("none");

	return 0;
}

static void load_name(struct cluster *cluster) NO_LOCK_CHECK
{
	struct raft_node *nodes = NULL;
	size_t n_nodes = 0;

	gateway_nodes(cluster->gateway, &nodes, &n_nodes);
	const struct raft_node *own = raft_nodes_by_id(nodes, n_nodes, (uint64_t)cluster->id);
	if (cluster->is_enabled && own && !str_is_empty(own->name)) {
		free(cluster->name);
		cluster->name = xstrdup(own->name);
	}
	raft_nodes_free(nodes, n_nodes);
}

int cluster_new(const struct cluster_options *options, struct cluster **ret_cluster,
                struct error **err) NO_LOCK_CHECK
{
	scoped(cluster_freep) struct cluster *cluster = xcalloc(1, sizeof(*cluster));

	mutex_init(&cluster->lock);
	mutex_init(&cluster->membership);
	cluster->dir = xstrdup(options->dir);
	cluster->version = xstrdup(str_or_empty(options->version));
	cluster->loop = options->loop;
	if (options->hooks)
		cluster->hooks = *options->hooks;
	cluster->n_api_extensions = options->n_api_extensions;
	cluster->clients = map_new((void (*)(void *))http_client_unref);
	cluster->trusted = map_new(NULL);
	cluster->members = member_list_new(0);
	cluster->heartbeat = heartbeat_new();
	cluster->hub = events_hub_new(cluster, options->loop);
	cluster->jobs = worker_new("cluster", N_JOBS, 0);
	cluster->calls = worker_new("members", N_CALLS, 0);
	cluster->beats = worker_new("heartbeat", N_CALLS, 0);

	int r = certificate_load(options->dir, "server", &cluster->server, err);
	if (r < 0)
		return r;

	scoped_free char *dir = cluster_database_dir(cluster);
	scoped_free char *local = path_join(dir, "local.db", NULL);
	r = file_make_dirs(dir, 0700);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", dir);
	r = db_local_open(local, &cluster->local, err);
	if (r < 0)
		return r;
	r = join_local_mend(cluster, err);
	if (r < 0)
		return r;
	r = load_identity(cluster, err);
	if (r < 0)
		return r;
	r = trust_load(cluster, err);
	if (r < 0)
		return r;

	const struct gateway_options gateway = {
		.dir = dir,
		.local = cluster->local,
		.loop = cluster->loop,
		.latency_ms = options->latency_ms ? options->latency_ms : LATENCY_MS,
		.dial = dial,
		.leader_changed = leader_changed,
		.arg = cluster,
	};
	r = gateway_new(&gateway, &cluster->gateway, err);
	if (r < 0)
		return r;
	load_name(cluster);
	member_list_unref(cluster->members);
	cluster->members = list_of_nodes(cluster);

	const struct db_options db = { .ops = gateway_db_ops(cluster->gateway),
		                       .ops_arg = cluster->gateway,
		                       .origin = db_local_origin(cluster->local) };
	cluster->db = db_new(&db);
	r = gateway_watch(cluster->gateway, err);
	if (r < 0)
		return r;

	*ret_cluster = TAKE_PTR(cluster);
	return 0;
}

/* Tries until the database answers or it is too late. */
static int ensure_schema(struct cluster *cluster, int timeout_ms, struct error **err)
{
	int64_t deadline = date_deadline(timeout_ms);

	for (;;) {
		scoped(error_freep) struct error *failure = NULL;

		if (db_schema_ensure(cluster->db, &failure) >= 0)
			return 0;
		if (failure->status != 503)
			return error_move(err, &failure);
		if (date_left(deadline) == 0 || atomic_load(&cluster->is_stopping)) {
			(void)error_move(err, &failure);
			return -ETIMEDOUT;
		}
		log_info("Waiting for the cluster's database: %s", failure->msg);
	}
}

static int write_versions(struct db_tx *tx, void *arg, struct error **err)
{
	struct cluster *cluster = arg;
	scoped(db_member_done) struct db_member row = { 0 };

	int r = db_member_get_by_id(tx, cluster_member_id(cluster), &row, err);
	if (r < 0)
		return r;
	if (row.schema == db_schema_version() &&
	    row.api_extensions == (int64_t)cluster->n_api_extensions &&
	    str_equals(row.architecture, architecture()))
		return 0;

	return db_member_set_versions(tx, row.id, db_schema_version(),
	                              (int64_t)cluster->n_api_extensions, architecture(), err);
}

static int run_beat(void *arg)
{
	struct cluster *cluster = arg;

	return atomic_load(&cluster->is_stopping) ? 0 : heartbeat_tick(cluster);
}

static int run_roles(void *arg)
{
	struct cluster *cluster = arg;

	return atomic_load(&cluster->is_stopping) ? 0 : rebalance_background(cluster);
}

static void start_background(struct cluster *cluster)
{
	const struct task_spec beat = { .name = "heartbeat",
		                        .interval_ms = cluster_is_enabled(cluster) ? BEAT_MS : 0,
		                        .run = run_beat,
		                        .arg = cluster };
	const struct task_spec roles = { .name = "roles", .run = run_roles, .arg = cluster };

	/* Waits for the loop, which asks for members by their certificates under the lock. */
	struct task *roles_task = task_new(cluster->loop, cluster->jobs, &roles);
	struct task *beat_task = task_new(cluster->loop, cluster->jobs, &beat);
	mutex_lock(&cluster->lock);
	cluster->roles = roles_task;
	cluster->beat = beat_task;
	mutex_unlock(&cluster->lock);
	events_hub_start(cluster->hub);
}

int cluster_start(struct cluster *cluster, int timeout_ms, struct error **err)
{
	int r = ensure_schema(cluster, timeout_ms, err);
	if (r < 0)
		return r;
	r = db_write(cluster->db, write_versions, cluster, err);
	if (r < 0)
		return r;
	r = cluster_conf_changed(cluster, err);
	if (r < 0)
		return r;
	r = trust_refresh(cluster, err);
	if (r < 0)
		return r;
	r = cluster_members_refresh(cluster, err);
	if (r < 0)
		return r;

	if (!atomic_exchange(&cluster->is_started, true))
		start_background(cluster);
	/* This member is back: the leader looks at it now, not with the next round. */
	rebalance_request(cluster);

	return 0;
}

void cluster_stop(struct cluster *cluster)
{
	if (!cluster || atomic_exchange(&cluster->is_stopping, true))
		return;

	mutex_lock(&cluster->lock);
	struct task *beat = TAKE_PTR(cluster->beat), *roles = TAKE_PTR(cluster->roles);
	mutex_unlock(&cluster->lock);
	task_free(beat);
	task_free(roles);
	events_hub_stop(cluster->hub);
	if (cluster->db)
		db_pause(cluster->db, DRAIN_MS);
	if (cluster->gateway)
		gateway_stop(cluster->gateway);
	worker_drain(cluster->jobs, date_deadline(DRAIN_MS));
	worker_drain(cluster->calls, date_deadline(DRAIN_MS));
}

void cluster_free(struct cluster *cluster) NO_LOCK_CHECK
{
	if (!cluster)
		return;

	cluster_stop(cluster);
	events_hub_free(cluster->hub);
	worker_free(cluster->jobs);
	worker_free(cluster->calls);
	worker_free(cluster->beats);
	db_free(cluster->db);
	gateway_free(cluster->gateway);
	db_local_close(cluster->local);
	heartbeat_free(cluster->heartbeat);
	certificate_free(cluster->server);
	certificate_free(cluster->shared);
	member_list_unref(cluster->members);
	map_free(cluster->clients);
	map_free(cluster->trusted);
	smap_done(&cluster->settings);
	free(cluster->name);
	free(cluster->address);
	free(cluster->version);
	free(cluster->dir);
	mutex_done(&cluster->membership);
	mutex_done(&cluster->lock);
	free(cluster);
}
