#include "daemon/instance/instance_remote.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/notify.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_peers.h"
#include "daemon/instance/instance_service.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define ANSWER_MS 5000

struct instance_remote {
	char *here;                    /* This member's name. */
	struct notify_answers answers; /* With parts; else: */
	char **members;
	struct instance_peer_answer **peers; /* Of 'members'. */
	uint32_t parts;
};

static void ask_parts(struct state *state, struct instance_remote *remote)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped_free char *path = xasprintf("/internal/instances/states?parts=%u", remote->parts);
	const struct connect_call call = {
		.path = path,
		.timeout_ms = ANSWER_MS,
	};

	(void)notify_named(state->cluster, remote->members, NOTIFY_ALIVE, &call, &remote->answers,
	                   &ignored);
}

struct instance_remote *instance_remote_new(struct state *state, char *const *members,
                                            uint32_t parts)
{
	struct instance_remote *remote = xcalloc(1, sizeof(*remote));

	remote->parts = parts;
	remote->here = state_member_name(state);
	STRV_FOREACH (name, members)
		if (strcmp(name, remote->here) != 0)
			strv_add(&remote->members, name);
	if (!remote->members || !state_is_clustered(state))
		return remote;

	if (parts) {
		ask_parts(state, remote);
	} else {
		remote->peers =
			xcalloc(strv_len(remote->members), sizeof(struct instance_peer_answer *));
		instance_peers_ask(state->instances->peers, remote->members, remote->peers);
	}
	return remote;
}

void instance_remote_free(struct instance_remote *remote)
{
	if (!remote)
		return;

	notify_answers_done(&remote->answers);
	for (size_t i = 0; remote->peers && remote->members[i]; i++)
		instance_peers_unref(remote->peers[i]);
	free(remote->peers);
	strv_free(remote->members);
	free(remote->here);
	free(remote);
}

/* What its member said of an instance, borrowed, or NULL. */
static struct json_object *answer_about(const struct instance_remote *remote,
                                        const struct instance *inst)
{
	for (size_t i = 0; i < remote->answers.n_answers; i++)
		if (strcmp(remote->answers.answers[i].member_name, inst->row->row.member) == 0)
			return jv_member(remote->answers.answers[i].metadata, inst->id);

	return NULL;
}

static bool is_here(const struct instance_remote *remote, const struct instance *inst)
{
	return strcmp(remote->here, inst->row->row.member) == 0;
}

static struct instance_status_name peer_status(const struct instance_remote *remote,
                                               const struct instance *inst)
{
	for (size_t i = 0; remote->members[i]; i++)
		if (strcmp(remote->members[i], inst->row->row.member) == 0 && remote->peers[i])
			return instance_json_status(
				instance_peers_status(remote->peers[i], inst->id));

	return instance_json_status_unknown();
}

struct instance_status_name instance_remote_status(const struct instance_remote *remote,
                                                   const struct instance *inst)
{
	if (is_here(remote, inst))
		return instance_json_status(instance_status(inst));
	if (remote->peers)
		return peer_status(remote, inst);

	struct json_object *answer = answer_about(remote, inst);
	if (!answer)
		return instance_json_status_unknown();

	int64_t code = jv_number(answer, "status_code");
	for (int status = INSTANCE_STOPPED; status <= INSTANCE_FROZEN; status++) {
		struct instance_status_name name =
			instance_json_status((enum instance_status)status);

		if (name.code == code)
			return name;
	}
	return instance_json_status_unknown();
}

struct json_object *instance_remote_state(const struct instance_remote *remote,
                                          const struct instance *inst)
{
	scoped(error_freep) struct error *ignored = NULL;
	struct json_object *state = NULL;

	if (is_here(remote, inst)) {
		(void)instance_json_state(inst, remote->parts, &state, &ignored);
		return state;
	}

	state = jv_member(answer_about(remote, inst), "state");
	return state ? jv_ref(state) : NULL;
}

struct answering {
	uint32_t parts;
	struct json_object *answer;
};

static void add_to_answer(const struct instance *inst, void *arg)
{
	const struct answering *a = arg;
	struct instance_status_name name = instance_json_status(instance_status(inst));
	struct json_object *obj = jv_object();
	struct json_object *shown = NULL;
	scoped(error_freep) struct error *ignored = NULL;

	jv_set_string(obj, "status", name.text);
	jv_set_int(obj, "status_code", name.code);
	if (a->parts && instance_json_state(inst, a->parts, &shown, &ignored) == 0)
		jv_set_take(obj, "state", shown);
	jv_set_take(a->answer, inst->id, obj);
}

int instance_remote_answer(struct state *state, uint32_t parts, struct json_object **ret_answer,
                           struct error **err)
{
	scoped(jv_unrefp) struct json_object *answer = jv_object();
	struct answering answering = { parts, answer };

	int r = instance_each_here(state, add_to_answer, &answering, err);
	if (r < 0)
		return r;

	*ret_answer = TAKE_PTR(answer);
	return 0;
}
