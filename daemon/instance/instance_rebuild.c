#include "daemon/instance/instance_rebuild.h"

#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"
#include "lib/base/uuid.h"

int instance_rebuild_check(const struct instance *inst, struct error **err)
{
	if (instance_is_running(inst))
		return error_set(err, 400, "Instance must be stopped to be rebuilt");

	return 0;
}

struct rebuilding {
	const struct instance *inst;
	const char *fingerprint;
	const struct db_image *image; /* NULL: empty. */
};

static int write_rebuilt(struct db_tx *tx, void *arg, struct error **err)
{
	const struct rebuilding *rebuilding = arg;
	const struct db_instance *row = &rebuilding->inst->row->row;
	scoped(smap_done) struct smap changes = { 0 };
	char uuid[UUID_SIZE];

	SMAP_FOREACH (e, &row->config)
		if (strncmp(e->key, "image.", strlen("image.")) == 0)
			smap_set(&changes, e->key, "");
	if (rebuilding->image)
		SMAP_FOREACH (e, &rebuilding->image->properties) {
			scoped_free char *key = xasprintf("image.%s", e->key);

			smap_set(&changes, key, e->value);
		}
	uuid_make(uuid);
	smap_set(&changes, "volatile.uuid.generation", uuid);
	smap_set(&changes, "volatile.base_image",
	         rebuilding->fingerprint ? rebuilding->fingerprint : "");
	smap_set(&changes, "volatile.last_state.idmap", "[]");
	smap_set(&changes, "volatile.apply_template", "create");
	return db_instance_patch_config(tx, row->id, &changes, err);
}

static int check_moving(struct db_tx *tx, void *arg, struct error **err)
{
	return instance_moving_check(tx, *(const int64_t *)arg, err);
}

int instance_rebuild(struct state *state, const char *project, const char *name,
                     const char *image_project, const char *fingerprint, struct operation *op,
                     struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct storage_instance storage;

	int r = instance_lock(state, project, name, op ? operation_cancel_token(op) : NULL, &lock,
	                      &inst, err);
	if (r == 0)
		r = instance_rebuild_check(inst, err);
	if (r < 0)
		return r;

	/* Asked before the disk changes; a move that begins later waits for the lock. */
	int64_t id = inst->row->row.id;
	r = db_read(state->db, check_moving, &id, err);
	if (r == 0)
		r = instance_storage(inst, &storage, err);
	if (r == 0 && fingerprint)
		r = image_ensure_local(state, op, image_project, fingerprint, err);
	if (r == 0)
		r = db_cache_view(state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;

	struct rebuilding rebuilding = {
		.inst = inst,
		.fingerprint = fingerprint,
		.image = fingerprint ? db_cache_image(view, image_project, fingerprint) : NULL,
	};
	if (fingerprint && !rebuilding.image)
		return error_set(err, 404, "Image not found");

	r = storage_instance_rebuild(state, op, &storage, fingerprint, err);
	if (r == 0)
		r = db_write(state->db, write_rebuilt, &rebuilding, err);
	if (r == 0)
		instance_event(inst, op, "instance-updated");

	return r;
}
