/*
 * Those who use a custom volume that gets another name or pool: the devices of instances and
 * profiles follow it, in the transaction that changes its row. Instances that run hold its files,
 * so they keep it where it is.
 */
#pragma once

#include <stdbool.h>

#include "daemon/storage/storage_volume.h"
#include "db/cache.h"
#include "lib/base/error.h"

/* 400 if an instance that runs uses it. */
int storage_volume_users_check(const struct db_view *view, const struct db_storage_volume *row,
                               struct error **err);

/*
 * Changes "pool" and "source" of all devices that are this member's volume 'id' to those of 'to',
 * and with 'is_renamed' the name of its row, all or nothing. 400 as above, and for a profile that
 * means volumes of several members.
 */
int storage_volume_users_follow(struct state *state, const struct storage_volume_id *id,
                                const struct storage_volume_id *to, bool is_renamed,
                                struct error **err);
