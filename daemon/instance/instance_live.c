#include "daemon/instance/instance_live.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_service.h"
#include "daemon/instance/instance_spec.h"
#include "daemon/instance/instance_volatile.h"
#include "daemon/project/project.h"
#include "drivers/device/device_driver.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/strv.h"

struct live {
	struct smap limits;
	struct db_devices devices;
};

static void live_free(void *arg)
{
	struct live *live = arg;

	smap_done(&live->limits);
	db_device_list_done(&live->devices);
	free(live);
}

struct map *instance_live_map(void)
{
	return map_new(live_free);
}

static void copy_limits(const struct smap *config, struct smap *ret_limits)
{
	SMAP_FOREACH (e, config)
		if (instance_conf_is_limit(e->key))
			smap_set(ret_limits, e->key, e->value);
}

static struct live *live_of(const struct instance *inst)
{
	struct live *live = xcalloc(1, sizeof(*live));

	copy_limits(&inst->row->config, &live->limits);
	db_device_copy(&live->devices, &inst->row->devices);
	return live;
}

static void remember(const struct instance *inst, struct live *live)
{
	struct instance_service *service = inst->state->instances;

	mutex_lock(&service->mutex);
	map_set(service->live, inst->id, live);
	mutex_unlock(&service->mutex);
}

void instance_live_remember(const struct instance *inst)
{
	remember(inst, live_of(inst));
}

void instance_live_forget(const struct instance *inst)
{
	struct instance_service *service = inst->state->instances;

	mutex_lock(&service->mutex);
	map_remove(service->live, inst->id);
	mutex_unlock(&service->mutex);
}

/* Takes it out; the caller, who holds the instance's lock, puts it back. */
static struct live *take(const struct instance *inst)
{
	struct instance_service *service = inst->state->instances;

	mutex_lock(&service->mutex);
	struct live *live = map_take(service->live, inst->id);
	mutex_unlock(&service->mutex);
	return live ? live : live_of(inst);
}

static bool is_same_device(const struct db_device *a, const struct db_devices *devices)
{
	const struct db_device *b = db_device_find(devices, a->name);

	return b && smap_equals(&a->config, &b->config);
}

static bool is_root(const struct db_device *device, const struct db_devices *devices)
{
	return device == instance_root_disk(devices);
}

static int check_device(const struct db_device *device, const char *what, struct error **err)
{
	if (device_driver_can_hotplug(&device->config))
		return 0;

	return error_set(err, 400, "Device \"%s\" cannot be %s when instance is running",
	                 device->name, what);
}

int instance_live_check(const struct instance *inst, const struct db_expanded *next,
                        struct error **err)
{
	const struct db_devices *old = &inst->row->devices;

	if (!instance_is_running(inst))
		return 0;

