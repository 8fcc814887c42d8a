#include "cluster/gateway.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "db/conn.h"
#include "db/db.h"
#include "db/engine.h"
#include "db/leader.h"
#include "db/local.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"
#include "lib/base/tree.h"
#include "lib/net/stream_pump.h"

#define DIAL_TIMEOUT_MS 1500    /* The engine wants its connect function back within 2 s. */
#define WATCH_LED_MS 200        /* Between looks at who leads, while somebody does ... */
#define WATCH_LEADERLESS_MS 20  /* ... and while nobody does. */
#define WATCH_ALONE_MS 10000    /* A node without others leads for ever. */
#define WATCH_ASK_MS 2000       /* What the local node may take to say so. */
#define LEADERLESS_MAX_MS 60000 /* A voter without a leader for longer is started anew ... */
#define HEARD_RECENTLY_MS 30000 /* ... if a leader was heard within this. */
/* Nobody is there to hear heartbeats or to hold an election: raft's clock may go slowly. */
#define ALONE_LATENCY_MS 1000
/*
 * The log is held in memory: 12 to 30 KB for each entry. A snapshot is made after so many entries,
 * and so many before it are kept. A server by itself needs few.
 *
 * In a cluster the leader sends a snapshot to who is further behind than what is kept. libraft 0.22
 * crashes when that comes while the member makes one of its own: it goes on with the pending one by
 * a pointer that it has just cleared. Who restarts far behind makes none before it has got one; who
 * follows entry by entry does, and must not fall out of what the leader keeps meanwhile. With 64 and
 * 64 entries that happened in one of ten returns under 600 writes a second.
 */
#define LOG_ALONE 64
#define LOG_THRESHOLD 512
#define LOG_TRAILING 1024
#define DOWN_FIRST_MS 250
#define DOWN_MAX_MS 4000

/* A member that refused or reset a connection. */
struct down {
	char *address;
	int64_t until; /* date_monotonic() */
	unsigned pause_ms;
};

struct gateway {
	struct mutex asking; /* Held from a question to the node until its answer is taken over. */
	struct mutex lock;
	struct cond changed; /* The leader, 'n_users', 'is_stopping'. */

	struct gateway_options options;
	char *dir; /* database/ */
	char *global, *old;
	struct db_ops ops;
	struct db_leader *finder;

	struct engine_node *node GUARDED; /* NULL while it is down. */
	unsigned n_users GUARDED;         /* Threads that are connecting to it just now. */
	struct cancel *dials GUARDED;     /* Fires when it is about to be stopped. */
	uint64_t id GUARDED;
	char *address GUARDED;

	struct raft_node *nodes GUARDED;
	size_t n_nodes GUARDED;
	ARRAY_OF(struct down) downs GUARDED;

	char *leader GUARDED; /* "" if nobody leads. */
	bool is_self GUARDED;
	int64_t leaderless_since GUARDED;
	char *noted GUARDED; /* Who sent the last heartbeat. */
	int64_t noted_at GUARDED;

	pthread_t watch;
	bool has_watch;
	bool is_stopping GUARDED;
	bool is_kicked GUARDED;
};

/* --- Who is down --- */

static struct down *find_down(struct gateway *g, const char *address) REQUIRES(g->lock)
{
	for (size_t i = 0; i < g->downs.n_items; i++) {
		if (strcmp(g->downs.items[i].address, address) == 0)
			return &g->downs.items[i];
	}

	return NULL;
}

void gateway_mark_down(struct gateway *g, const char *address)
{
	mutex_lock(&g->lock);
	struct down *down = find_down(g, address);
	if (!down)
		down = ARRAY_ADD(&g->downs, (struct down){ .address = xstrdup(address) });
	down->pause_ms = down->pause_ms ? down->pause_ms * 2 : DOWN_FIRST_MS;
	if (down->pause_ms > DOWN_MAX_MS)
		down->pause_ms = DOWN_MAX_MS;
	down->until = date_monotonic() + down->pause_ms;
	mutex_unlock(&g->lock);
}

void gateway_mark_up(struct gateway *g, const char *address)
{
	mutex_lock(&g->lock);
	for (size_t i = 0; i < g->downs.n_items; i++) {
		if (strcmp(g->downs.items[i].address, address) == 0) {
			free(g->downs.items[i].address);
			ARRAY_REMOVE(&g->downs, i);
			break;
		}
	}
	mutex_unlock(&g->lock);
}

