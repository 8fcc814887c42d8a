#include "daemon/instance/instance_json.h"

#include <string.h>

#include "daemon/project/project.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

struct instance_status_name instance_json_status(enum instance_status status)
{
	static const struct instance_status_name names[] = {
		[INSTANCE_STOPPED] = { "Stopped", 102 },
		[INSTANCE_RUNNING] = { "Running", 103 },
		[INSTANCE_FROZEN] = { "Frozen", 110 },
	};

	return names[status];
}

struct instance_status_name instance_json_status_unknown(void)
{
	return (struct instance_status_name){ "Error", 112 };
}

struct json_object *instance_json_devices(const struct db_devices *devices)
{
	struct json_object *obj = jv_object();

	for (size_t i = 0; i < devices->n; i++)
		jv_set_smap(obj, devices->rows[i].name, &devices->rows[i].config);

	return obj;
}

/* LXD shows the beginning of time where something never happened. */
static void set_date(struct json_object *obj, const char *key, int64_t date)
{
	jv_set_date(obj, key, date == DATE_NONE ? 0 : date);
}

void instance_json_add_head(const struct instance *inst, struct json_object *obj)
{
	jv_set_string(obj, "name", inst->row->row.name);
	jv_set_string(obj, "description", inst->row->row.description);
}

void instance_json_add_tail(const struct instance *inst, struct json_object *obj)
{
	const struct db_instance *row = &inst->row->row;

	jv_set_date(obj, "created_at", row->created);
	set_date(obj, "last_used_at", row->last_used);
	jv_set_string(obj, "location", row->member);
	jv_set_string(obj, "type", instance_type_name(inst));
	jv_set_string(obj, "project", row->project);
	jv_set_string(obj, "architecture", row->architecture);
	jv_set_bool(obj, "ephemeral", row->ephemeral);
	jv_set_bool(obj, "stateful", row->stateful);
	jv_set_strv(obj, "profiles", row->profiles);
	jv_set_smap(obj, "config", &row->config);
	jv_set_take(obj, "devices", instance_json_devices(&row->devices));
	jv_set_smap(obj, "expanded_config", &inst->row->config);
	jv_set_take(obj, "expanded_devices", instance_json_devices(&inst->row->devices));
}

struct json_object *instance_json(const struct instance *inst,
                                  const struct instance_status_name *status)
{
	struct instance_status_name shown =
		status ? *status : instance_json_status(instance_status(inst));
	struct json_object *obj = jv_object();

	instance_json_add_head(inst, obj);
	jv_set_string(obj, "status", shown.text);
	jv_set_int(obj, "status_code", shown.code);
	instance_json_add_tail(inst, obj);
	return obj;
}

/* Over its profiles as they are now; those that have gone are left out. */
static void expand_snapshot(const struct instance *inst, const struct db_instance_snapshot *row,
                            struct smap *ret_config, struct db_devices *ret_devices)
{
	scoped(error_freep) struct error *ignored = NULL;
	const char *project = inst->row->row.project;

	(void)project_effective(inst->view, project, PROJECT_PROFILES, &project, &ignored);
	STRV_FOREACH (name, row->profiles) {
		const struct db_profile *profile = db_cache_profile(inst->view, project, name);

		if (!profile)
			continue;
		smap_merge(ret_config, &profile->config);
		db_device_overlay(ret_devices, &profile->devices);
	}
	smap_merge(ret_config, &row->config);
	db_device_overlay(ret_devices, &row->devices);
}

struct json_object *instance_json_snapshot(const struct instance *inst,
                                           const struct db_instance_snapshot *row)
{
	struct json_object *obj = jv_object();
	scoped(smap_done) struct smap config = { 0 };
	struct db_devices expanded = { 0 };

	jv_set_string(obj, "name", row->name);
	jv_set_string(obj, "description", row->description);
	jv_set_date(obj, "created_at", row->created);
	jv_set_date(obj, "expires_at", row->expires);
	jv_set_date(obj, "last_used_at", row->last_used);
	jv_set_string(obj, "architecture", row->architecture);
	jv_set_bool(obj, "ephemeral", row->ephemeral);
	jv_set_bool(obj, "stateful", row->stateful);
	jv_set_int(obj, "size", 0);
	jv_set_strv(obj, "profiles", row->profiles);
	jv_set_smap(obj, "config", &row->config);
	jv_set_take(obj, "devices", instance_json_devices(&row->devices));
	expand_snapshot(inst, row, &config, &expanded);
	jv_set_smap(obj, "expanded_config", &config);
	jv_set_take(obj, "expanded_devices", instance_json_devices(&expanded));
	db_device_list_done(&expanded);
	return obj;
}

struct json_object *instance_json_etag(const struct db_instance *row)
{
	struct json_object *obj = jv_object();

	jv_set_string(obj, "architecture", row->architecture);
	jv_set_smap(obj, "config", &row->config);
	jv_set_take(obj, "devices", instance_json_devices(&row->devices));
	jv_set_bool(obj, "ephemeral", row->ephemeral);
	jv_set_strv(obj, "profiles", row->profiles);
	return obj;
}

static struct json_object *interface_json(const struct instance_interface *nic)
{
	struct json_object *obj = jv_object();
	struct json_object *addresses = jv_array();
	struct json_object *counters = jv_object();

