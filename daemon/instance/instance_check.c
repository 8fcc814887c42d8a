#include "daemon/instance/instance_check.h"

#include <errno.h>
#include <string.h>

#include "daemon/core/state.h"
#include "daemon/project/project_limits.h"
#include "drivers/device/device_driver.h"
#include "drivers/instance/ct/ct_config.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

int instance_check_expand(const struct db_view *view, const char *profile_project,
                          struct db_expanded *row, struct error **err)
{
	smap_clear(&row->config);
	db_device_list_done(&row->devices);
	row->devices = (struct db_devices){ 0 };
	STRV_FOREACH (name, row->row.profiles) {
		const struct db_profile *profile = db_cache_profile(view, profile_project, name);

		if (!profile)
			return error_set(err, 404, "Profile \"%s\" not found in project \"%s\"",
			                 name, profile_project);
		smap_merge(&row->config, &profile->config);
		db_device_overlay(&row->devices, &profile->devices);
	}
	smap_merge(&row->config, &row->row.config);
	db_device_overlay(&row->devices, &row->row.devices);
	return 0;
}

static int check_devices(const struct db_devices *devices, struct error **err)
{
	for (size_t i = 0; i < devices->n; i++) {
		int r = device_driver_validate(devices->rows[i].name, &devices->rows[i].config,
		                               err);
		if (r < 0)
			return error_wrap(err, "Failed validation of device \"%s\"",
			                  devices->rows[i].name);
	}
	return 0;
}

static int check_pools(const struct db_view *view, const struct db_devices *devices,
                       struct error **err)
{
	size_t n_roots = 0;

	for (size_t i = 0; i < devices->n; i++) {
		const struct smap *config = &devices->rows[i].config;
		const char *pool = smap_get(config, "pool");

		if (strcmp(smap_get_or(config, "type", ""), "disk") != 0)
			continue;
		n_roots += strcmp(smap_get_or(config, "path", ""), "/") == 0;
		if (pool && *pool && !db_cache_pool(view, pool))
			return error_set(
				err, 404,
				"Failed validation of device \"%s\": Storage pool \"%s\" not found",
				devices->rows[i].name, pool);
	}
	if (n_roots > 1)
		return error_set(err, 400, "More than one root device was found");
	if (!instance_root_disk(devices))
		return error_set(
			err, 400,
			"Failed detecting root disk device: No root device could be found");
	return 0;
}

int instance_check_row(struct state *state, const struct db_view *view,
                       const struct db_expanded *row, struct error **err)
{
	const struct db_project *project = db_cache_project(view, row->row.project);

	if (!project)
		return error_set(err, 404, "Project \"%s\" not found", row->row.project);

	int r = instance_conf_validate_map(INSTANCE_CONF_CLIENT, &row->row.config, false, err);
	if (r == 0)
		r = instance_conf_validate_map(INSTANCE_CONF_CLIENT, &row->config, true, err);
	if (r == 0)
		r = ct_config_check_raw(smap_get_or(&row->config, "raw.lxc", ""), err);
	if (r < 0)
		return error_wrap(err, "Invalid config");

	r = check_devices(&row->devices, err);
	if (r == 0)
		r = check_pools(view, &row->devices, err);
	if (r == 0)
		r = project_limits_check_instance(project, &row->config, &row->devices, err);
	(void)state;
	return r;
}

int instance_check_read_devices(struct json_object *body, const char *key,
                                struct db_devices *ret_devices, struct error **err)
{
	struct json_object *object = NULL;
	struct db_devices devices = { 0 };

	int r = jv_get_object(body, key, &object, err);
	if (r <= 0)
		return r;

	JV_FOREACH (object, name, config) {
		struct db_device *device = db_device_add(&devices, name);

		r = jv_to_smap(config, name, &device->config, err);
		if (r < 0) {
			db_device_list_done(&devices);
			return r;
		}
	}
	db_device_list_done(ret_devices);
	*ret_devices = devices;
	return 1;
}

void instance_check_expanded_done(struct db_expanded *row)
{
	db_instance_done(&row->row);
	smap_done(&row->config);
	db_device_list_done(&row->devices);
	*row = (struct db_expanded){ 0 };
}
