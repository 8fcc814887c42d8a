/*
 * Who uses a pool or a volume, and how they show in the API.
 *
 * Pure over a view of the database's rows: a list of volumes costs no query per volume.
 */
#pragma once

#include <stdbool.h>

#include "db/cache.h"
#include "lib/base/error.h"

struct json_object;

/* Families that these functions need. */
#define STORAGE_FAMILIES \
	(DB_POOLS | DB_VOLUMES | DB_INSTANCES | DB_PROFILES | DB_PROJECTS | DB_IMAGES)

/*
 * URLs of what lies in a pool (instances, custom volumes, images) or names it (profiles). 'member'
 * limits that to what is on it; NULL: all. An array, owned by the caller.
 */
struct json_object *storage_usage_of_pool(const struct db_view *view, const char *pool,
                                          const char *member);

/* URLs of the instances and profiles that use a volume. An array, owned by the caller. */
struct json_object *storage_usage_of_volume(const struct db_view *view,
                                            const struct db_storage_volume *row);

/* Whether instances use a custom volume; profiles count only with 'with_profiles'. */
bool storage_usage_is_in_use(const struct db_view *view, const struct db_storage_volume *row,
                             bool with_profiles);

/* Whether a device, of an instance or profile of 'project', is a custom volume. */
bool storage_usage_is_device(const struct db_view *view, const char *project,
                             const struct db_device *device, const struct db_storage_volume *row);

/* Whether the instance uses a custom volume, and whether another one does besides it. */
bool storage_usage_is_of(const struct db_view *view, const struct db_storage_volume *row,
                         const struct db_expanded *inst);
bool storage_usage_is_shared(const struct db_view *view, const struct db_storage_volume *row,
                             const struct db_expanded *inst);

/* Whether an instance that runs, as far as is written down, uses a custom volume. */
bool storage_usage_is_running(const struct db_view *view, const struct db_storage_volume *row);

/* Whether there is anything in the pool but images, or a profile that names it. */
bool storage_usage_is_pool_in_use(const struct db_view *view, const char *pool);

/* The URL of a volume: an instance's and an image's are their own; owned by the caller. */
char *storage_usage_volume_url(const struct db_storage_volume *row);

/*
 * A pool as the API shows it; owned by the caller. 'member' is whose keys are shown beside the
 * common ones, or NULL for none.
 */
struct json_object *storage_usage_pool_json(const struct db_view *view,
                                            const struct db_storage_pool *row, const char *member);

/* A volume as the API shows it; owned by the caller. */
struct json_object *storage_usage_volume_json(const struct db_view *view,
                                              const struct db_storage_volume *row);
