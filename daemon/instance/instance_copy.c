#include "daemon/instance/instance_copy.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_send.h"
#include "daemon/instance/instance_snapshot.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"

struct copying {
	const struct instance *inst;
	const struct instance *source;
};

/* The rows of the snapshots that came along. */
static int write_snapshots(struct db_tx *tx, void *arg, struct error **err)
{
	const struct copying *copying = arg;
	size_t n = 0;
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(copying->source->view, copying->source->row->row.id, &n);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = instance_snapshot_copy_row(tx, copying->inst, &rows[i], err);
	return r;
}

static int copy_here(const struct instance *inst, struct operation *op,
                     const struct instance *source, const struct instance_filling *filling,
                     struct error **err)
{
	bool has_snapshots = !filling->snapshot && !filling->instance_only;
	scoped_free const char **names = has_snapshots ? instance_snapshot_names(source) : NULL;
	struct copying copying = { .inst = inst, .source = source };
	struct storage_instance from;
	struct storage_instance to;

	int r = instance_storage(source, &from, err);
	if (r == 0)
		r = instance_storage(inst, &to, err);
	if (r == 0)
		r = storage_instance_copy(inst->state, op, &to, &from, filling->snapshot, names,
		                          err);
	if (r == 0 && names && names[0])
		r = db_write(inst->state->db, write_snapshots, &copying, err);

	return r;
}

static int copy_from(const struct instance *inst, struct operation *op,
                     const struct instance *source, const struct instance_filling *filling,
                     struct error **err)
{
	bool is_alone = filling->snapshot || filling->instance_only;
	scoped_free const char **names = is_alone ? NULL : instance_snapshot_names(source);
	struct copying copying = { .inst = inst, .source = source };
	const struct instance_send send = {
		.project = source->row->row.project,
		.instance = source->row->row.name,
		.is_last = true,
		.snapshot = filling->snapshot,
		.is_alone = is_alone,
	};
	struct storage_instance to;
	unsigned long long bytes = 0;

	int r = instance_storage(inst, &to, err);
	if (r == 0)
		r = instance_send_receive(inst->state, op, source->row->row.member, &send, &to,
		                          &bytes, err);
	if (r == 0)
		r = storage_instance_adopt(inst->state, &to, names, err);
	if (r == 0 && names && names[0])
		r = db_write(inst->state->db, write_snapshots, &copying, err);

	return r;
}

int instance_copy_fill(const struct instance *inst, struct operation *op,
                       const struct instance_filling *filling, struct error **err)
{
	struct state *state = inst->state;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *source = NULL;
	scoped_free char *key = xasprintf("%s/%s", filling->project, filling->name);
	scoped_free char *here = state_member_name(state);

	/* One that is being made waits for others, which never wait for it: no order is needed. */
	int r = locks_take_shared(state->locks, LOCK_INSTANCE, key, operation_cancel_token(op),
	                          &lock, err);
	if (r == 0)
		r = instance_load(state, filling->project, filling->name, &source, err);
	if (r < 0)
		return r;
	if (strcmp(source->row->row.member, here) != 0)
		return copy_from(inst, op, source, filling, err);

	return copy_here(inst, op, source, filling, err);
}
