#include "daemon/storage/storage_copy.h"

#include <stdbool.h>

#include "lib/base/strv.h"

static struct storage_volume snapshot_of(const struct storage_volume *vol, const char *name)
{
	struct storage_volume snap = *vol;

	snap.snapshot = name;
	return snap;
}

/* Within a pool that clones, or a single copy: each part by itself. */
static int copy_parts(struct storage_volume *dst, const struct storage_volume *src,
                      const char *const *snapshots, struct op *op, struct error **err)
{
	STRV_FOREACH (name, snapshots) {
		struct storage_volume from = snapshot_of(src, name), to = snapshot_of(dst, name);
		int r = storage_driver_volume_copy(&to, &from, op, err);

		if (r < 0)
			return error_wrap(err, "Failed copying snapshot \"%s\"", name);
	}
	return storage_driver_volume_copy(dst, src, op, err);
}

/* One state after the other through the volume itself, a snapshot taken after each. */
static int copy_states(struct storage_volume *dst, const struct storage_volume *src,
                       const char *const *snapshots, bool exists, struct op *op, struct error **err)
{
	STRV_FOREACH (name, snapshots) {
		struct storage_volume from = snapshot_of(src, name), to = snapshot_of(dst, name);
		int r = exists ? storage_driver_volume_refresh(dst, &from, op, err)
		               : storage_driver_volume_copy(dst, &from, op, err);

		if (r == 0)
			r = storage_driver_snapshot_create(&to, op, err);
		if (r < 0)
			return error_wrap(err, "Failed copying snapshot \"%s\"", name);
		exists = true;
	}
	return exists ? storage_driver_volume_refresh(dst, src, op, err)
	              : storage_driver_volume_copy(dst, src, op, err);
}

int storage_copy_volume(struct storage_volume *dst, const struct storage_volume *src,
                        const char *const *snapshots, struct op *op, struct error **err)
{
	bool clones =
		dst->pool == src->pool && (dst->pool->driver->caps & STORAGE_CAP_INSTANT_CLONE);

	int r = clones ? copy_parts(dst, src, snapshots, op, err)
	               : copy_states(dst, src, snapshots, false, op, err);
	if (r == 0)
		return 0;

	scoped(error_freep) struct error *ignored = NULL;
	STRV_FOREACH (name, snapshots) {
		struct storage_volume snap = snapshot_of(dst, name);

		if (storage_driver_volume_delete(&snap, NULL, &ignored) < 0)
			break;
	}
	if (!ignored)
		storage_driver_volume_delete(dst, NULL, &ignored);
	return r;
}

int storage_copy_refresh(struct storage_volume *dst, const struct storage_volume *src,
                         const char *const *snapshots, struct op *op, struct error **err)
{
	return copy_states(dst, src, snapshots, true, op, err);
}
