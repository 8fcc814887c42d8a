/* What the files of the btrfs driver share. */
#pragma once

#include "drivers/storage/storage_driver.h"

/* Volumes: storage_btrfs_volume.c. */
int storage_btrfs_volume_create(struct storage_volume *vol, struct op *op, struct error **err);
int storage_btrfs_volume_delete(struct storage_volume *vol, struct op *op, struct error **err);
int storage_btrfs_volume_copy(struct storage_volume *dst, const struct storage_volume *src,
                              struct op *op, struct error **err);
int storage_btrfs_volume_resize(struct storage_volume *vol, struct error **err);
int storage_btrfs_volume_space(struct storage_volume *vol, struct storage_space *ret_space,
                               struct error **err);
int storage_btrfs_volume_snapshot(struct storage_volume *snap, struct op *op, struct error **err);
int storage_btrfs_volume_restore(struct storage_volume *vol, const char *snapshot, struct op *op,
                                 struct error **err);
bool storage_btrfs_volume_has_nested(const struct storage_volume *vol);

/*
 * Puts a writable snapshot of the subvolume 'source' in the place of the volume, which may exist,
 * with its mode and size. All or nothing.
 */
int storage_btrfs_volume_replace(const struct storage_volume *vol, int source, struct error **err);

/* Transfers: storage_btrfs_send.c. */
int storage_btrfs_send_volume(struct storage_volume *vol, const struct storage_transfer *transfer,
                              struct op *op, struct error **err);
int storage_btrfs_send_receive(struct storage_volume *vol, const struct storage_transfer *transfer,
                               struct op *op, struct error **err);
void storage_btrfs_send_end(struct storage_volume *vol);