	for (size_t i = 0; i < old->n; i++) {
		if (is_root(&old->rows[i], old) || is_same_device(&old->rows[i], &next->devices))
			continue;

		int r = check_device(&old->rows[i], "removed", err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < next->devices.n; i++) {
		const struct db_device *device = &next->devices.rows[i];

		if (is_root(device, &next->devices) || is_same_device(device, old))
			continue;

		int r = check_device(device, "added", err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int remove_device(const struct instance *inst, const struct instance_spec *spec,
                         const struct db_device *device, struct error **err)
{
	scoped(run_config_freep) struct run_config *run = NULL;
	scoped(smap_done) struct smap changes = { 0 };

	/* What it wants of the instance is worked out again: that is what has to go. */
	int r = instance_spec_device_start(inst, device, &changes, &run, err);
	if (r == 0)
		r = inst->driver->device_remove(inst->engine, spec, run, err);
	instance_spec_device_stop(inst, device);
	if (r < 0)
		return error_wrap(err, "Failed to stop device \"%s\"", device->name);

	return 0;
}

/* A device that is gone for good leaves no keys. */
static void drop_keys(const struct instance *inst, const char *device, struct smap *changes)
{
	scoped_free char *prefix = xasprintf("volatile.%s.", device);

	if (db_device_find(&inst->row->devices, device))
		return;
	SMAP_FOREACH (e, &inst->row->row.config)
		if (strncmp(e->key, prefix, strlen(prefix)) == 0)
			smap_set(changes, e->key, "");
}

static int add_device(const struct instance *inst, const struct instance_spec *spec,
                      const struct db_device *device, struct smap *changes, struct error **err)
{
	scoped(run_config_freep) struct run_config *run = NULL;

	int r = instance_spec_device_start(inst, device, changes, &run, err);
	if (r < 0)
		return r;

	r = inst->driver->device_add(inst->engine, spec, run, err);
	if (r < 0) {
		instance_spec_device_stop(inst, device);
		return error_wrap(err, "Failed to start device \"%s\"", device->name);
	}
	return 0;
}

static int apply_devices(const struct instance *inst, const struct instance_spec *spec,
                         struct live *live, struct error **err)
{
	const struct db_devices *next = &inst->row->devices;
	scoped(smap_done) struct smap changes = { 0 };
	int r = 0;

	for (size_t i = live->devices.n; r == 0 && i-- > 0;) {
		const struct db_device *device = &live->devices.rows[i];

		if (is_root(device, &live->devices) || is_same_device(device, next))
			continue;

		r = remove_device(inst, spec, device, err);
		if (r < 0)
			break;
		drop_keys(inst, device->name, &changes);
		db_device_remove(&live->devices, device->name);
	}
	for (size_t i = 0; r == 0 && i < next->n; i++) {
		const struct db_device *device = &next->rows[i];

		if (is_root(device, next) || is_same_device(device, &live->devices))
			continue;

		r = add_device(inst, spec, device, &changes, err);
		if (r == 0)
			smap_copy(&db_device_add(&live->devices, device->name)->config,
			          &device->config);
	}
	if (r == 0)
		r = instance_volatile_write(inst, &changes, err);

	return r;
}

static int apply_limits(const struct instance *inst, const struct instance_spec *spec,
                        struct live *live, struct error **err)
{
	struct smap limits = { 0 };
	int r = 0;

	copy_limits(&inst->row->config, &limits);
	if (!smap_equals(&limits, &live->limits))
		r = inst->driver->update_limits(inst->engine, spec, err);
	if (r < 0) {
		smap_done(&limits);
		return r;
	}

	smap_done(&live->limits);
	live->limits = limits;
	return 0;
}

int instance_live_apply(const struct instance *inst, struct error **err)
{
	struct instance_spec_built built;

	if (!instance_is_running(inst))
		return 0;

	int r = instance_spec_init(inst, &built, err);
	if (r < 0)
		return r;

	struct live *live = take(inst);
	r = apply_limits(inst, &built.spec, live, err);
	if (r == 0)
		r = apply_devices(inst, &built.spec, live, err);
	remember(inst, live);
	instance_spec_done(inst, &built);
	return r;
}

static void apply_to(struct state *state, const char *project, const char *name)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(error_freep) struct error *err = NULL;

	if (instance_lock(state, project, name, state->instances->stopping, &lock, &inst, &err) <
	            0 ||
	    instance_live_apply(inst, &err) < 0)
		log_warn("Failed bringing a changed profile to instance \"%s\": %s", name,
		         err->msg);
}

void instance_live_profile_changed(struct state *state, const char *project, const char *name)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *here = state_member_name(state);
	size_t n = 0;

	if (db_cache_view(state->cache, INSTANCE_FAMILIES, &view, &err) < 0) {
		log_warn("Failed finding the instances of profile \"%s\": %s", name, err->msg);
		return;
	}

	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	for (size_t i = 0; i < n; i++) {
		const struct db_instance *row = &rows[i]->row;
		scoped(error_freep) struct error *ignored = NULL;
		const char *effective = NULL;

		if (strcmp(row->member, here) != 0 || !strv_contains(row->profiles, name) ||
		    project_effective(view, row->project, PROJECT_PROFILES, &effective, &ignored) <
		            0 ||
		    strcmp(effective, project) != 0)
			continue;
		apply_to(state, row->project, row->name);
	}
}
