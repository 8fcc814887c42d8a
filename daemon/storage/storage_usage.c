#include "daemon/storage/storage_usage.h"

#include <string.h>

#include "daemon/core/lifecycle.h"
#include "daemon/project/project.h"
#include "daemon/storage/storage_private.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static const char *type_name(const struct db_storage_volume *row)
{
	switch ((enum db_storage_volume_type)row->type) {
	case DB_VOLUME_CONTAINER:
		return "container";
	case DB_VOLUME_VM:
		return "virtual-machine";
	case DB_VOLUME_IMAGE:
		return "image";
	case DB_VOLUME_CUSTOM:
		break;
	}
	return "custom";
}

char *storage_usage_volume_url(const struct db_storage_volume *row)
{
	return lifecycle_url(row->project,
	                     (const char *const[]){ "storage-pools", row->pool, "volumes",
	                                            type_name(row), row->name, NULL });
}

/* Of what the volume is: an instance, an image, or nothing else than a volume. */
static char *owner_url(const struct db_storage_volume *row)
{
	switch ((enum db_storage_volume_type)row->type) {
	case DB_VOLUME_CONTAINER:
	case DB_VOLUME_VM:
		return lifecycle_url(row->project,
		                     (const char *const[]){ "instances", row->name, NULL });
	case DB_VOLUME_IMAGE:
		return lifecycle_url(NULL, (const char *const[]){ "images", row->name, NULL });
	case DB_VOLUME_CUSTOM:
		break;
	}
	return storage_usage_volume_url(row);
}

static char *profile_url(const struct db_profile *profile)
{
	return lifecycle_url(profile->project,
	                     (const char *const[]){ "profiles", profile->name, NULL });
}

static void add_url(struct json_object *array, char *url_take)
{
	jv_add_string(array, url_take);
	free(url_take);
}

static bool is_disk_of(const struct db_device *device, const char *pool)
{
	return str_equals(smap_get(&device->config, "type"), "disk") &&
	       str_equals(smap_get(&device->config, "pool"), pool);
}

static bool profile_names(const struct db_profile *profile, const char *pool)
{
	for (size_t i = 0; i < profile->devices.n; i++)
		if (is_disk_of(&profile->devices.rows[i], pool))
			return true;

	return false;
}

struct json_object *storage_usage_of_pool(const struct db_view *view, const char *pool,
                                          const char *member)
{
	const struct db_storage_volumes *volumes = db_cache_volumes(view);
	const struct db_profiles *profiles = db_cache_profiles(view);
	struct json_object *array = jv_array();

	for (size_t i = 0; i < volumes->n; i++) {
		const struct db_storage_volume *row = &volumes->rows[i];

		if (strcmp(row->pool, pool) == 0 &&
		    (!member || *row->member == '\0' || strcmp(row->member, member) == 0))
			add_url(array, owner_url(row));
	}
	for (size_t i = 0; i < profiles->n; i++)
		if (profile_names(&profiles->rows[i], pool))
			add_url(array, profile_url(&profiles->rows[i]));
	return array;
}

bool storage_usage_is_pool_in_use(const struct db_view *view, const char *pool)
{
	const struct db_storage_volumes *volumes = db_cache_volumes(view);
	const struct db_profiles *profiles = db_cache_profiles(view);

	for (size_t i = 0; i < volumes->n; i++)
		if (volumes->rows[i].type != DB_VOLUME_IMAGE &&
		    strcmp(volumes->rows[i].pool, pool) == 0)
			return true;
	for (size_t i = 0; i < profiles->n; i++)
		if (profile_names(&profiles->rows[i], pool))
			return true;
	return false;
}

bool storage_usage_is_device(const struct db_view *view, const char *project,
                             const struct db_device *device, const struct db_storage_volume *row)
{
	scoped(error_freep) struct error *ignored = NULL;
	const char *source = smap_get(&device->config, "source");
	const char *effective;

	if (!is_disk_of(device, row->pool) || !str_equals(source, row->name))
		return false;
	return project_effective(view, project, PROJECT_VOLUMES, &effective, &ignored) == 0 &&
	       strcmp(effective, row->project) == 0;
}

static bool devices_use(const struct db_view *view, const char *project,
                        const struct db_devices *devices, const struct db_storage_volume *row)
{
	for (size_t i = 0; i < devices->n; i++)
		if (storage_usage_is_device(view, project, &devices->rows[i], row))
			return true;

	return false;
}

