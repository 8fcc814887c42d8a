#include "daemon/instance/instance_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/dirs.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_service.h"
#include "daemon/instance/instance_volatile.h"
#include "daemon/project/project.h"
#include "daemon/project/project_limits.h"
#include "daemon/storage/storage_volume.h"
#include "drivers/device/device_driver.h"
#include "drivers/host/idmap_json.h"
#include "drivers/instance/instance_conf.h"
#include "drivers/instance/instance_idmap.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"

static bool is_root(const struct instance *inst, const struct db_device *device)
{
	return device == instance_root_disk(&inst->row->devices);
}

static bool is_privileged(const struct instance *inst)
{
	return instance_conf_is_true(&inst->row->config, "security.privileged");
}

/* Paths, config and what else needs no look outside. */
static void describe(const struct instance *inst, struct instance_spec_built *built)
{
	const struct dirs *dirs = inst->state->dirs;

	built->run_dir = xasprintf("%s/containers/%s", dirs->run, inst->id);
	built->log_dir = xasprintf("%s/%s", dirs->logs, inst->id);
	built->spec = (struct instance_spec){
		.project = inst->row->row.project,
		.name = inst->row->row.name,
		.id = inst->id,
		.config = &inst->row->config,
		.is_privileged = is_privileged(inst),
		.idmap = &built->idmap,
		.run_dir = built->run_dir,
		.log_dir = built->log_dir,
	};
}

/* The maps that isolated instances of this member have: nobody else may get one of those. */
static size_t isolated_maps(const struct instance *inst, struct idmap **ret_maps)
{
	size_t n_rows = 0;
	size_t n = 0;
	const struct db_expanded *const *rows = db_cache_instances(inst->view, &n_rows);
	struct idmap *maps = xcalloc(n_rows + 1, sizeof(*maps));

	for (size_t i = 0; i < n_rows; i++) {
		scoped(error_freep) struct error *ignored = NULL;

		if (rows[i]->row.id == inst->row->row.id ||
		    strcmp(rows[i]->row.member, inst->row->row.member) != 0 ||
		    !instance_conf_is_true(&rows[i]->config, "security.idmap.isolated"))
			continue;
		if (idmap_json_parse(smap_get(&rows[i]->row.config, "volatile.idmap.next"),
		                     &maps[n], &ignored) == 0)
			n++;
	}
	*ret_maps = maps;
	return n;
}

static void free_maps(struct idmap *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		idmap_done(&maps[i]);
	free(maps);
}

/* Chooses the map and says which volatile keys that changes. */
static int choose_idmap(const struct instance *inst, struct idmap *ret_map, struct smap *changes,
                        struct error **err)
{
	const struct smap *config = &inst->row->config;
	struct idmap host = { 0 };
	struct idmap *others = NULL;
	size_t n_others = 0;
	uint32_t base = 0;

	int r = idmap_of_host(NULL, NULL, &host);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading the id ranges of root");
	if (instance_conf_is_true(config, "security.idmap.isolated") && inst->view)
		n_others = isolated_maps(inst, &others);

	r = instance_idmap_choose(config, &host, others, n_others, ret_map, &base, err);
	free_maps(others, n_others);
	idmap_done(&host);
	if (r < 0 || !changes)
		return r;

	scoped_free char *text = idmap_json_format(ret_map);
	scoped_free char *number = xasprintf("%u", base);
	if (strcmp(smap_get_or(config, "volatile.idmap.next", ""), text) != 0)
		smap_set(changes, "volatile.idmap.next", text);
	if (strcmp(smap_get_or(config, "volatile.idmap.base", ""), number) != 0)
		smap_set(changes, "volatile.idmap.base", number);
	if (strcmp(smap_get_or(config, "volatile.idmap.current", ""), text) != 0)
		smap_set(changes, "volatile.idmap.current", text);
	return 0;
}

int instance_spec_init(const struct instance *inst, struct instance_spec_built *ret_built,
                       struct error **err)
{
	*ret_built = (struct instance_spec_built){ 0 };
	describe(inst, ret_built);

	int r = choose_idmap(inst, &ret_built->idmap, NULL, err);
	if (r < 0)
		instance_spec_done(inst, ret_built);

	return r;
}

/* Files on disk have the ids of the map that they were shifted to, or those of the image. */
static void say_whose_ids(const struct instance *inst, struct instance_spec_built *built)
{
	built->spec.rootfs_shift = ROOTFS_SHIFT_NONE;
	if (built->mounted.disk_map.n_entries > 0) {
		built->spec.rootfs_shift = ROOTFS_SHIFT_ON_DISK;
		built->spec.idmap = &built->mounted.disk_map;
	} else if (!is_privileged(inst)) {
		built->spec.rootfs_shift = ROOTFS_SHIFT_IDMAPPED;
	}
}

