#include "daemon/instance/instance_peers.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/notify.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_json.h"
#include "lib/base/alloc.h"
#include "lib/base/map.h"
#include "lib/base/refs.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"
#include "lib/data/jv.h"

#define ANSWER_MS 5000
#define PATH "/internal/instances/running"

struct instance_peer_answer {
	struct refs refs;
	struct map *statuses; /* By id: struct running. */
};

struct running {
	enum instance_status status;
};

/* What is known of a member. */
struct peer {
	struct instance_peer_answer *answer; /* NULL: it did not. */
	uint64_t asked_at;                   /* The round that asked it last. */
};

struct instance_peers {
	struct mutex lock;
	struct cond asked;
	struct state *state;
	struct map *peers GUARDED; /* By name: struct peer. */
	char **wanted GUARDED;     /* For the next round. */
	uint64_t started GUARDED;  /* Number of the last round that began. */
	uint64_t finished GUARDED;
};

void instance_peers_unref(struct instance_peer_answer *answer)
{
	if (!answer || !refs_put(&answer->refs))
		return;

	map_free(answer->statuses);
	free(answer);
}

static void free_peer(void *arg)
{
	struct peer *peer = arg;

	instance_peers_unref(peer->answer);
	free(peer);
}

struct instance_peers *instance_peers_new(struct state *state) NO_LOCK_CHECK
{
	struct instance_peers *peers = xcalloc(1, sizeof(*peers));

	mutex_init(&peers->lock);
	cond_init(&peers->asked);
	peers->state = state;
	peers->peers = map_new(free_peer);
	return peers;
}

void instance_peers_free(struct instance_peers *peers) NO_LOCK_CHECK
{
	if (!peers)
		return;

	map_free(peers->peers);
	strv_free(peers->wanted);
	cond_done(&peers->asked);
	mutex_done(&peers->lock);
	free(peers);
}

static enum instance_status status_of_code(int64_t code)
{
	for (int status = INSTANCE_STOPPED; status <= INSTANCE_FROZEN; status++)
		if (instance_json_status((enum instance_status)status).code == code)
			return (enum instance_status)status;

	return INSTANCE_STOPPED;
}

static struct instance_peer_answer *read_answer(struct json_object *metadata)
{
	struct instance_peer_answer *answer;

	if (!json_object_is_type(metadata, json_type_object))
		return NULL;

	answer = xcalloc(1, sizeof(*answer));
	refs_init(&answer->refs);
	answer->statuses = map_new(free);
	JV_FOREACH (metadata, id, code) {
		struct running *running = xmalloc(sizeof(*running));

		running->status = status_of_code(json_object_get_int64(code));
		map_set(answer->statuses, id, running);
	}
	return answer;
}

static void store(struct instance_peers *peers, const char *name,
                  struct instance_peer_answer *answer_take, uint64_t number) REQUIRES(peers->lock)
{
	struct peer *peer = xcalloc(1, sizeof(*peer));

	*peer = (struct peer){ .answer = answer_take, .asked_at = number };
	map_set(peers->peers, name, peer);
}

/* Runs the next round for all who wait for it; called and returns with the lock held. */
static void lead(struct instance_peers *peers) REQUIRES(peers->lock)
{
	static const struct connect_call call = { .path = PATH, .timeout_ms = ANSWER_MS };
	scoped(error_freep) struct error *ignored = NULL;
	scoped(strv_freep) char **names = TAKE_PTR(peers->wanted);
	struct notify_answers answers = { 0 };
	uint64_t number = ++peers->started;

	mutex_unlock(&peers->lock);
	(void)notify_named(peers->state->cluster, names, NOTIFY_ALIVE, &call, &answers, &ignored);
	mutex_lock(&peers->lock);

	/* Who is offline, or no member any more, is not among the answers. */
	STRV_FOREACH (name, names)
		store(peers, name, NULL, number);
	for (size_t i = 0; i < answers.n_answers; i++)
		store(peers, answers.answers[i].member_name,
		      read_answer(answers.answers[i].metadata), number);
	peers->finished = number;
	cond_broadcast(&peers->asked);
	notify_answers_done(&answers);
}

void instance_peers_ask(struct instance_peers *peers, char *const *members,
                        struct instance_peer_answer **ret_answers)
{
	size_t n = 0;

	mutex_lock(&peers->lock);
	uint64_t number = peers->started + 1;
	STRV_FOREACH (name, members)
		strv_add_once(&peers->wanted, name);
	while (peers->finished < number) {
		if (peers->started == peers->finished)
			lead(peers);
		else
			cond_wait(&peers->asked, &peers->lock);
	}

	STRV_FOREACH (name, members) {
		const struct peer *peer = map_get(peers->peers, name);

		ret_answers[n] = peer ? peer->answer : NULL;
		if (ret_answers[n])
			refs_get(&ret_answers[n]->refs);
		n++;
	}
	mutex_unlock(&peers->lock);
}

enum instance_status instance_peers_status(const struct instance_peer_answer *answer,
                                           const char *id)
{
	const struct running *running = map_get(answer->statuses, id);

	return running ? running->status : INSTANCE_STOPPED;
}

static void add_running(const char *id, enum instance_status status, void *arg)
{
	jv_set_int(arg, id, instance_json_status(status).code);
}

struct json_object *instance_peers_answer(struct state *state)
{
	struct json_object *answer = jv_object();

	for (size_t i = 0; instance_drivers[i]; i++) {
		struct instance_engine *engine = instance_engine(state, instance_drivers[i]->type);

		if (engine)
			instance_drivers[i]->each_running(engine, add_running, answer);
	}
	return answer;
}
