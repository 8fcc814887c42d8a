/*
 * Who is alive.
 *
 * The leader, and nobody else, calls every member and tells it what it knows of all the others; so
 * there is one opinion of who is offline, not N. A member is offline when its last answer is older
 * than 'cluster.offline_threshold', which is two rounds: a single lost packet evacuates nobody. It
 * is suspect as soon as a connection to it breaks, which makes the leader look at once and others
 * fail fast, but nothing more.
 *
 * What is told is a digest: the session of the leader and the generation of its list. The list
 * itself goes only to those who have another generation, so a round in a cluster where nothing
 * happens is a few hundred bytes for each member, and neither side touches a database.
 */
#include "cluster/heartbeat.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/gateway.h"
#include "cluster/heartbeat_private.h"
#include "cluster/member_state.h"
#include "cluster/rebalance.h"
#include "cluster/rebalance_private.h"
#include "cluster/trust.h"
#include "db/schema.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"

#define TICK_MS 1000
#define CALL_TIMEOUT_MS 2000
#define SUSPECT_PAUSE_MS 1000 /* Between looks that suspicion asks for. */
#define SKEW_MAX (5 * DATE_SECOND)

/* What the leader knows of a member. */
struct peer {
	int64_t id;
	int64_t answered_at; /* date_monotonic() */
	uint64_t generation; /* Of the list that it has, in this session. */
};

struct heartbeat {
	struct mutex lock;

	/* The leader's side. */
	ARRAY_OF(struct peer) peers GUARDED;
	char *session GUARDED; /* Made anew with each leadership. */
	uint64_t generation GUARDED;
	int64_t next_round GUARDED;
	int64_t next_suspicion GUARDED;
	bool is_requested GUARDED;
	bool is_new_leader GUARDED;

	/* The member's side. */
	char *heard_session GUARDED;
	uint64_t heard_generation GUARDED;
	bool is_skewed GUARDED;
};

struct heartbeat *heartbeat_new(void) NO_LOCK_CHECK
{
	struct heartbeat *h = xcalloc(1, sizeof(*h));

	mutex_init(&h->lock);
	h->session = random_hex(8);
	h->heard_session = xstrdup("");
	h->generation = 1;

	return h;
}

void heartbeat_free(struct heartbeat *h) NO_LOCK_CHECK
{
	if (!h)
		return;

	ARRAY_DONE(&h->peers);
	free(h->session);
	free(h->heard_session);
	mutex_done(&h->lock);
	free(h);
}

static int64_t threshold_ms(struct cluster *cluster)
{
	return cluster_setting(cluster, "cluster.offline_threshold") * 1000;
}

/* --- Lists as JSON --- */

static struct json_object *list_to_json(const struct member_list *list)
{
	struct json_object *array = jv_array();

	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];
		struct json_object *o = jv_object();

		jv_set_int(o, "id", m->id);
		jv_set_string(o, "name", m->name);
		jv_set_string(o, "address", m->address);
		jv_set_int(o, "state", m->state);
		jv_set_int(o, "role", m->role);
		jv_set_bool(o, "online", m->is_online);
		jv_set_bool(o, "suspect", m->is_suspect);
		jv_set_int(o, "last_heartbeat", m->last_heartbeat);
		jv_set_string(o, "architecture", m->architecture);
		jv_set_string(o, "failure_domain", m->failure_domain);
		jv_set_uint(o, "schema", m->schema);
		jv_set_uint(o, "api_extensions", m->n_api_extensions);
		jv_set_uint(o, "memory", m->memory);
		jv_set_uint(o, "cpus", m->n_cpus);
		jv_add_take(array, o);
	}

	return array;
}

static int list_of_json(struct json_object *array, const char *leader,
                        struct member_list **ret_list, struct error **err)
{
	size_t n = jv_len(array);
	if (n == 0)
		return error_set(err, 400, "Heartbeat without members");

