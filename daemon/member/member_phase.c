#include "daemon/member/member_phase.h"

#include <errno.h>
#include <string.h>

#include "cluster/plan.h"
#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_power.h"
#include "daemon/instance/instance_send.h"
#include "daemon/member/member_files.h"
#include "daemon/member/member_progress.h"
#include "daemon/storage/storage_transfer.h"
#include "db/plans.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/data/jv.h"

#define DEFAULT_TIMEOUT_S 30

static const char *const verb_names[] = {
	[MEMBER_RECEIVE] = "receive", [MEMBER_PAUSE] = "pause", [MEMBER_RESUME] = "resume",
	[MEMBER_START] = "start",     [MEMBER_STOP] = "stop",   [MEMBER_CLEAN] = "clean",
	[MEMBER_ABORT] = "abort",
};
static_assert(COUNT_OF(verb_names) == N_MEMBER_VERBS, "a name for each verb");

struct json_object *member_phase_json(const struct member_phase *phase)
{
	struct json_object *obj = jv_object();

	jv_set_string(obj, "verb", verb_names[phase->verb]);
	jv_set_string(obj, "plan", phase->plan);
	jv_set_int(obj, "plan_id", phase->plan_id);
	jv_set_int(obj, "term", phase->term);
	jv_set_int(obj, "ordinal", phase->ordinal);
	jv_set_int(obj, "instance_id", phase->instance_id);
	jv_set_string(obj, "project", phase->project);
	jv_set_string(obj, "instance", phase->instance);
	jv_set_int(obj, "epoch", phase->epoch);
	jv_set_string(obj, "source", phase->source);
	jv_set_string(obj, "target", phase->target);
	jv_set_bool(obj, "must_run", phase->must_run);
	jv_set_int(obj, "pass", phase->pass);
	jv_set_bool(obj, "last", phase->is_last);
	jv_set_bool(obj, "refresh", phase->is_refresh);
	jv_set_int(obj, "bandwidth", phase->bandwidth);
	return obj;
}

int member_phase_parse(struct json_object *body, struct member_phase *ret_phase, struct error **err)
{
	struct member_phase phase = { 0 };
	const char *verb = NULL;
	int r = jv_need_string(body, "verb", &verb, err);

	if (r == 0)
		r = jv_need_string(body, "plan", &phase.plan, err);
	if (r == 0)
		r = jv_need_string(body, "project", &phase.project, err);
	if (r == 0)
		r = jv_need_string(body, "instance", &phase.instance, err);
	if (r < 0)
		return r;

	phase.plan_id = jv_number(body, "plan_id");
	phase.term = jv_number(body, "term");
	phase.ordinal = jv_number(body, "ordinal");
	phase.instance_id = jv_number(body, "instance_id");
	phase.epoch = jv_number(body, "epoch");
	phase.source = jv_text(body, "source");
	phase.target = jv_text(body, "target");
	phase.must_run = jv_flag(body, "must_run");
	phase.pass = jv_number(body, "pass");
	phase.is_last = jv_flag(body, "last");
	phase.is_refresh = jv_flag(body, "refresh");
	phase.bandwidth = jv_number(body, "bandwidth");
	for (size_t i = 0; i < COUNT_OF(verb_names); i++) {
		if (strcmp(verb, verb_names[i]) != 0)
			continue;
		phase.verb = (enum member_verb)i;
		*ret_phase = phase;
		return 0;
	}
	return error_set(err, 400, "Unknown verb \"%s\"", verb);
}

static int check_term(struct db_tx *tx, void *arg, struct error **err)
{
	const struct member_phase *phase = arg;

	return db_plan_check_term(tx, phase->plan_id, phase->term, err);
}

static bool removes(enum member_verb verb)
{
	return verb == MEMBER_CLEAN || verb == MEMBER_ABORT;
}

/* Whether the instance is where this verb supposes it, in the epoch that the coordinator knows. */
static int check_place(const struct instance *inst, const struct member_phase *phase,
                       const char *here, struct error **err)
{
	const struct db_instance *row = &inst->row->row;
	bool is_here = strcmp(row->member, here) == 0;
	bool wants_here = phase->verb != MEMBER_RECEIVE && !removes(phase->verb);

	if (row->id != phase->instance_id)
		return error_set(err, 409, "Instance \"%s\" is another one since", row->name);
	if (row->epoch != phase->epoch)
		return error_set(err, 409, "Instance \"%s\" has moved since: epoch %lld, not %lld",
		                 row->name, (long long)row->epoch, (long long)phase->epoch);
	if (is_here != wants_here)
		return error_set(err, 409, "Instance \"%s\" is on member \"%s\"", row->name,
		                 row->member);

	return 0;
}

static int stop_timeout(const struct instance *inst)
{
	int timeout = DEFAULT_TIMEOUT_S;
	const char *value = instance_conf_get(&inst->row->config, "boot.host_shutdown_timeout");

	return value && parse_int(value, &timeout) == 0 ? timeout : DEFAULT_TIMEOUT_S;
}