static bool instance_uses(const struct db_view *view, const struct db_expanded *inst,
                          const struct db_storage_volume *row)
{
	return (*row->member == '\0' || strcmp(row->member, inst->row.member) == 0) &&
	       devices_use(view, inst->row.project, &inst->devices, row);
}

struct json_object *storage_usage_of_volume(const struct db_view *view,
                                            const struct db_storage_volume *row)
{
	struct json_object *array = jv_array();
	size_t n = 0;

	if (row->type != DB_VOLUME_CUSTOM) {
		add_url(array, owner_url(row));
		return array;
	}

	const struct db_expanded *const *instances = db_cache_instances(view, &n);
	for (size_t i = 0; i < n; i++)
		if (instance_uses(view, instances[i], row))
			add_url(array,
			        lifecycle_url(instances[i]->row.project,
			                      (const char *const[]){
						      "instances", instances[i]->row.name, NULL }));
	const struct db_profiles *profiles = db_cache_profiles(view);
	for (size_t i = 0; i < profiles->n; i++)
		if (devices_use(view, profiles->rows[i].project, &profiles->rows[i].devices, row))
			add_url(array, profile_url(&profiles->rows[i]));
	return array;
}

bool storage_usage_is_in_use(const struct db_view *view, const struct db_storage_volume *row,
                             bool with_profiles)
{
	size_t n = 0;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);

	for (size_t i = 0; i < n; i++)
		if (instance_uses(view, instances[i], row))
			return true;
	const struct db_profiles *profiles = db_cache_profiles(view);
	for (size_t i = 0; with_profiles && i < profiles->n; i++)
		if (devices_use(view, profiles->rows[i].project, &profiles->rows[i].devices, row))
			return true;
	return false;
}

bool storage_usage_is_of(const struct db_view *view, const struct db_storage_volume *row,
                         const struct db_expanded *inst)
{
	return instance_uses(view, inst, row);
}

bool storage_usage_is_shared(const struct db_view *view, const struct db_storage_volume *row,
                             const struct db_expanded *inst)
{
	size_t n = 0;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);

	for (size_t i = 0; i < n; i++)
		if (instances[i]->row.id != inst->row.id && instance_uses(view, instances[i], row))
			return true;
	return false;
}

bool storage_usage_is_running(const struct db_view *view, const struct db_storage_volume *row)
{
	size_t n = 0;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);

	for (size_t i = 0; i < n; i++)
		if (str_equals(smap_get(&instances[i]->config, "volatile.last_state.power"),
		               "RUNNING") &&
		    instance_uses(view, instances[i], row))
			return true;
	return false;
}

static const char *state_name(int64_t state)
{
	switch ((enum db_storage_pool_state)state) {
	case DB_POOL_PENDING:
		return "Pending";
	case DB_POOL_CREATED:
		return "Created";
	case DB_POOL_ERRORED:
		break;
	}
	return "Errored";
}

struct json_object *storage_usage_pool_json(const struct db_view *view,
                                            const struct db_storage_pool *row, const char *member)
{
	const struct db_storage_pool_member *part = member ? db_storage_pool_on(row, member) : NULL;
	struct json_object *o = jv_object();
	struct json_object *locations = jv_array();
	scoped(smap_done) struct smap config = { 0 };

	smap_copy(&config, &row->config);
	if (part)
		smap_merge(&config, &part->config);
	for (size_t i = 0; i < row->n_members; i++)
		jv_add_string(locations, row->members[i].member);

	jv_set_string(o, "name", row->name);
	jv_set_string(o, "description", row->description);
	jv_set_string(o, "driver", row->driver);
	jv_set_string(o, "status", state_name(part ? part->state : row->state));
	jv_set_smap(o, "config", &config);
	jv_set_take(o, "used_by", storage_usage_of_pool(view, row->name, member));
	jv_set_take(o, "locations", locations);
	return o;
}

struct json_object *storage_usage_volume_json(const struct db_view *view,
                                              const struct db_storage_volume *row)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", row->name);
	jv_set_string(o, "description", row->description);
	jv_set_string(o, "type", type_name(row));
	jv_set_string(o, "pool", row->pool);
	jv_set_string(o, "content_type",
	              storage_layout_content_name((enum storage_content)row->content));
	jv_set_string(o, "project", row->project);
	jv_set_string(o, "location", row->member);
	jv_set_date(o, "created_at", row->created);
	jv_set_smap(o, "config", &row->config);
	jv_set_take(o, "used_by", storage_usage_of_volume(view, row));
	return o;
}
