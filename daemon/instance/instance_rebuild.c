#include "daemon/instance/instance_rebuild.h"

#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_volatile.h"
#include "daemon/storage/storage_instance_rebuild.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/uuid.h"

/* There while the rows tell of a new disk and the old one may still be in its place. */
#define KEY_PENDING "volatile.rebuild.pending"

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
	struct smap changes;          /* Keys of the config that the new disk brings. */
};

static void describe(struct rebuilding *rebuilding)
{
	struct smap *changes = &rebuilding->changes;
	char uuid[UUID_SIZE];

	SMAP_FOREACH (e, &rebuilding->inst->row->row.config)
		if (strncmp(e->key, "image.", strlen("image.")) == 0)
			smap_set(changes, e->key, "");
	if (rebuilding->image)
		SMAP_FOREACH (e, &rebuilding->image->properties) {
			scoped_free char *key = xasprintf("image.%s", e->key);

			smap_set(changes, key, e->value);
		}
	uuid_make(uuid);
	smap_set(changes, "volatile.uuid.generation", uuid);
	smap_set(changes, "volatile.base_image",
	         rebuilding->fingerprint ? rebuilding->fingerprint : "");
	smap_set(changes, "volatile.last_state.idmap", "[]");
	smap_set(changes, "volatile.apply_template", "create");
	smap_set(changes, KEY_PENDING, "true");
}

/* The old disk is there and counts again; the new one goes. */
static void take_back(const struct rebuilding *rebuilding, const struct storage_instance *storage)
{
	const struct instance *inst = rebuilding->inst;
	scoped(smap_done) struct smap old = { 0 };
	scoped(error_freep) struct error *err = NULL;

	SMAP_FOREACH (e, &rebuilding->changes)
		smap_set(&old, e->key, smap_get_or(&inst->row->row.config, e->key, ""));

	int r = instance_volatile_write(inst, &old, &err);
	if (r == 0)
		r = storage_instance_rebuild_abort(inst->state, storage, &err);
	if (r < 0)
		log_warn("Failed taking back the rebuild of instance \"%s\": %s",
		         inst->row->row.name, err->msg);
}

static int rebuild_locked(struct rebuilding *rebuilding, struct operation *op, struct error **err)
{
	const struct instance *inst = rebuilding->inst;
	struct state *state = inst->state;
	scoped(error_freep) struct error *ignored = NULL;
	struct storage_instance storage;

	int r = instance_storage(inst, &storage, err);
	if (r == 0)
		r = storage_instance_rebuild_prepare(state, op, &storage, rebuilding->fingerprint,
		                                     err);
	if (r < 0)
		return r;

	describe(rebuilding);
	r = FAILPOINT("rebuild.made", NULL, "When a rebuild has made the new disk", err);
	if (r == 0)
		r = instance_volatile_write(inst, &rebuilding->changes, err);
	if (r < 0) {
		(void)storage_instance_rebuild_abort(state, &storage, &ignored);
		return r;
	}
	r = FAILPOINT("rebuild.written", NULL, "When the rows tell of a rebuild's new disk", err);
	if (r == 0)
		r = storage_instance_rebuild_finish(state, &storage, err);
	if (r < 0) {
		/* Should the old disk not be there, the next start goes on. */
		if (storage_instance_exists(state, &storage))
			take_back(rebuilding, &storage);
		return r;
	}
	FAILPOINT_HERE("rebuild.renamed", NULL, "When a rebuild's new disk is in its place");
	if (instance_volatile_set(inst, KEY_PENDING, NULL, &ignored) < 0)
		log_warn("Failed recording that instance \"%s\" is rebuilt: %s",
		         inst->row->row.name, ignored->msg);
	return 0;
}

int instance_rebuild(struct state *state, const char *project, const char *name,
                     const char *image_project, const char *fingerprint, struct operation *op,
                     struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = instance_lock(state, project, name, op ? operation_cancel_token(op) : NULL, &lock,
	                      &inst, err);
	if (r == 0)
		r = instance_rebuild_check(inst, err);
	if (r < 0)
		return r;

	r = instance_moving_query(inst, err);
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

	r = rebuild_locked(&rebuilding, op, err);
	smap_done(&rebuilding.changes);
	if (r == 0)
		instance_event(inst, op, "instance-updated");

	return r;
}

static void mend(const struct instance *inst, void *arg)
{
	scoped(error_freep) struct error *err = NULL;
	bool is_pending = smap_get(&inst->row->row.config, KEY_PENDING);
	struct storage_instance storage;

	(void)arg;
	if (!instance_root_disk(&inst->row->devices) || instance_storage(inst, &storage, &err) < 0)
		return;

	int r = is_pending ? storage_instance_rebuild_finish(inst->state, &storage, &err)
	                   : storage_instance_rebuild_abort(inst->state, &storage, &err);
	if (r == 0 && is_pending)
		r = instance_volatile_set(inst, KEY_PENDING, NULL, &err);
	if (r < 0)
		log_warn("Failed ending the rebuild of instance \"%s\": %s", inst->row->row.name,
		         err->msg);
}

int instance_rebuild_mend(struct state *state, struct error **err)
{
	return instance_each_here(state, mend, NULL, err);
}
