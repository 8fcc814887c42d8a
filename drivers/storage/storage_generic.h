/*
 * What a driver need not do itself: volumes as directories, copied file by file.
 *
 * storage_driver.c calls these where a vtable has NULL; drivers call them for volumes that their
 * own ways do not suit.
 */
#pragma once

#include "drivers/storage/storage_driver.h"

int storage_generic_pool_space(struct storage_pool *pool, struct storage_space *ret_space,
                               struct error **err);

/* Makes the directory of a volume or snapshot, and of the volume's snapshots above the latter. */
int storage_generic_make_dir(const struct storage_volume *vol, struct error **err);

/* Makes the file of a block volume, if it is one; a size of 0 is 10 GiB, which are holes. */
int storage_generic_make_image(const struct storage_volume *vol, struct error **err);

/* Grows (or, if it is a filesystem's, refuses to shrink) the file of a block volume. */
int storage_generic_resize_image(const struct storage_volume *vol, struct error **err);

/* Removes the tree of a volume or snapshot, and what is left of its folder of snapshots. */
int storage_generic_volume_delete(const struct storage_volume *vol, struct error **err);

/* Fills the directory of 'dst', which is there and empty, with what is in 'src'. */
int storage_generic_fill(const struct storage_volume *dst, const struct storage_volume *src,
                         struct op *op, struct error **err);

int storage_generic_volume_copy(struct storage_volume *dst, const struct storage_volume *src,
                                struct op *op, struct error **err);
int storage_generic_volume_refresh(struct storage_volume *dst, const struct storage_volume *src,
                                   struct op *op, struct error **err);
int storage_generic_volume_replace(struct storage_volume *vol, struct storage_volume *fresh,
                                   struct error **err);
int storage_generic_volume_rename(struct storage_volume *vol, const char *name, struct error **err);
int storage_generic_snapshot_create(struct storage_volume *snap, struct op *op, struct error **err);
int storage_generic_snapshot_restore(struct storage_volume *vol, const char *snapshot,
                                     struct op *op, struct error **err);
