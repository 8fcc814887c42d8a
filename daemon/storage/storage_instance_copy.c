/* Copies of instances' volumes: the rows, and the work of storage_copy.c. */
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
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

static int copy_rows(struct state *state, const struct storage_instance *dst,
                     const char *const *snapshots, struct error **err)
{
	enum storage_kind kind = dst->is_vm ? STORAGE_VM : STORAGE_CONTAINER;

	if (dst->files_only)
		return 0;
	STRV_FOREACH (name, snapshots) {
		int r = storage_rows_snapshot_create(
			state, STORAGE_ROWS_KEY(kind, dst->project, dst->pool, dst->name), name,
			NULL, DATE_NONE, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int storage_instance_copy(struct state *state, struct operation *operation,
                          const struct storage_instance *dst, const struct storage_instance *src,
                          const char *src_snapshot, const char *const *snapshots,
                          struct error **err)
{
	scoped(storage_ref_done) struct storage_ref to = { 0 };
	scoped(storage_ref_done) struct storage_ref from = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	enum storage_kind kind = dst->is_vm ? STORAGE_VM : STORAGE_CONTAINER;
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

		storage_rows_delete(state,
		                    STORAGE_ROWS_KEY(kind, dst->project, dst->pool, dst->name),
		                    &ignored);
		error_free(TAKE_PTR(ignored));
		storage_ref_delete(&to, NULL, &ignored);
	}
	return r;
}

int storage_instance_adopt(struct state *state, const struct storage_instance *inst,
                           const char *const *snapshots, struct error **err)
{
	enum storage_kind kind = inst->is_vm ? STORAGE_VM : STORAGE_CONTAINER;

	int r = storage_rows_create(state,
	                            STORAGE_ROWS_KEY(kind, inst->project, inst->pool, inst->name),
	                            STORAGE_FILESYSTEM, NULL, NULL, err);
	return r < 0 ? r : copy_rows(state, inst, snapshots, err);
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
	return r < 0 ? r : copy_rows(state, dst, snapshots, err);
}
