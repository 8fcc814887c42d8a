#include "daemon/member/member_sizes.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "cluster/connect.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/data/jv.h"

#define BUDGET_MS 1500 /* For all members together. */
#define BUDGET_MAX_MS 10000
#define ANSWER_MS 1000 /* Beside the budget. */

static int64_t size_here(struct state *state, const char *project, const char *name,
                         int64_t deadline)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	struct storage_instance storage;
	uint64_t bytes = 0;

	int r = instance_load(state, project, name, &inst, &ignored);
	if (r == 0)
		r = instance_storage(inst, &storage, &ignored);
	if (r == 0)
		r = storage_instance_size(state, &storage, deadline, &bytes);

	return r < 0 ? -1 : (int64_t)bytes;
}

int member_sizes_local(struct state *state, struct json_object *body,
                       struct json_object **ret_answer, struct error **err)
{
	struct json_object *list = jv_member(body, "instances");
	int64_t ms = 0;

	int r = jv_get_int(body, "ms", &ms, err);
	if (r < 0)
		return r;
	if (!json_object_is_type(list, json_type_array) || ms < 0 || ms > BUDGET_MAX_MS)
		return error_set(err, 400, "Invalid question for sizes");

	struct json_object *answer = jv_object();
	struct json_object *bytes = jv_array();
	int64_t deadline = date_deadline(ms);
	for (size_t i = 0; i < jv_len(list); i++) {
		const char *project = jv_string(jv_item(jv_item(list, i), 0));
		const char *name = jv_string(jv_item(jv_item(list, i), 1));

		jv_add_int(bytes, project && name ? size_here(state, project, name, deadline) : -1);
	}
	jv_set_take(answer, "bytes", bytes);
	*ret_answer = answer;
	return 0;
}

static bool is_copied(const struct db_plan_step *step)
{
	return *step->source && *step->target && strcmp(step->source, step->target) != 0;
}

/* The question to the member that the step 'first' copies from, for all steps that do. */
static struct json_object *question(const struct db_plan_step *steps, size_t n_steps, size_t first,
                                    int64_t ms)
{
	struct json_object *body = jv_object();
	struct json_object *list = jv_array();

	for (size_t i = first; i < n_steps; i++) {
		struct json_object *pair;

		if (!is_copied(&steps[i]) || strcmp(steps[i].source, steps[first].source) != 0)
			continue;
		pair = jv_array();
		jv_add_string(pair, steps[i].project);
		jv_add_string(pair, steps[i].instance);
		jv_add_take(list, pair);
	}
	jv_set_take(body, "instances", list);
	jv_set_int(body, "ms", ms);
	return body;
}

static int ask(struct state *state, const char *member, struct json_object *body, int64_t ms,
               struct json_object **ret_answer, struct error **err)
{
	scoped_free char *here = state_member_name(state);

	if (strcmp(member, here) == 0)
		return member_sizes_local(state, body, ret_answer, err);

	const struct connect_call call = {
		.method = "POST",
		.path = "/internal/plans/sizes",
		.body = body,
		.timeout_ms = (int)(ms + ANSWER_MS),
	};
	return connect_call_member(state->cluster, member, &call, ret_answer, err);
}

static void keep(struct map *sizes, struct json_object *asked, struct json_object *bytes)
{
	for (size_t i = 0; i < jv_len(asked); i++) {
		scoped_free char *key = xasprintf("%s/%s", jv_string(jv_item(jv_item(asked, i), 0)),
		                                  jv_string(jv_item(jv_item(asked, i), 1)));
		int64_t n = json_object_get_int64(jv_item(bytes, i));
		uint64_t *size;

		if (n < 0 || i >= jv_len(bytes))
			continue;
		size = xmalloc(sizeof(*size));
		*size = (uint64_t)n;
		map_set(sizes, key, size);
	}
}

struct map *member_sizes_ask(struct state *state, const struct db_plan_step *steps, size_t n_steps)
{
	struct map *sizes = map_new(free);
	scoped(map_freep) struct map *asked = map_new(NULL);
	int64_t deadline = date_deadline(BUDGET_MS);

	for (size_t i = 0; i < n_steps; i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(jv_unrefp) struct json_object *body = NULL;
		scoped(jv_unrefp) struct json_object *answer = NULL;
		int64_t ms = date_left(deadline);

		if (!is_copied(&steps[i]) || !map_add(asked, steps[i].source, sizes))
			continue;
		body = question(steps, n_steps, i, ms);
		if (ask(state, steps[i].source, body, ms, &answer, &err) < 0) {
			log_info("Member \"%s\" does not say how large its instances are: %s",
			         steps[i].source, err->msg);
			continue;
		}
		keep(sizes, jv_member(body, "instances"), jv_member(answer, "bytes"));
	}
	return sizes;
}
