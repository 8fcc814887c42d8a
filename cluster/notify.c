#include "cluster/notify.h"

#include <stdlib.h>

#include "cluster/cluster_private.h"
#include "cluster/gateway.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"
#include "lib/data/jv.h"

struct round {
	struct mutex lock;
	struct cond done;
	size_t n_left GUARDED;
	struct cluster *cluster;
	const struct connect_call *call;
};

struct one_call {
	struct round *round;
	struct notify_answer *answer;
	struct json_object *body; /* A copy: json-c's counts are for one thread. */
};

void notify_answers_done(struct notify_answers *answers)
{
	for (size_t i = 0; i < answers->n_answers; i++) {
		struct notify_answer *a = &answers->answers[i];

		free(a->member_name);
		free(a->address);
		jv_unref(a->metadata);
		error_free(a->error);
	}
	free(answers->answers);
	*answers = (struct notify_answers){ 0 };
}

static void run_call(void *arg)
{
	struct one_call *one = arg;
	struct round *round = one->round;
	struct connect_call call = *round->call;

	call.body = one->body;
	(void)connect_call(round->cluster, one->answer->address, &call, &one->answer->metadata,
	                   &one->answer->error);

	mutex_lock(&round->lock);
	round->n_left--;
	cond_signal(&round->done);
	mutex_unlock(&round->lock);
}

static void run_calls(struct cluster *cluster, const struct connect_call *call,
                      struct notify_answers *answers)
{
	struct round round = { .lock = MUTEX_INIT,
		               .done = COND_INIT,
		               .cluster = cluster,
		               .call = call,
		               .n_left = answers->n_answers };
	scoped_free struct one_call *ones =
		xcalloc(answers->n_answers ? answers->n_answers : 1, sizeof(*ones));

	for (size_t i = 0; i < answers->n_answers; i++) {
		ones[i] = (struct one_call){ .round = &round,
			                     .answer = &answers->answers[i],
			                     .body = call->body ? jv_copy(call->body) : NULL };
	}
	/* The last one is made here; with a full pool, all are. */
	for (size_t i = 0; i < answers->n_answers; i++) {
		bool is_last = i + 1 == answers->n_answers;

		if (is_last || worker_submit(cluster->calls, run_call, &ones[i]) < 0)
			run_call(&ones[i]);
	}

	mutex_lock(&round.lock);
	while (round.n_left > 0)
		cond_wait(&round.done, &round.lock);
	mutex_unlock(&round.lock);

	for (size_t i = 0; i < answers->n_answers; i++)
		jv_unref(ones[i].body);
	cond_done(&round.done);
	mutex_done(&round.lock);
}

/* Those who are to be called; 503 if one of them is offline and must not be. */
static int choose(struct cluster *cluster, char *const *names, enum notify_policy policy,
                  struct notify_answers *ret_answers, struct error **err)
{
	scoped(member_list_unrefp) struct member_list *members = cluster_members(cluster);
	int64_t own_id = cluster_member_id(cluster);

	*ret_answers = (struct notify_answers){
		.answers = xcalloc(members->n_members ? members->n_members : 1,
		                   sizeof(struct notify_answer)),
	};
	for (size_t i = 0; i < members->n_members; i++) {
		const struct member *m = &members->members[i];

		if (m->id == own_id || m->state == MEMBER_PENDING)
			continue;
		if (names && !strv_contains(names, m->name))
			continue;
		if (!m->is_online && policy == NOTIFY_ALL)
			return error_set(err, 503, "Cluster member \"%s\" is offline", m->name);
		if (!m->is_online && policy == NOTIFY_ALIVE)
			continue;
		ret_answers->answers[ret_answers->n_answers++] =
			(struct notify_answer){ .member_id = m->id,
			                        .member_name = xstrdup(m->name),
			                        .address = xstrdup(m->address) };
	}

	return 0;
}

static bool is_allowed(struct cluster *cluster, enum notify_policy policy,
                       const struct notify_answer *answer)
{
	switch (policy) {
	case NOTIFY_ALL:
		return false;
	case NOTIFY_ALIVE:
		return gateway_is_marked_down(cluster->gateway, answer->address);
	case NOTIFY_TRY:
		return true;
	}

	return false;
}

static int notify(struct cluster *cluster, char *const *names, enum notify_policy policy,
                  const struct connect_call *call, struct notify_answers *ret_answers,
                  struct error **err)
{
	struct notify_answers answers = { 0 };
	int r = 0;

	if (cluster_is_enabled(cluster)) {
		r = choose(cluster, names, policy, &answers, err);
		if (r >= 0)
			run_calls(cluster, call, &answers);
		else
			notify_answers_done(&answers);
	}
	for (size_t i = 0; r >= 0 && i < answers.n_answers; i++) {
		const struct notify_answer *a = &answers.answers[i];

		if (a->error && !is_allowed(cluster, policy, a))
			r = error_set(err, a->error->status, "Member \"%s\": %s", a->member_name,
			              a->error->msg);
	}

	if (ret_answers)
		*ret_answers = answers;
	else
		notify_answers_done(&answers);
	return r;
}

int notify_members(struct cluster *cluster, enum notify_policy policy,
                   const struct connect_call *call, struct notify_answers *ret_answers,
                   struct error **err)
{
	return notify(cluster, NULL, policy, call, ret_answers, err);
}

int notify_named(struct cluster *cluster, char *const *names, enum notify_policy policy,
                 const struct connect_call *call, struct notify_answers *ret_answers,
                 struct error **err)
{
	static char *const nobody[] = { NULL };

	return notify(cluster, names ? names : nobody, policy, call, ret_answers, err);
}