	struct member_list *list = member_list_new(n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = jv_item(array, i);
		struct member *m = &list->members[i];
		int64_t state = jv_number(o, "state"), role = jv_number(o, "role");

		m->id = jv_number(o, "id");
		m->name = xstrdup(str_or_empty(jv_text(o, "name")));
		m->address = xstrdup(str_or_empty(jv_text(o, "address")));
		m->state = state == MEMBER_PENDING || state == MEMBER_EVACUATED
		                   ? (enum member_admin_state)state
		                   : MEMBER_CREATED;
		m->role = role == ROLE_VOTER || role == ROLE_STANDBY ? (enum role)role : ROLE_SPARE;
		m->is_leader = str_equals(m->address, leader);
		m->is_online = jv_flag(o, "online");
		m->is_suspect = jv_flag(o, "suspect");
		m->last_heartbeat = jv_number(o, "last_heartbeat");
		m->architecture = xstrdup(str_or_empty(jv_text(o, "architecture")));
		m->failure_domain = xstrdup(str_or_empty(jv_text(o, "failure_domain")));
		m->schema = (uint64_t)jv_number(o, "schema");
		m->n_api_extensions = (uint64_t)jv_number(o, "api_extensions");
		m->memory = (uint64_t)jv_number(o, "memory");
		m->n_cpus = (unsigned)jv_number(o, "cpus");
		if (m->id <= 0 || !*m->name || !*m->address) {
			member_list_unref(list);
			return error_set(err, 400, "Heartbeat with an incomplete member");
		}
	}

	*ret_list = list;
	return 0;
}

/* --- The member's side --- */

struct skew {
	struct cluster *cluster;
	char *message;
	bool is_skewed;
};

/* On a worker: the hook writes to the database, which no answer to a heartbeat may wait for. */
static void warn_of_skew(void *arg)
{
	struct skew *skew = arg;
	scoped_free char *name = cluster_member_name(skew->cluster);

	HOOK(skew->cluster, warning, "Time skew detected between leader and local", name,
	     skew->message, skew->is_skewed);
	free(skew->message);
	free(skew);
}

static void check_clock(struct cluster *cluster, int64_t leader_time)
{
	struct heartbeat *h = cluster->heartbeat;
	int64_t skew = date_now() - leader_time;
	bool is_skewed = leader_time != 0 && (skew > SKEW_MAX || skew < -SKEW_MAX);

	mutex_lock(&h->lock);
	bool is_news = is_skewed != h->is_skewed;
	h->is_skewed = is_skewed;
	mutex_unlock(&h->lock);
	if (!is_news)
		return;

	struct skew *skewed = xcalloc(1, sizeof(*skewed));
	skewed->cluster = cluster;
	skewed->is_skewed = is_skewed;
	skewed->message = xasprintf("The leader's clock and ours differ by %lld s",
	                            (long long)(skew / DATE_SECOND));
	if (is_skewed)
		log_warn("%s", skewed->message);
	if (worker_submit(cluster->jobs, warn_of_skew, skewed) < 0) {
		free(skewed->message);
		free(skewed);
	}
}

static void take_list(struct cluster *cluster, struct member_list *list)
{
	const struct member *own = member_list_by_id(list, cluster_member_id(cluster));

	if (own)
		cluster_set_name(cluster, own->name);
	cluster_store_nodes(cluster, list);
	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		if (m->is_online && !m->is_suspect)
			gateway_mark_up(cluster->gateway, m->address);
	}
	cluster_set_members_take(cluster, list);
}

int heartbeat_local_receive(struct cluster *cluster, struct json_object *digest,
                            struct json_object **ret_answer, struct error **err)
{
	struct heartbeat *h = cluster->heartbeat;
	const char *leader = jv_text(digest, "leader");
	const char *session = jv_text(digest, "session");
	uint64_t generation = (uint64_t)jv_number(digest, "generation");
	struct json_object *members = jv_member(digest, "members");
	struct member_list *list = NULL;

	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");
	if (str_is_empty(leader) || str_is_empty(session))
		return error_set(err, 400, "Heartbeat without a leader");
	/* After a transfer the new leader is often faster than the watch. */
	if (gateway_is_leader(cluster->gateway)) {
		gateway_look(cluster->gateway);
		if (gateway_is_leader(cluster->gateway))
			return error_set(err, 400, "This member leads the cluster");
	}
	if (members) {
		int r = list_of_json(members, leader, &list, err);
		if (r < 0)
			return r;
	}