/* Orderly, and by force when that takes too long; it stays one that is to run. */
static int pause_here(const struct instance *inst, struct json_object *answer, struct error **err)
{
	int64_t start = date_monotonic();
	scoped(error_freep) struct error *first = NULL;

	if (instance_is_running(inst) &&
	    instance_power_stop(inst, NULL, stop_timeout(inst), false, true, &first) < 0) {
		log_info("Instance \"%s\" does not stop by itself (%s)", inst->row->row.name,
		         first->msg);
		if (instance_is_running(inst)) {
			int r = instance_power_stop(inst, NULL, 0, true, true, err);
			if (r < 0)
				return r;
		}
	}

	jv_set_int(answer, "ms", date_monotonic() - start);
	return 0;
}

static int start_here(const struct instance *inst, const struct member_phase *phase,
                      struct error **err)
{
	if (instance_is_running(inst) || !phase->must_run)
		return 0;

	return instance_power_start_moved(inst, err);
}

static int remove_here(struct state *state, const struct instance *inst,
                       const struct member_phase *phase, struct error **err)
{
	struct storage_instance storage;

	int r = instance_storage(inst, &storage, err);
	if (r < 0)
		return r;

	storage.files_only = true;
	if (phase->verb != MEMBER_CLEAN)
		return storage_transfer_abort(state, &storage, true, err);

	r = storage_instance_delete(state, NULL, &storage, err);
	if (r == 0)
		r = storage_transfer_abort(state, &storage, false, err);
	return r;
}

static int receive_here(struct state *state, const struct instance *inst,
                        const struct member_phase *phase, struct json_object *answer,
                        struct error **err)
{
	struct instance_send send = {
		.project = (char *)(uintptr_t)phase->project,
		.instance = (char *)(uintptr_t)phase->instance,
		.pass = (unsigned)phase->pass,
		.is_last = phase->is_last,
		.is_refresh = phase->is_refresh,
		.bandwidth = (unsigned long long)phase->bandwidth,
	};
	unsigned long long bytes = 0;
	struct storage_instance storage;

	/* What an earlier attempt has left would be taken for a volume of that name. */
	if (phase->pass == 0 && !phase->is_refresh) {
		int r = remove_here(state, inst, phase, err);
		if (r < 0)
			return r;
	}

	scoped(member_progress_receivedp) struct member_receipt *receipt =
		member_progress_receive(state, phase);
	send.live = member_progress_bytes(receipt);
	int r = instance_storage(inst, &storage, err);
	if (r == 0)
		r = instance_send_receive(state, NULL, phase->source, &send, &storage, &bytes, err);
	if (r == 0)
		jv_set_int(answer, "bytes", (int64_t)bytes);

	return r;
}

static int run_verb(struct state *state, const struct instance *inst,
                    const struct member_phase *phase, struct json_object *answer,
                    struct error **err)
{
	switch (phase->verb) {
	case MEMBER_RECEIVE:
		return receive_here(state, inst, phase, answer, err);
	case MEMBER_PAUSE:
	case MEMBER_STOP:
		return pause_here(inst, answer, err);
	case MEMBER_RESUME:
	case MEMBER_START:
		return start_here(inst, phase, err);
	case MEMBER_CLEAN:
	case MEMBER_ABORT:
		return remove_here(state, inst, phase, err);
	case N_MEMBER_VERBS:
		break;
	}
	return error_set(err, 400, "Unknown verb");
}

static int run_on_instance(struct state *state, const struct member_phase *phase,
                           struct json_object *answer, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *here = state_member_name(state);

	int r = instance_load(state, phase->project, phase->instance, &inst, err);
	if (r == -ENOENT && removes(phase->verb)) {
		/* Deleted or renamed since; what is here by this name is nobody's. */
		error_clear(err);
		return member_files_remove(state, phase->project, phase->instance, err);
	}
	if (r == 0)
		r = check_place(inst, phase, here, err);

	return r < 0 ? r : run_verb(state, inst, phase, answer, err);
}

int member_phase_run(struct state *state, const struct member_phase *phase,
                     struct json_object **ret_answer, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(jv_unrefp) struct json_object *answer = jv_object();
	scoped_free char *key = xasprintf("%s/%s", phase->project, phase->instance);

	int r = locks_take(state->locks, LOCK_INSTANCE, key, NULL, &lock, err);
	if (r == 0)
		r = db_read(state->db, check_term, (void *)(uintptr_t)phase, err);
	if (r == 0)
		r = FAILPOINT("phase.before", verb_names[phase->verb],
		              "Before a member does what a plan asks of it", err);
	if (r == 0)
		r = run_on_instance(state, phase, answer, err);
	if (r == 0)
		r = FAILPOINT("phase.after", verb_names[phase->verb],
		              "When a member has done it and says so", err);
	if (r < 0)
		return r;

	*ret_answer = TAKE_PTR(answer);
	return 0;
}