int instance_spec_mount(const struct instance *inst, struct operation *op,
                        struct instance_spec_built *ret_built, struct error **err)
{
	struct storage_instance storage;
	struct idmap disk_map = { 0 };

	int r = instance_spec_init(inst, ret_built, err);
	if (r < 0)
		return r;

	r = instance_storage(inst, &storage, err);
	if (r == 0)
		r = idmap_json_parse(smap_get(&inst->row->row.config, "volatile.last_state.idmap"),
		                     &disk_map, err);
	if (r == 0)
		r = storage_instance_mount(inst->state, op, &storage, &disk_map, NULL,
		                           &ret_built->mounted, err);
	if (r == 0) {
		ret_built->is_mounted = true;
		ret_built->spec.rootfs_path = ret_built->mounted.rootfs_path;
		say_whose_ids(inst, ret_built);
	}
	idmap_done(&disk_map);
	if (r < 0)
		instance_spec_done(inst, ret_built);

	return r;
}

/* The volume behind a disk device with a pool and a source, or false. */
static bool volume_of(const struct instance *inst, const struct db_device *device,
                      struct storage_volume_id *ret_id)
{
	const char *pool = smap_get(&device->config, "pool");
	const char *source = smap_get(&device->config, "source");
	const char *project = inst->row->row.project;
	scoped(error_freep) struct error *ignored = NULL;

	if (strcmp(smap_get_or(&device->config, "type", ""), "disk") != 0 || !pool || !source)
		return false;
	if (inst->view)
		(void)project_effective(inst->view, project, PROJECT_VOLUMES, &project, &ignored);

	*ret_id = (struct storage_volume_id){ .project = project, .pool = pool, .name = source };
	return true;
}

/* Where the source of a host's path must stay: said by the project as it is now. */
static int find_within(const struct instance *inst, const struct db_device *row, char **ret_within,
                       struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	*ret_within = NULL;
	if (strcmp(smap_get_or(&row->config, "type", ""), "disk") != 0)
		return 0;
	int r = db_cache_view(inst->state->cache, DB_PROJECTS, &view, err);
	if (r < 0)
		return r;
	const struct db_project *project = db_cache_project(view, inst->row->row.project);

	return project ? project_limits_disk_within(project, &row->config, ret_within, err) : 0;
}

int instance_spec_device_start(const struct instance *inst, const struct db_device *row,
                               struct smap *changes, struct run_config **ret_run,
                               struct error **err)
{
	scoped(smap_done) struct smap keys = { 0 };
	struct storage_attached attached = { 0 };
	struct storage_volume_id volume;
	bool has_volume = volume_of(inst, row, &volume);
	scoped_free char *within = NULL;
	scoped_free char *names = server_conf_string(inst->state, "instances.nic.host_name");

	int r = find_within(inst, row, &within, err);
	if (r < 0)
		return error_wrap(err, "Failed to start device \"%s\"", row->name);
	instance_volatile_of_device(&inst->row->config, row->name, &keys);
	if (has_volume) {
		r = storage_volume_mount(inst->state, &volume, &attached, err);
		if (r < 0)
			return error_wrap(err, "Failed mounting volume \"%s\" of device \"%s\"",
			                  volume.name, row->name);
	}

	const struct device device = {
		.host = &inst->state->instances->host,
		.project = inst->row->row.project,
		.instance = inst->row->row.name,
		.name = row->name,
		.config = &row->config,
		.volatile_config = &keys,
		.volume_path = attached.path,
		.source_within = within,
		.volume_is_shifted = attached.is_bound_as_is,
		.instance_is_privileged = is_privileged(inst),
		.is_named_by_mac = strcmp(names, "mac") == 0,
	};
	r = device_driver_volatile(&device, err);
	if (r == 0)
		r = device_driver_start(&device, ret_run, err);
	if (r == 0)
		instance_volatile_device_changes(&inst->row->config, row->name, &keys, changes);
	else
		error_wrap(err, "Failed to start device \"%s\"", row->name);
	storage_attached_done(&attached);

	if (r < 0 && has_volume) {
		scoped(error_freep) struct error *undo = NULL;

		if (storage_volume_unmount(inst->state, &volume, &undo) < 0)
			log_warn("Failed unmounting volume \"%s\": %s", volume.name, undo->msg);
	}
	return r;
}