	gateway_note_leader(cluster->gateway, leader);
	check_clock(cluster, jv_number(digest, "time"));

	mutex_lock(&h->lock);
	if (list) {
		free(h->heard_session);
		h->heard_session = xstrdup(session);
		h->heard_generation = generation;
	}
	bool is_behind =
		strcmp(h->heard_session, session) != 0 || h->heard_generation != generation;
	mutex_unlock(&h->lock);
	if (list) {
		trust_of_json(cluster, jv_member(digest, "trusted"));
		take_list(cluster, list);
	}

	scoped_free char *name = cluster_member_name(cluster);
	struct json_object *answer = jv_object();
	jv_set_string(answer, "name", name);
	jv_set_int(answer, "time", date_now());
	jv_set_bool(answer, "behind", is_behind);
	jv_set_int(answer, "schema", db_schema_version());
	jv_set_uint(answer, "api_extensions", cluster->n_api_extensions);
	jv_set_uint(answer, "memory", member_state_memory());
	jv_set_uint(answer, "cpus", member_state_cpus());
	*ret_answer = answer;

	return 0;
}

/* --- The leader's side --- */

static struct peer *find_peer(struct heartbeat *h, int64_t id) REQUIRES(h->lock)
{
	for (size_t i = 0; i < h->peers.n_items; i++) {
		if (h->peers.items[i].id == id)
			return &h->peers.items[i];
	}

	/* A member that this leader has not called yet gets its time from now on. */
	return ARRAY_ADD(&h->peers, (struct peer){ .id = id, .answered_at = date_monotonic() });
}

struct beat {
	struct cluster *cluster;
	const struct member *member;
	const char *session;
	uint64_t generation;
	struct json_object *digest;  /* Without the list. */
	struct json_object *members; /* The list, for those who lack it. */
	bool is_behind;              /* Known to have another list. */
	bool is_answered;
	uint64_t memory; /* As it answered. */
	unsigned n_cpus;
	struct mutex *lock;
	struct cond *done;
	size_t *n_left;
};

static int call_member(struct beat *b, bool is_full)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(http_client_unrefp) struct http_client *client = NULL;
	scoped(jv_unrefp) struct json_object *answer = NULL;
	bool is_reached = false;

	if (is_full)
		jv_set_take(b->digest, "members", jv_ref(b->members));
	if (is_full)
		jv_set_take(b->digest, "trusted", trust_to_json(b->cluster));
	const struct connect_call call = { .method = "PUT",
		                           .path = "/internal/database",
		                           .body = b->digest,
		                           .timeout_ms = CALL_TIMEOUT_MS };

	int r = connect_client(b->cluster, b->member->address, &client, &err);
	if (r >= 0)
		r = connect_do(client, &call, &is_reached, &answer, &err);
	if (is_reached)
		gateway_mark_up(b->cluster->gateway, b->member->address);
	else
		gateway_mark_down(b->cluster->gateway, b->member->address);
	if (r < 0) {
		log_debug("Heartbeat to \"%s\" failed: %s", b->member->name, err->msg);
		return r;
	}

	struct json_object *said = jv_member(answer, "metadata");
	b->memory = (uint64_t)jv_number(said, "memory");
	b->n_cpus = (unsigned)jv_number(said, "cpus");
	return jv_flag(said, "behind");
}

static void run_beat(void *arg)
{
	struct beat *b = arg;
	int r = call_member(b, b->is_behind);

	if (r > 0)
		r = call_member(b, true);
	b->is_answered = r >= 0;

	mutex_lock(b->lock);
	(*b->n_left)--;
	cond_signal(b->done);
	mutex_unlock(b->lock);
}

