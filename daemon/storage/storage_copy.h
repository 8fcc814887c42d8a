/*
 * A volume and its snapshots from one place to another on this member.
 *
 * Within a pool that can clone this costs nothing; elsewhere the oldest snapshot is copied whole
 * and what follows is made of the differences, so that blocks are shared as they were.
 */
#pragma once

#include "drivers/storage/storage_driver.h"
#include "lib/base/error.h"

struct op;

/*
 * Makes 'dst' and the snapshots 'snapshots' (oldest first, ends with NULL; or NULL) of 'src', which
 * may be a snapshot itself. After a failure nothing of 'dst' is left.
 */
int storage_copy_volume(struct storage_volume *dst, const struct storage_volume *src,
                        const char *const *snapshots, struct op *op, struct error **err);

/*
 * Makes 'dst', which exists, equal to 'src', and gives it 'snapshots' of it, which it lacks. What a
 * failure leaves is a volume between the two.
 */
int storage_copy_refresh(struct storage_volume *dst, const struct storage_volume *src,
                         const char *const *snapshots, struct op *op, struct error **err);
