#include "daemon/storage/storage_instance_rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"

/* The volume, and the one that is to take its place. */
struct pair {
	struct storage_ref ref;
	char *new_name;
	struct storage_volume new;
	struct lock *lock;
};

static void pair_done(struct pair *pair)
{
	locks_release(pair->lock);
	storage_ref_done(&pair->ref);
	free(pair->new_name);
}

/* No volume of an instance begins with a dot. */
static int pair_init(struct state *state, const struct storage_instance *inst, struct pair *pair,
                     struct error **err)
{
	int r = storage_ref_of_instance(state, inst, &pair->ref, err);
	if (r < 0)
		return r;

	pair->new_name = xasprintf(".rebuild-%s", pair->ref.disk_name);
	pair->new = pair->ref.vol;
	pair->new.name = pair->new_name;
	return 0;
}

static int pair_lock(struct state *state, const struct storage_instance *inst, struct pair *pair,
                     struct error **err)
{
	int r = pair_init(state, inst, pair, err);

	return r < 0 ? r : storage_ref_lock(state, &pair->ref, NULL, &pair->lock, err);
}

int storage_instance_rebuild_prepare(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *fingerprint,
                                     struct error **err)
{
	scoped(pair_done) struct pair pair = { 0 };
	struct op op = storage_service_op(operation);

	int r = pair_init(state, inst, &pair, err);
	/* A new disk that an earlier attempt could not remove. */
	if (r == 0)
		r = storage_driver_volume_delete(&pair.new, NULL, err);
	if (r < 0)
		return r;

	return fingerprint
	               ? storage_image_create_volume(state, operation, fingerprint, &pair.new, err)
	               : storage_driver_volume_create(&pair.new, &op, err);
}

/* The old disk goes aside under a name that is removed when the pool is opened the next time. */
static int swap(const struct pair *pair, const struct storage_volume *aside, struct error **err)
{
	scoped_free char *fresh = storage_driver_volume_path(&pair->new);
	scoped_free char *path = storage_driver_volume_path(&pair->ref.vol);
	scoped_free char *old = storage_driver_volume_path(aside);

	if (renameat2(AT_FDCWD, path, AT_FDCWD, old, RENAME_NOREPLACE) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed replacing \"%s\"", path);

	int r = FAILPOINT("rebuild.aside", NULL,
	                  "When a rebuild has put the old disk aside and not put the new one there",
	                  err);
	if (r == 0 && renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		r = error_set_errno(err, -errno, "Failed replacing \"%s\"", path);
	if (r < 0 && renameat2(AT_FDCWD, old, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		log_warn("\"%s\" stays aside as \"%s\"", path, old);

	return r;
}

int storage_instance_rebuild_finish(struct state *state, const struct storage_instance *inst,
                                    struct error **err)
{
	scoped(pair_done) struct pair pair = { 0 };
	scoped_free char *name = storage_layout_temporary_name();
	scoped(error_freep) struct error *ignored = NULL;

	int r = pair_lock(state, inst, &pair, err);
	if (r < 0 || !storage_driver_volume_exists(&pair.new))
		return r;

	struct storage_volume aside = pair.ref.vol;
	aside.name = name;
	r = swap(&pair, &aside, err);
	if (r < 0)
		return r;

	if (storage_driver_volume_delete(&aside, NULL, &ignored) < 0)
		log_warn("Failed removing what \"%s\" was before: %s", inst->name, ignored->msg);
	return 0;
}

int storage_instance_rebuild_abort(struct state *state, const struct storage_instance *inst,
                                   struct error **err)
{
	scoped(pair_done) struct pair pair = { 0 };

	int r = pair_lock(state, inst, &pair, err);
	return r < 0 ? r : storage_driver_volume_delete(&pair.new, NULL, err);
}