void instance_spec_device_stop(const struct instance *inst, const struct db_device *row)
{
	scoped(smap_done) struct smap keys = { 0 };
	scoped(error_freep) struct error *err = NULL;
	struct storage_volume_id volume;

	instance_volatile_of_device(&inst->row->config, row->name, &keys);
	const struct device device = {
		.host = &inst->state->instances->host,
		.project = inst->row->row.project,
		.instance = inst->row->row.name,
		.name = row->name,
		.config = &row->config,
		.volatile_config = &keys,
	};
	if (device_driver_stop(&device, &err) < 0)
		log_warn("Failed stopping device \"%s\" of instance \"%s\": %s", row->name,
		         inst->row->row.name, err->msg);

	scoped(error_freep) struct error *unmount = NULL;
	if (volume_of(inst, row, &volume) &&
	    storage_volume_unmount(inst->state, &volume, &unmount) < 0)
		log_warn("Failed unmounting volume \"%s\": %s", volume.name, unmount->msg);
}

static int start_devices(const struct instance *inst, struct instance_spec_built *built,
                         struct smap *changes, struct error **err)
{
	const struct db_devices *devices = &inst->row->devices;

	built->devices = xcalloc(devices->n + 1, sizeof(struct run_config *));
	for (size_t i = 0; i < devices->n; i++) {
		struct run_config *run = NULL;

		if (is_root(inst, &devices->rows[i]))
			continue;

		int r = instance_spec_device_start(inst, &devices->rows[i], changes, &run, err);
		if (r < 0) {
			while (i-- > 0)
				if (!is_root(inst, &devices->rows[i]))
					instance_spec_device_stop(inst, &devices->rows[i]);
			return r;
		}
		built->devices[built->n_devices++] = run;
	}

	built->spec.devices = (const struct run_config *const *)built->devices;
	built->spec.n_devices = built->n_devices;
	return 0;
}

static int mount_root(const struct instance *inst, struct operation *op,
                      struct instance_spec_built *built, struct smap *changes, struct error **err)
{
	struct storage_instance storage;
	struct idmap disk_map = { 0 };
	const char *was = smap_get(&inst->row->row.config, "volatile.last_state.idmap");

	int r = instance_storage(inst, &storage, err);
	if (r == 0)
		r = idmap_json_parse(was, &disk_map, err);
	if (r == 0)
		r = storage_instance_mount(inst->state, op, &storage, &disk_map, &built->idmap,
		                           &built->mounted, err);
	idmap_done(&disk_map);
	if (r < 0)
		return r;

	scoped_free char *text = idmap_json_format(&built->mounted.disk_map);
	if (!was || strcmp(was, text) != 0)
		smap_set(changes, "volatile.last_state.idmap", text);
	built->spec.rootfs_path = built->mounted.rootfs_path;
	built->spec.rootfs_shift = built->mounted.shift;
	return 0;
}

static void unmount_root(const struct instance *inst)
{
	struct storage_instance storage;
	scoped(error_freep) struct error *err = NULL;

	if (instance_storage(inst, &storage, &err) < 0 ||
	    storage_instance_unmount(inst->state, &storage, &err) < 0)
		log_warn("Failed unmounting instance \"%s\": %s", inst->row->row.name, err->msg);
}

int instance_spec_start(const struct instance *inst, struct operation *op, struct smap *changes,
                        struct instance_spec_built *ret_built, struct error **err)
{
	*ret_built = (struct instance_spec_built){ 0 };
	describe(inst, ret_built);
	int r = choose_idmap(inst, &ret_built->idmap, changes, err);
	if (r == 0)
		r = mount_root(inst, op, ret_built, changes, err);
	if (r < 0) {
		instance_spec_done(inst, ret_built);
		return r;
	}

	r = start_devices(inst, ret_built, changes, err);
	if (r < 0) {
		unmount_root(inst);
		instance_spec_done(inst, ret_built);
	}
	return r;
}

void instance_spec_stop(const struct instance *inst)
{
	const struct db_devices *devices = &inst->row->devices;

	for (size_t i = devices->n; i-- > 0;)
		if (!is_root(inst, &devices->rows[i]))
			instance_spec_device_stop(inst, &devices->rows[i]);
	unmount_root(inst);
}

void instance_spec_done(const struct instance *inst, struct instance_spec_built *built)
{
	if (built->is_mounted)
		unmount_root(inst);
	for (size_t i = 0; i < built->n_devices; i++)
		run_config_free(built->devices[i]);
	free(built->devices);
	storage_mounted_done(&built->mounted);
	idmap_done(&built->idmap);
	free(built->run_dir);
	free(built->log_dir);
	*built = (struct instance_spec_built){ 0 };
}
