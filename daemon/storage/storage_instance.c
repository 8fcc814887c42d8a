#include "daemon/storage/storage_instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/strv.h"
#include "lib/base/tree.h"

static enum storage_kind kind_of(const struct storage_instance *inst)
{
	return inst->is_vm ? STORAGE_VM : STORAGE_CONTAINER;
}

/* $MUSTER_DIR/containers/NAME leads to the volume, for people and scripts that look there. */
static char *link_path(struct state *state, const struct storage_instance *inst, const char *name)
{
	scoped_free char *disk_name = storage_layout_disk_name(kind_of(inst), inst->project, name);

	if (inst->is_vm)
		return path_join(state->dirs->root, "virtual-machines", disk_name, NULL);
	return path_join(state->dirs->containers, disk_name, NULL);
}

static void make_link(struct state *state, const struct storage_instance *inst,
                      const struct storage_ref *ref)
{
	scoped_free char *path = link_path(state, inst, inst->name);
	scoped_free char *target = storage_driver_volume_path(&ref->vol);

	/* Nothing of ours goes through it, so nothing depends on it. */
	unlink(path);
	(void)!symlink(target, path);
}

static void remove_link(struct state *state, const struct storage_instance *inst, const char *name)
{
	scoped_free char *path = link_path(state, inst, name);

	unlink(path);
}

static int create_row(struct state *state, const struct storage_instance *inst, struct error **err)
{
	if (inst->files_only)
		return 0;
	return storage_rows_create(
		state, STORAGE_ROWS_KEY(kind_of(inst), inst->project, inst->pool, inst->name),
		STORAGE_FILESYSTEM, NULL, NULL, err);
}

static int delete_row(struct state *state, const struct storage_instance *inst, struct error **err)
{
	if (inst->files_only)
		return 0;
	return storage_rows_delete(
		state, STORAGE_ROWS_KEY(kind_of(inst), inst->project, inst->pool, inst->name), err);
}

/*
 * The files first, then the row: an instance whose volume has a row is complete, and one whose
 * making was cut off has none and is removed at the next start.
 */
static int create(struct state *state, struct operation *operation,
                  const struct storage_instance *inst, const char *fingerprint, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	struct op op = storage_service_op(operation);

	int r = storage_ref_of_instance(state, inst, &ref, err);
	if (r < 0)
		return r;

	r = fingerprint ? storage_image_create_volume(state, operation, fingerprint, &ref.vol, err)
	                : storage_driver_volume_create(&ref.vol, &op, err);
	if (r < 0)
		return r;

	r = create_row(state, inst, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_ref_delete(&ref, NULL, &ignored);
		return r;
	}
	make_link(state, inst, &ref);
	return 0;
}

int storage_instance_create_empty(struct state *state, struct operation *operation,
                                  const struct storage_instance *inst, struct error **err)
{
	return create(state, operation, inst, NULL, err);
}

int storage_instance_create_from_image(struct state *state, struct operation *operation,
                                       const struct storage_instance *inst, const char *fingerprint,
                                       struct error **err)
{
	return create(state, operation, inst, fingerprint, err);
}

int storage_instance_rename(struct state *state, struct operation *operation,
                            const struct storage_instance *inst, const char *new_name,
                            struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	struct storage_instance renamed = *inst;

	renamed.name = new_name;
	scoped_free char *new_disk_name =
		storage_layout_disk_name(kind_of(inst), inst->project, new_name);
	int r = storage_ref_of_instance(state, inst, &ref, err);
	if (r == 0)
		r = storage_ref_lock(state, &ref, operation, &lock, err);
	if (r == 0)
		r = storage_driver_volume_rename(&ref.vol, new_disk_name, err);
	if (r < 0)
		return r;

	if (!inst->files_only)
		r = storage_rows_rename(
			state,
			STORAGE_ROWS_KEY(kind_of(inst), inst->project, inst->pool, inst->name),
			new_name, err);
	struct storage_volume vol = ref.vol;
	vol.name = new_disk_name;
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_driver_volume_rename(&vol, ref.disk_name, &ignored);
		return r;
	}
	remove_link(state, inst, inst->name);
	ref.vol.name = new_disk_name;
	make_link(state, &renamed, &ref);
	return 0;
}

int storage_instance_delete(struct state *state, struct operation *operation,
                            const struct storage_instance *inst, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = storage_ref_of_instance(state, inst, &ref, err);
	if (r == 0)
		r = storage_ref_lock(state, &ref, operation, &lock, err);
	/* Not cancelled halfway: a volume that is partly gone is of no use. */
	if (r == 0)
		r = storage_ref_delete(&ref, NULL, err);
	if (r < 0)
		return r;
	remove_link(state, inst, inst->name);
	return delete_row(state, inst, err);
}

int storage_instance_delete_row(struct db_tx *tx, const char *member,
                                const struct storage_instance *inst, struct error **err)
{
	return storage_rows_delete_in(
		tx, member, STORAGE_ROWS_KEY(kind_of(inst), inst->project, inst->pool, inst->name),
		err);
}