	for (size_t i = 0; i < nic->n_addresses; i++) {
		struct json_object *address = jv_object();

		jv_set_string(address, "family", nic->addresses[i].family);
		jv_set_string(address, "address", nic->addresses[i].address);
		jv_set_string(address, "netmask", nic->addresses[i].netmask);
		jv_set_string(address, "scope", nic->addresses[i].scope);
		jv_add_take(addresses, address);
	}
	jv_set_uint(counters, "bytes_received", nic->counters.bytes_received);
	jv_set_uint(counters, "bytes_sent", nic->counters.bytes_sent);
	jv_set_uint(counters, "packets_received", nic->counters.packets_received);
	jv_set_uint(counters, "packets_sent", nic->counters.packets_sent);
	jv_set_uint(counters, "errors_received", nic->counters.errors_received);
	jv_set_uint(counters, "errors_sent", nic->counters.errors_sent);
	jv_set_uint(counters, "packets_dropped_outbound", nic->counters.dropped_outbound);
	jv_set_uint(counters, "packets_dropped_inbound", nic->counters.dropped_inbound);

	jv_set_take(obj, "addresses", addresses);
	jv_set_take(obj, "counters", counters);
	jv_set_string(obj, "hwaddr", nic->hwaddr);
	jv_set_string(obj, "host_name", nic->host_name);
	jv_set_uint(obj, "mtu", nic->mtu);
	jv_set_string(obj, "state", nic->state);
	jv_set_string(obj, "type", nic->type);
	return obj;
}

/* What the root disk uses; zeros where the pool cannot tell. */
static struct json_object *disk_json(const struct instance *inst)
{
	struct json_object *obj = jv_object();
	const struct db_device *root = instance_root_disk(&inst->row->devices);
	struct storage_instance storage;
	struct storage_space space = { 0 };
	scoped(error_freep) struct error *err = NULL;

	if (!root || instance_storage(inst, &storage, &err) < 0)
		return obj;
	if (storage_instance_space(inst->state, &storage, &space, &err) < 0)
		space = (struct storage_space){ 0 };

	struct json_object *disk = jv_object();
	jv_set_uint(disk, "usage", space.used_bytes);
	jv_set_uint(disk, "total", space.total_bytes);
	jv_set_take(obj, root->name, disk);
	return obj;
}

static struct json_object *state_json(const struct instance *inst, uint32_t parts,
                                      const struct instance_state *state)
{
	struct instance_status_name name = instance_json_status(state->status);
	struct json_object *obj = jv_object();
	struct json_object *memory = jv_object();
	struct json_object *cpu = jv_object();

	jv_set_string(obj, "status", name.text);
	jv_set_int(obj, "status_code", name.code);
	if (parts & INSTANCE_JSON_DISK)
		jv_set_take(obj, "disk", disk_json(inst));
	else
		jv_set_null(obj, "disk");

	jv_set_uint(memory, "usage", state->memory_usage);
	jv_set_uint(memory, "usage_peak", state->memory_usage_peak);
	jv_set_uint(memory, "total", state->memory_total);
	jv_set_uint(memory, "swap_usage", state->swap_usage);
	jv_set_uint(memory, "swap_usage_peak", state->swap_usage_peak);
	jv_set_take(obj, "memory", memory);

	if (state->interfaces) {
		struct json_object *network = jv_object();

		for (size_t i = 0; i < state->n_interfaces; i++)
			jv_set_take(network, state->interfaces[i].name,
			            interface_json(&state->interfaces[i]));
		jv_set_take(obj, "network", network);
	} else {
		jv_set_null(obj, "network");
	}
	jv_set_int(obj, "pid", state->pid);
	jv_set_int(obj, "processes", state->processes);
	jv_set_uint(cpu, "usage", state->cpu_usage);
	jv_set_take(obj, "cpu", cpu);
	if (state->started_at)
		jv_set_date(obj, "started_at", (int64_t)state->started_at * DATE_SECOND);
	else
		jv_set_date(obj, "started_at", DATE_NONE);
	return obj;
}

int instance_json_state(const struct instance *inst, uint32_t parts, struct json_object **ret_state,
                        struct error **err)
{
	struct instance_state state = { 0 };
	const char *const ids[] = { inst->id };

	if (inst->engine) {
		int r = inst->driver->states(inst->engine, ids, 1, parts & ~INSTANCE_JSON_DISK,
		                             &state, err);
		if (r < 0)
			return r;
	}

	*ret_state = state_json(inst, parts, &state);
	instance_state_done(&state);
	return 0;
}

void instance_json_add_full(const struct instance *inst, struct json_object *obj,
                            struct json_object *state_take)
{
	size_t n = 0;
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(inst->view, inst->row->row.id, &n);

	jv_set_null(obj, "backups");
	if (state_take)
		jv_set_take(obj, "state", state_take);
	else
		jv_set_null(obj, "state");
	if (n == 0) {
		jv_set_null(obj, "snapshots");
		return;
	}

	struct json_object *snapshots = jv_array();
	for (size_t i = 0; i < n; i++)
		jv_add_take(snapshots, instance_json_snapshot(inst, &rows[i]));
	jv_set_take(obj, "snapshots", snapshots);
}