bool gateway_is_marked_down(struct gateway *g, const char *address)
{
	mutex_lock(&g->lock);
	const struct down *down = find_down(g, address);
	bool is_down = down && down->until > date_monotonic();
	mutex_unlock(&g->lock);

	return is_down;
}

/* --- Roads to nodes --- */

/* A connection to the own node; -ECONNREFUSED while it does not run. */
static int connect_local(struct gateway *g)
{
	mutex_lock(&g->lock);
	struct engine_node *node = g->node;
	if (node)
		g->n_users++;
	mutex_unlock(&g->lock);
	if (!node)
		return -ECONNREFUSED;

	int fd = engine_node_connect(node);

	mutex_lock(&g->lock);
	g->n_users--;
	cond_broadcast(&g->changed);
	mutex_unlock(&g->lock);

	return fd;
}

static bool is_own_address(struct gateway *g, const char *address)
{
	mutex_lock(&g->lock);
	bool is_own = str_equals(g->address, address);
	mutex_unlock(&g->lock);

	return is_own;
}

static int connect_node(struct gateway *g, const char *address, unsigned timeout_ms)
{
	if (is_own_address(g, address))
		return connect_local(g);
	if (!g->options.dial)
		return -EHOSTUNREACH;
	if (gateway_is_marked_down(g, address))
		return -EHOSTDOWN;

	mutex_lock(&g->lock);
	scoped(cancel_unrefp) struct cancel *cancel = cancel_ref(g->dials);
	mutex_unlock(&g->lock);

	int fd = g->options.dial(g->options.arg, address, timeout_ms, cancel);
	if (fd >= 0)
		gateway_mark_up(g, address);
	else if (fd != -ECANCELED)
		gateway_mark_down(g, address);

	return fd;
}