/* Calls all but this one; returns who answered. */
static void call_all(struct cluster *cluster, const struct member_list *list, struct beat *beats,
                     size_t *ret_n_beats)
{
	struct heartbeat *h = cluster->heartbeat;
	struct mutex lock = MUTEX_INIT;
	struct cond done = COND_INIT;
	scoped_free char *own = cluster_member_address(cluster);
	int64_t own_id = cluster_member_id(cluster);
	size_t n = 0;

	mutex_lock(&h->lock);
	scoped_free char *session = xstrdup(h->session);
	uint64_t generation = h->generation;
	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		if (m->id == own_id || m->state == MEMBER_PENDING)
			continue;
		beats[n++] =
			(struct beat){ .cluster = cluster,
			               .member = m,
			               .is_behind = find_peer(h, m->id)->generation != generation,
			               .lock = &lock,
			               .done = &done };
	}
	mutex_unlock(&h->lock);

	/* Each call has JSON of its own, since json-c's counts are for one thread. */
	size_t n_left = n;
	for (size_t i = 0; i < n; i++) {
		struct json_object *digest = jv_object();

		jv_set_string(digest, "leader", own);
		jv_set_string(digest, "session", session);
		jv_set_uint(digest, "generation", generation);
		jv_set_int(digest, "time", date_now());
		beats[i].digest = digest;
		beats[i].members = list_to_json(list);
		beats[i].n_left = &n_left;
	}
	for (size_t i = 0; i < n; i++) {
		bool is_last = i + 1 == n;

		if (is_last || worker_submit(cluster->beats, run_beat, &beats[i]) < 0)
			run_beat(&beats[i]);
	}
	mutex_lock(&lock);
	while (n_left > 0)
		cond_wait(&done, &lock);
	mutex_unlock(&lock);

	mutex_lock(&h->lock);
	for (size_t i = 0; i < n; i++) {
		if (beats[i].is_answered && strcmp(h->session, session) == 0) {
			struct peer *peer = find_peer(h, beats[i].member->id);

			peer->answered_at = date_monotonic();
			peer->generation = generation;
		}
		jv_unref(beats[i].digest);
		jv_unref(beats[i].members);
	}
	mutex_unlock(&h->lock);
	cond_done(&done);
	mutex_done(&lock);
	*ret_n_beats = n;
}

/* Whether 'm' answered in this round; 'is_called' tells whether it was asked. */
static bool has_answered(const struct beat *beats, size_t n_beats, int64_t id, bool *ret_is_called)
{
	for (size_t i = 0; i < n_beats; i++) {
		if (beats[i].member->id == id) {
			*ret_is_called = true;
			return beats[i].is_answered;
		}
	}
	*ret_is_called = false;

	return false;
}

/* What a round (or the clock alone, without beats) found out. */
struct findings {
	struct cluster *cluster;
	const struct beat *beats;
	size_t n_beats;
	int64_t own_id;
	int64_t threshold_ms;
};

/* How large the member is, as it says itself. */
static void take_size(struct member *m, const struct findings *f)
{
	if (m->id == f->own_id) {
		m->memory = member_state_memory();
		m->n_cpus = member_state_cpus();
	}
	for (size_t i = 0; i < f->n_beats; i++) {
		if (f->beats[i].member->id != m->id || !f->beats[i].is_answered)
			continue;
		m->memory = f->beats[i].memory;
		m->n_cpus = f->beats[i].n_cpus;
	}
}

static struct member_list *apply_findings(const struct member_list *now, void *arg)
{
	const struct findings *f = arg;
	struct heartbeat *h = f->cluster->heartbeat;
	struct member_list *after = member_list_copy(now);
	int64_t monotonic = date_monotonic();

	for (size_t i = 0; i < after->n_members; i++) {
		struct member *m = &after->members[i];
		bool is_called = false;

		if (m->id == f->own_id || has_answered(f->beats, f->n_beats, m->id, &is_called)) {
			m->last_heartbeat = date_now() / 1000000;
			m->is_online = true;
			m->is_suspect = false;
			take_size(m, f);
			continue;
		}

		mutex_lock(&h->lock);
		int64_t silence = monotonic - find_peer(h, m->id)->answered_at;
		mutex_unlock(&h->lock);
		m->is_suspect |= is_called;
		if (silence >= f->threshold_ms)
			m->is_online = false;
	}

	return after;
}

/* Publishes it; returns whether the others must be told. */
static bool take_round(struct cluster *cluster, const struct beat *beats, size_t n_beats)
{
	struct findings findings = {
		.cluster = cluster,
		.beats = beats,
		.n_beats = n_beats,
		.own_id = cluster_member_id(cluster),
		.threshold_ms = threshold_ms(cluster),
	};

	return cluster_update_members(cluster, apply_findings, &findings);
}