char *storage_instance_path(struct state *state, const struct storage_instance *inst,
                            const char *snapshot)
{
	scoped_free char *pool_path = storage_layout_pool_path(state->dirs->root, inst->pool);
	scoped_free char *disk_name =
		storage_layout_disk_name(kind_of(inst), inst->project, inst->name);

	return storage_layout_volume_path(pool_path, kind_of(inst), disk_name, snapshot);
}

int storage_instance_write_backup(struct state *state, const struct storage_instance *inst,
                                  const char *text, struct error **err)
{
	scoped_free char *dir = storage_instance_path(state, inst, NULL);
	scoped_free char *path = xasprintf("%s/backup.yaml", dir);

	int r = file_replace(path, text, strlen(text), 0400);
	return r < 0 ? error_set_errno(err, r, "Failed writing \"%s\"", path) : 0;
}

int storage_instance_resize(struct state *state, const struct storage_instance *inst,
                            struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	int r = storage_ref_of_instance(state, inst, &ref, err);
	return r < 0 ? r : storage_driver_volume_resize(&ref.vol, err);
}

int storage_instance_space(struct state *state, const struct storage_instance *inst,
                           struct storage_space *ret_space, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	int r = storage_ref_of_instance(state, inst, &ref, err);
	return r < 0 ? r : storage_driver_volume_space(&ref.vol, ret_space, err);
}

int storage_instance_size(struct state *state, const struct storage_instance *inst,
                          int64_t deadline, uint64_t *ret_bytes)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	struct storage_space space = { 0 };

	int r = storage_ref_of_instance(state, inst, &ref, &ignored);
	if (r < 0)
		return r;
	if (storage_driver_volume_space(&ref.vol, &space, &ignored) == 0) {
		*ret_bytes = space.used_bytes;
		return 0;
	}

	scoped_free char *path = storage_driver_volume_path(&ref.vol);
	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : tree_size(fd, deadline, ret_bytes);
}

bool storage_instance_exists(struct state *state, const struct storage_instance *inst)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	return storage_ref_of_instance(state, inst, &ref, &ignored) == 0 &&
	       storage_driver_volume_exists(&ref.vol);
}

/* What the functions for snapshots have in common. */
static int begin(struct state *state, struct operation *operation,
                 const struct storage_instance *inst, struct storage_ref *ref, struct lock **lock,
                 struct error **err)
{
	int r = storage_ref_of_instance(state, inst, ref, err);

	return r < 0 ? r : storage_ref_lock(state, ref, operation, lock, err);
}

int storage_instance_snapshot_create(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *snapshot,
                                     struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);

	int r = begin(state, operation, inst, &ref, &lock, err);
	if (r < 0)
		return r;

	/* What is there without a row was cut off. */
	struct storage_volume snap = storage_ref_snapshot(&ref, snapshot);
	if (storage_driver_volume_exists(&snap))
		r = storage_driver_volume_delete(&snap, NULL, err);
	return r < 0 ? r : storage_driver_snapshot_create(&snap, &op, err);
}

int storage_instance_snapshot_create_row(struct db_tx *tx, const char *member,
                                         const struct storage_instance *inst, const char *snapshot,
                                         int64_t expires, struct error **err)
{
	return storage_rows_snapshot_create_in(
		tx, member, STORAGE_ROWS_KEY(kind_of(inst), inst->project, inst->pool, inst->name),
		snapshot, expires, err);
}

int storage_instance_snapshot_delete(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *snapshot,
                                     struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = begin(state, operation, inst, &ref, &lock, err);
	if (r < 0)
		return r;
	struct storage_volume snap = storage_ref_snapshot(&ref, snapshot);
	return storage_driver_volume_delete(&snap, NULL, err);
}

int storage_instance_snapshot_delete_row(struct db_tx *tx, const char *member,
                                         const struct storage_instance *inst, const char *snapshot,
                                         struct error **err)
{
	return storage_rows_snapshot_delete_in(
		tx, member, STORAGE_ROWS_KEY(kind_of(inst), inst->project, inst->pool, inst->name),
		snapshot, err);
}

int storage_instance_snapshot_rename(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *snapshot,
                                     const char *new_name, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = begin(state, operation, inst, &ref, &lock, err);
	if (r < 0)
		return r;
	struct storage_volume snap = storage_ref_snapshot(&ref, snapshot);
	struct storage_volume renamed = storage_ref_snapshot(&ref, new_name);
	/* A renaming was cut off before the rows knew of it. */
	if (!storage_driver_volume_exists(&snap) && storage_driver_volume_exists(&renamed))
		return 0;
	return storage_driver_volume_rename(&snap, new_name, err);
}

int storage_instance_snapshot_rename_row(struct db_tx *tx, const char *member,
                                         const struct storage_instance *inst, const char *snapshot,
                                         const char *new_name, struct error **err)
{
	return storage_rows_snapshot_rename_in(
		tx, member, STORAGE_ROWS_KEY(kind_of(inst), inst->project, inst->pool, inst->name),
		snapshot, new_name, err);
}

int storage_instance_snapshot_restore(struct state *state, struct operation *operation,
                                      const struct storage_instance *inst, const char *snapshot,
                                      struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);

	int r = begin(state, operation, inst, &ref, &lock, err);
	return r < 0 ? r : storage_driver_snapshot_restore(&ref.vol, snapshot, &op, err);
}