static int engine_connect(void *arg, const char *address, int *ret_fd)
{
	struct gateway *g = arg;
	scoped_fd int fd = connect_node(g, address, DIAL_TIMEOUT_MS);
	if (fd < 0)
		return fd;

	int r = fd_set_nonblock(fd, false);
	if (r < 0)
		return r;

	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int ops_dial(void *arg, const char *address, int64_t deadline)
{
	int left = date_left(deadline);
	if (left == 0)
		return -ETIMEDOUT;

	bool is_long = left < 0 || left > DIAL_TIMEOUT_MS;
	return connect_node(arg, address, is_long ? DIAL_TIMEOUT_MS : (unsigned)left);
}

/* The leader first, then voters, then the rest: a spare may have become a voter unheard. */
static char **ops_candidates(void *arg)
{
	struct gateway *g = arg;
	char **addresses = NULL;

	mutex_lock(&g->lock);
	if (!str_is_empty(g->leader))
		strv_add(&addresses, g->leader);
	for (int pass = ROLE_VOTER; pass < ROLE_COUNT; pass++) {
		for (size_t i = 0; i < g->n_nodes; i++) {
			if ((int)g->nodes[i].role == pass)
				strv_add_once(&addresses, g->nodes[i].address);
		}
	}
	if (g->address)
		strv_add_once(&addresses, g->address);
	mutex_unlock(&g->lock);

	return addresses;
}

const struct db_ops *gateway_db_ops(struct gateway *g)
{
	return &g->ops;
}

int gateway_connect(struct gateway *g, const char *address, unsigned timeout_ms,
                    struct db_conn **ret_conn, struct error **err)
{
	int64_t deadline = date_deadline(timeout_ms);
	int fd = ops_dial(g, address, deadline);
	if (fd < 0)
		return error_set(err, 503, "Failed connecting to the database node at \"%s\": %s",
		                 address, strerror(-fd));

	return db_conn_open(fd, deadline, ret_conn, err);
}

int gateway_connect_leader(struct gateway *g, int64_t deadline, struct db_conn **ret_conn,
                           char **ret_address, struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;
	scoped_free char *known = gateway_leader(g);

	if (*known && db_leader_connect_to(g->finder, known, deadline, ret_conn, &cause) >= 0) {
		*ret_address = TAKE_PTR(known);
		return 0;
	}

	return db_leader_connect(g->finder, deadline, ret_conn, ret_address, err);
}

int gateway_accept_take(struct gateway *g, struct stream *stream, struct error **err)
{
	int fd = connect_local(g);
	if (fd < 0) {
		stream_free(stream);
		return error_set(err, 503, "The database node is not running");
	}

	stream_pump_take(g->options.loop, stream, stream_new_fd_take(fd), NULL, NULL);
	return 0;
}

/* --- The node's life --- */

/* Tells a directory that a node has written to from an empty one. */
static bool has_data(const char *dir)
{
	scoped_free char *metadata = path_join(dir, "metadata1", NULL);

	return file_exists(metadata);
}

static int load_nodes(struct gateway *g, const struct db_local_raft *raft, struct error **err)
{
	scoped(db_local_raft_nodes_done) struct db_local_raft_nodes rows = { 0 };
	int r = db_local_list_raft_nodes(g->options.local, &rows, err);
	if (r < 0)
		return r;

	size_t n = rows.n ? rows.n : 1;
	struct raft_node *nodes = xcalloc(n, sizeof(*nodes));
	for (size_t i = 0; i < rows.n; i++) {
		nodes[i].id = rows.rows[i].id;
		nodes[i].address = xstrdup(rows.rows[i].address);
		nodes[i].name = xstrdup(str_or_empty(rows.rows[i].name));
		nodes[i].role = (enum role)rows.rows[i].role;
	}
	if (rows.n == 0) {
		nodes[0] = (struct raft_node){ .id = raft->id,
			                       .address = xstrdup(raft->address),
			                       .name = xstrdup("") };
	}

	mutex_lock(&g->lock);
	struct raft_node *old = g->nodes;
	size_t n_old = g->n_nodes;
	g->nodes = nodes;
	g->n_nodes = n;
	g->is_kicked = true; /* Who was alone may have company. */
	cond_broadcast(&g->changed);
	mutex_unlock(&g->lock);
	raft_nodes_free(old, n_old);

	return 0;
}

static int recover(const struct engine_options *options, const struct raft_node *nodes,
                   size_t n_nodes, struct error **err)
{
	scoped_free struct engine_member *members = xcalloc(n_nodes, sizeof(*members));

	for (size_t i = 0; i < n_nodes; i++) {
		members[i].id = nodes[i].id;
		members[i].address = nodes[i].address;
		members[i].role = (enum engine_role)nodes[i].role;
	}

	return engine_recover(options, members, n_nodes, err);
}

static int start_node(struct gateway *g, const struct raft_node *nodes, size_t n_nodes,
                      struct error **err)
{
	scoped(db_local_raft_done) struct db_local_raft raft = { 0 };
	int r = db_local_get_raft(g->options.local, &raft, err);
	if (r < 0)
		return r;

	if (raft.id == 0) {
		raft.id = 1;
		free(raft.address);
		raft.address = xstrdup("1");
		r = db_local_set_raft(g->options.local, &raft, err);
		if (r < 0)
			return r;
	}
	r = file_make_dirs(g->global, 0700);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", g->global);
	/* The engine would bootstrap an empty database of its own beside the cluster's. */
	if (raft.clustered && raft.id == 1 && !has_data(g->global))
		return error_set(err, 500,
		                 "The database of this cluster member is gone; recover it from "
		                 "another member");

	const struct engine_options options = {
		.id = raft.id,
		.address = raft.address,
		.dir = g->global,
		.latency_ms = raft.clustered ? g->options.latency_ms : ALONE_LATENCY_MS,
		.snapshot_threshold = raft.clustered ? LOG_THRESHOLD : LOG_ALONE,
		.snapshot_trailing = raft.clustered ? LOG_TRAILING : LOG_ALONE,
		.connect = engine_connect,
		.connect_arg = g,
	};
	if (nodes) {
		r = recover(&options, nodes, n_nodes, err);
		if (r < 0)
			return r;
	}
	r = load_nodes(g, &raft, err);
	if (r < 0)
		return r;

	/* The engine may call back before it returns, so what it asks for is set first. */
	mutex_lock(&g->lock);
	cancel_unref(g->dials);
	g->dials = cancel_new(NULL);
	g->id = raft.id;
	free(g->address);
	g->address = xstrdup(raft.address);
	mutex_unlock(&g->lock);

	struct engine_node *node = NULL;
	r = engine_node_start(&options, &node, err);
	if (r < 0)
		return r;

	mutex_lock(&g->lock);
	g->node = node;
	g->leaderless_since = date_monotonic();
	g->is_kicked = true;
	cond_broadcast(&g->changed);
	mutex_unlock(&g->lock);

	return 0;
}

static void stop_node(struct gateway *g)
{
	mutex_lock(&g->lock);
	struct engine_node *node = g->node;
	g->node = NULL;
	while (g->n_users > 0)
		cond_wait(&g->changed, &g->lock);
	scoped(cancel_unrefp) struct cancel *dials = cancel_ref(g->dials);
	mutex_unlock(&g->lock);

	/* Connect functions under way would be waited for. */
	if (dials)
		cancel_fire(dials);
	engine_node_stop(node);
}

/* Says that nobody leads; the watch would see it a moment later only. */
static void forget_leader(struct gateway *g)
{
	mutex_lock(&g->lock);
	bool is_changed = !str_is_empty(g->leader);
	free(g->leader);
	g->leader = xstrdup("");
	g->is_self = false;
	free(g->noted);
	g->noted = NULL;
	g->leaderless_since = date_monotonic();
	cond_broadcast(&g->changed);
	mutex_unlock(&g->lock);

	if (is_changed && g->options.leader_changed)
		g->options.leader_changed(g->options.arg, "", false);
}

static int move_data(struct gateway *g, enum gateway_data data)
{
	int r = 0;

	switch (data) {
	case GATEWAY_KEEP:
		break;
	case GATEWAY_ASIDE:
		r = tree_remove(g->old, 0);
		if (r == 0 && rename(g->global, g->old) < 0)
			r = -errno;
		break;
	case GATEWAY_RESTORE:
		r = tree_remove(g->global, 0);
		if (r == 0 && rename(g->old, g->global) < 0)
			r = -errno;
		break;
	case GATEWAY_WIPE:
		r = tree_remove(g->global, 0);
		break;
	}
	if (r == 0 && data != GATEWAY_KEEP)
		r = file_sync_parent(g->global);

	return r;
}

int gateway_restart(struct gateway *g, enum gateway_data data, const struct db_local_raft *identity,
                    const struct raft_node *nodes, size_t n_nodes, struct error **err)
{
	stop_node(g);
	forget_leader(g);

	/* Going back is complete with the directory, going forth with the identity. */
	int r = data == GATEWAY_RESTORE && identity
	                ? db_local_set_raft(g->options.local, identity, err)
	                : 0;
	if (r < 0)
		return r;
	r = move_data(g, data);
	if (r < 0)
		return error_set_errno(err, r, "Failed moving \"%s\"", g->global);
	if (data != GATEWAY_RESTORE && identity) {
		r = db_local_set_raft(g->options.local, identity, err);
		if (r < 0)
			return r;
	}

	r = start_node(g, nodes, n_nodes, err);
	/* The old node's rows and log lie between what lives on. */
	malloc_trim(0);

	return r;
}

void gateway_drop_old(struct gateway *g)
{
	int r = tree_remove(g->old, 0);

	if (r < 0)
		log_warn("Failed removing \"%s\": %s", g->old, strerror(-r));
}

/* --- Who leads --- */

/* Asks the node; "" if it knows nobody. Keeps '*conn' open for the next time. */
static char *ask_node(struct gateway *g, struct db_conn **conn)
{
	scoped(error_freep) struct error *err = NULL;
	int64_t deadline = date_deadline(WATCH_ASK_MS);

	if (!*conn) {
		int fd = connect_local(g);
		if (fd < 0 || db_conn_open(fd, deadline, conn, &err) < 0)
			return xstrdup("");
	}

	uint64_t id = 0;
	char *address = NULL;
	if (db_conn_leader(*conn, deadline, &id, &address, &err) < 0) {
		db_conn_free(TAKE_PTR(*conn));
		return xstrdup("");
	}

	return address ? address : xstrdup("");
}

static bool is_voter(struct gateway *g) REQUIRES(g->lock)
{
	const struct raft_node *node = raft_nodes_by_id(g->nodes, g->n_nodes, g->id);

	return node && node->role == ROLE_VOTER;
}

/* Takes over what the node said; calls back if that is news. Returns whether somebody leads. */
static bool take_answer(struct gateway *g, const char *answer)
{
	bool is_news = false;
	scoped_free char *leader = NULL;

	mutex_lock(&g->lock);
	/* A node that is no voter never knows; the leader's heartbeats tell. */
	if (str_is_empty(answer) && !is_voter(g) && g->noted)
		answer = g->noted;
	bool is_self = !str_is_empty(answer) && str_equals(answer, g->address);
	if (!str_equals(g->leader, answer)) {
		is_news = true;
		free(g->leader);
		g->leader = xstrdup(answer);
		g->is_self = is_self;
		g->leaderless_since = date_monotonic();
		cond_broadcast(&g->changed);
	}
	leader = xstrdup(g->leader);
	mutex_unlock(&g->lock);

	if (is_news && g->options.leader_changed)
		g->options.leader_changed(g->options.arg, leader, is_self);

	return !str_is_empty(leader);
}

/* Returns whether somebody leads. Answers are taken over in the order of the questions. */
static bool look(struct gateway *g, struct db_conn **conn)
{
	mutex_lock(&g->asking);
	scoped_free char *answer = ask_node(g, conn);
	bool is_led = take_answer(g, answer);
	mutex_unlock(&g->asking);

	return is_led;
}

/* A voter that hears heartbeats but has seen no leader for a minute: raft gave up in it. */
static bool is_stuck(struct gateway *g)
{
	int64_t now = date_monotonic();

	mutex_lock(&g->lock);
	bool is_so = g->node && str_is_empty(g->leader) && is_voter(g) && g->noted &&
	             now - g->noted_at < HEARD_RECENTLY_MS &&
	             now - g->leaderless_since > LEADERLESS_MAX_MS;
	mutex_unlock(&g->lock);

	return is_so;
}

void gateway_look(struct gateway *g)
{
	scoped(db_conn_freep) struct db_conn *conn = NULL;

	(void)look(g, &conn);
}

/* How long who leads may go unasked. */
static int64_t watch_pause(struct gateway *g, bool is_led)
{
	mutex_lock(&g->lock);
	bool is_alone = g->is_self && g->n_nodes == 1;
	mutex_unlock(&g->lock);

	if (!is_led)
		return WATCH_LEADERLESS_MS;
	return is_alone ? WATCH_ALONE_MS : WATCH_LED_MS;
}

static void *watch_run(void *arg)
{
	struct gateway *g = arg;
	struct db_conn *conn = NULL;

	for (;;) {
		bool is_led = look(g, &conn);

		if (is_stuck(g)) {
			scoped(error_freep) struct error *err = NULL;

			log_warn("The database node sees no leader for a minute: starting it anew");
			db_conn_free(TAKE_PTR(conn));
			if (gateway_restart(g, GATEWAY_KEEP, NULL, NULL, 0, &err) < 0)
				log_error("%s", err->msg);
		}

		int64_t deadline = date_deadline(watch_pause(g, is_led));
		mutex_lock(&g->lock);
		while (!g->is_stopping && !g->is_kicked &&
		       thread_cond_wait_until(&g->changed, &g->lock, deadline))
			;
		bool is_stopping = g->is_stopping;
		g->is_kicked = false;
		mutex_unlock(&g->lock);
		if (is_stopping)
			break;
	}
	db_conn_free(conn);

	return NULL;
}

char *gateway_leader(struct gateway *g)
{
	mutex_lock(&g->lock);
	char *leader = xstrdup(str_or_empty(g->leader));
	mutex_unlock(&g->lock);

	return leader;
}

bool gateway_is_leader(struct gateway *g)
{
	mutex_lock(&g->lock);
	bool is_self = g->is_self;
	mutex_unlock(&g->lock);

	return is_self;
}

bool gateway_is_led(struct gateway *g)
{
	mutex_lock(&g->lock);
	bool is_led = !str_is_empty(g->leader);
	mutex_unlock(&g->lock);

	return is_led;
}

bool gateway_is_leader_now(struct gateway *g)
{
	if (!gateway_is_leader(g))
		gateway_look(g);

	return gateway_is_leader(g);
}

void gateway_note_leader(struct gateway *g, const char *address)
{
	mutex_lock(&g->lock);
	if (!str_equals(g->noted, address)) {
		free(g->noted);
		g->noted = xstrdup(address);
		g->is_kicked = true;
		cond_broadcast(&g->changed);
	}
	g->noted_at = date_monotonic();
	mutex_unlock(&g->lock);
}

int gateway_wait_leader(struct gateway *g, unsigned timeout_ms, char **ret_address,
                        struct error **err)
{
	int64_t deadline = date_deadline(timeout_ms);
	bool is_in_time = true;

	mutex_lock(&g->lock);
	while (str_is_empty(g->leader) && !g->is_stopping && is_in_time)
		is_in_time = thread_cond_wait_until(&g->changed, &g->lock, deadline);
	char *leader = str_is_empty(g->leader) ? NULL : xstrdup(g->leader);
	mutex_unlock(&g->lock);
	if (!leader) {
		(void)error_set(err, 503, "No member leads the cluster at the moment");
		return -ETIMEDOUT;
	}

	*ret_address = leader;
	return 0;
}

/* --- Rows --- */

int gateway_set_nodes(struct gateway *g, const struct raft_node *nodes, size_t n_nodes,
                      struct error **err)
{
	scoped_free struct db_local_raft_node *rows = xcalloc(n_nodes ? n_nodes : 1, sizeof(*rows));

	for (size_t i = 0; i < n_nodes; i++) {
		rows[i].id = nodes[i].id;
		rows[i].address = nodes[i].address;
		rows[i].name = nodes[i].name;
		rows[i].role = (int)nodes[i].role;
	}

	int r = db_local_replace_raft_nodes(g->options.local, rows, n_nodes, err);
	if (r < 0)
		return r;

	scoped(db_local_raft_done) struct db_local_raft raft = { 0 };
	r = db_local_get_raft(g->options.local, &raft, err);
	if (r < 0)
		return r;

	return load_nodes(g, &raft, err);
}

void gateway_nodes(struct gateway *g, struct raft_node **ret_nodes, size_t *ret_n_nodes)
{
	mutex_lock(&g->lock);
	struct raft_node *nodes = xcalloc(g->n_nodes ? g->n_nodes : 1, sizeof(*nodes));
	for (size_t i = 0; i < g->n_nodes; i++) {
		nodes[i] = g->nodes[i];
		nodes[i].address = xstrdup(g->nodes[i].address);
		nodes[i].name = xstrdup(str_or_empty(g->nodes[i].name));
	}
	*ret_nodes = nodes;
	*ret_n_nodes = g->n_nodes;
	mutex_unlock(&g->lock);
}

uint64_t gateway_id(struct gateway *g)
{
	mutex_lock(&g->lock);
	uint64_t id = g->id;
	mutex_unlock(&g->lock);

	return id;
}

char *gateway_address(struct gateway *g)
{
	mutex_lock(&g->lock);
	char *address = xstrdup(str_or_empty(g->address));
	mutex_unlock(&g->lock);

	return address;
}

/* --- Making and ending --- */

int gateway_new(const struct gateway_options *options, struct gateway **ret_gateway,
                struct error **err) NO_LOCK_CHECK
{
	scoped(gateway_freep) struct gateway *g = xcalloc(1, sizeof(*g));

	mutex_init(&g->asking);
	mutex_init(&g->lock);
	cond_init(&g->changed);
	g->options = *options;
	g->dir = xstrdup(options->dir);
	g->options.dir = g->dir;
	g->global = path_join(options->dir, "global", NULL);
	g->old = path_join(options->dir, "global.old", NULL);
	g->ops = (struct db_ops){ .dial = ops_dial, .candidates = ops_candidates };
	g->finder = db_leader_new(&g->ops, g);
	g->leader = xstrdup("");

	int r = file_make_dirs(g->global, 0700);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", g->global);
	r = start_node(g, NULL, 0, err);
	if (r < 0)
		return error_wrap(err, "Failed starting the database node");

	*ret_gateway = TAKE_PTR(g);
	return 0;
}

int gateway_watch(struct gateway *g, struct error **err)
{
	int r = thread_start(&g->watch, "leader-watch", 0, watch_run, g);
	if (r < 0)
		return error_set_errno(err, r, "Failed starting a thread");

	g->has_watch = true;
	return 0;
}

void gateway_stop(struct gateway *g)
{
	mutex_lock(&g->lock);
	g->is_stopping = true;
	cond_broadcast(&g->changed);
	mutex_unlock(&g->lock);

	if (g->has_watch)
		pthread_join(g->watch, NULL);
	g->has_watch = false;
	stop_node(g);
}

void gateway_free(struct gateway *g) NO_LOCK_CHECK
{
	if (!g)
		return;

	gateway_stop(g);
	db_leader_free(g->finder);
	for (size_t i = 0; i < g->downs.n_items; i++)
		free(g->downs.items[i].address);
	ARRAY_DONE(&g->downs);
	raft_nodes_free(g->nodes, g->n_nodes);
	cancel_unref(g->dials);
	free(g->address);
	free(g->leader);
	free(g->noted);
	free(g->global);
	free(g->old);
	free(g->dir);
	cond_done(&g->changed);
	mutex_done(&g->lock);
	mutex_done(&g->asking);
	free(g);
}
