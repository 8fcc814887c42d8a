/* Copies of instances' volumes: the rows, and the work of storage_copy.c. */
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_copy.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "lib/base/date.h"
#include "lib/base/strv.h"

/* The source as a volume: of the instance, or of its snapshot. */
static int source_of(struct state *state, const struct storage_instance *src, const char *snapshot,
                     struct storage_ref *ref, struct error **err)
{
	int r = storage_ref_of_instance(state, src, ref, err);

	if (r == 0)
		ref->vol.snapshot = snapshot;
	return r;
}

/* Rows for a copy, all in one transaction. */
struct rows {
	const struct storage_instance *inst;
	const char *member;
	const char *const *snapshots;
	bool with_volume; /* Not only those of the snapshots. */
};

static int create_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct rows *rows = arg;
	const struct storage_instance *inst = rows->inst;
	const struct storage_rows_key *key =
		STORAGE_ROWS_KEY(inst->is_vm ? STORAGE_VM : STORAGE_CONTAINER, inst->project,
	                         inst->pool, inst->name);
	int r = 0;

	if (rows->with_volume)
		r = storage_rows_create_in(tx, rows->member, key, STORAGE_FILESYSTEM, err);
	STRV_FOREACH (name, rows->snapshots)
		if (r == 0)
			r = storage_rows_snapshot_create_in(tx, rows->member, key, name, DATE_NONE,
			                                    err);
	return r;
}

static int write_rows(struct state *state, const struct storage_instance *inst,
                      const char *const *snapshots, bool with_volume, struct error **err)
{
	scoped_free char *member = state_member_name(state);
	struct rows rows = { inst, member, snapshots, with_volume };

	if (!with_volume && (!snapshots || !*snapshots))
		return 0;
	return db_write(state->db, create_rows, &rows, err);
}

int storage_instance_copy(struct state *state, struct operation *operation,
                          const struct storage_instance *dst, const struct storage_instance *src,
                          const char *src_snapshot, const char *const *snapshots,
                          struct error **err)
{
	scoped(storage_ref_done) struct storage_ref to = { 0 };
	scoped(storage_ref_done) struct storage_ref from = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);

	int r = source_of(state, src, src_snapshot, &from, err);
	if (r == 0)
		r = storage_ref_of_instance(state, dst, &to, err);
	if (r == 0)
		r = storage_ref_lock(state, &from, operation, &lock, err);
	if (r == 0)
		r = storage_copy_volume(&to.vol, &from.vol, snapshots, &op, err);
	if (r < 0 || dst->files_only)
		return r;

	/* Rows last: what was cut off has none and is removed at the next start. */
	r = storage_instance_adopt(state, dst, snapshots, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_ref_delete(&to, NULL, &ignored);
	}
	return r;
}

int storage_instance_adopt(struct state *state, const struct storage_instance *inst,
                           const char *const *snapshots, struct error **err)
{
	return write_rows(state, inst, snapshots, true, err);
}

int storage_instance_adopt_snapshots(struct state *state, const struct storage_instance *inst,
                                     const char *const *snapshots, struct error **err)
{
	return write_rows(state, inst, snapshots, false, err);
}

int storage_instance_refresh(struct state *state, struct operation *operation,
                             const struct storage_instance *dst, const struct storage_instance *src,
                             const char *const *snapshots, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref to = { 0 };
	scoped(storage_ref_done) struct storage_ref from = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);

	int r = source_of(state, src, NULL, &from, err);
	if (r == 0)
		r = storage_ref_of_instance(state, dst, &to, err);
	if (r == 0)
		r = storage_ref_lock(state, &from, operation, &lock, err);
	if (r == 0)
		r = storage_copy_refresh(&to.vol, &from.vol, snapshots, &op, err);
	return r < 0 || dst->files_only ? r : write_rows(state, dst, snapshots, false, err);
}