static void run_round(struct cluster *cluster)
{
	/* Once more if the round found out something; what that finds is for the next one. */
	for (int i = 0; i < 2; i++) {
		scoped(member_list_unrefp) struct member_list *list = cluster_members(cluster);
		scoped_free struct beat *beats =
			xcalloc(list->n_members ? list->n_members : 1, sizeof(*beats));
		size_t n_beats = 0;

		call_all(cluster, list, beats, &n_beats);
		if (!gateway_is_leader(cluster->gateway) || !take_round(cluster, beats, n_beats))
			break;
		rebalance_request(cluster);
	}
}

int heartbeat_leader_round(struct cluster *cluster, struct error **err)
{
	if (!cluster_is_enabled(cluster))
		return 0;
	if (!gateway_is_leader(cluster->gateway))
		return error_set(err, 503, "This member does not lead the cluster");

	int r = cluster_members_refresh(cluster, err);
	if (r < 0)
		return r;
	run_round(cluster);

	return 0;
}

void heartbeat_changed(struct cluster *cluster)
{
	struct heartbeat *h = cluster->heartbeat;

	mutex_lock(&h->lock);
	h->generation++;
	mutex_unlock(&h->lock);
}

void heartbeat_forget_list(struct cluster *cluster)
{
	struct heartbeat *h = cluster->heartbeat;

	mutex_lock(&h->lock);
	h->heard_generation = 0;
	mutex_unlock(&h->lock);
}

void heartbeat_leader_begin(struct cluster *cluster)
{
	struct heartbeat *h = cluster->heartbeat;

	mutex_lock(&h->lock);
	free(h->session);
	h->session = random_hex(8);
	h->generation = 1;
	h->peers.n_items = 0;
	h->is_new_leader = true;
	h->is_requested = true;
	mutex_unlock(&h->lock);
	cluster_wake(cluster, &cluster->beat);
}

void heartbeat_request(struct cluster *cluster)
{
	struct heartbeat *h = cluster->heartbeat;

	mutex_lock(&h->lock);
	h->is_requested = true;
	mutex_unlock(&h->lock);
	cluster_wake(cluster, &cluster->beat);
}

void heartbeat_suspect(struct cluster *cluster, const char *address)
{
	struct heartbeat *h = cluster->heartbeat;
	int64_t now = date_monotonic();

	gateway_mark_down(cluster->gateway, address);
	if (!gateway_is_leader(cluster->gateway))
		return;

	mutex_lock(&h->lock);
	bool is_due = now >= h->next_suspicion;
	if (is_due)
		h->next_suspicion = now + SUSPECT_PAUSE_MS;
	mutex_unlock(&h->lock);
	if (is_due)
		heartbeat_request(cluster);
}

int heartbeat_tick(struct cluster *cluster)
{
	struct heartbeat *h = cluster->heartbeat;
	scoped(error_freep) struct error *err = NULL;
	int64_t now = date_monotonic();

	if (!cluster_is_enabled(cluster) || !gateway_is_leader(cluster->gateway))
		return 0;

	int64_t pause = threshold_ms(cluster) / 2;
	mutex_lock(&h->lock);
	bool is_new_leader = h->is_new_leader, is_requested = h->is_requested;
	bool is_due = is_requested || now >= h->next_round;
	h->is_new_leader = h->is_requested = false;
	if (is_due)
		h->next_round = now + pause;
	mutex_unlock(&h->lock);

	if (is_due) {
		/* Rows that others have changed; without the database the round goes on as it is.
		 */
		if (cluster_members_refresh(cluster, &err) < 0)
			log_warn("Failed reading the members: %s", err->msg);
		run_round(cluster);
		/* Rounds that were asked for are no occasion: rebalancing asks for them. */
		if (is_new_leader || (!is_requested && rebalance_is_needed(cluster)))
			rebalance_request(cluster);
	} else if (take_round(cluster, NULL, 0)) {
		run_round(cluster);
		rebalance_request(cluster);
	}

	return 0;
}
