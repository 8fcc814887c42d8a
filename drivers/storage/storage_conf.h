/*
 * Config keys of pools and volumes.
 *
 * Each driver has two tables of keys of its own; those that all drivers share are here. The service
 * validates with these functions before it stores anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/storage/storage_layout.h"
#include "lib/base/error.h"

struct smap;
struct storage_driver;

/*
 * Checks the keys of a pool with LXD's words: 'Invalid option for storage pool "p" option "bogus"'.
 * All failures are 400s.
 */
int storage_conf_check_pool(const struct storage_driver *driver, const char *pool,
                            const struct smap *config, struct error **err);

/*
 * Checks the keys of a volume: 'Invalid option for volume "v" option "bogus"'. Keys that are for
 * custom volumes, or for block volumes only, are refused elsewhere.
 */
int storage_conf_check_volume(const struct storage_driver *driver, enum storage_kind kind,
                              enum storage_content content, const char *volume,
                              const struct smap *config, struct error **err);

/* Whether 'key' of a pool has a value per member ("source", "size", "source.wipe", ...). */
bool storage_conf_is_member_key(const struct storage_driver *driver, const char *key);

/*
 * Copies the pool's "volume.KEY" values into 'config' of a new volume where the volume has no KEY
 * and may have it.
 */
void storage_conf_fill_volume(const struct storage_driver *driver, enum storage_kind kind,
                              enum storage_content content, const struct smap *pool_config,
                              struct smap *config);

/*
 * The size in 'config' ("size", else the pool's "volume.size"), in bytes; 0 for none. Values were
 * checked before.
 */
uint64_t storage_conf_size(const struct smap *config, const struct smap *pool_config);
