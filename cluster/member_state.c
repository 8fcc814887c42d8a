#include "cluster/member_state.h"

#include <errno.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "cluster/cluster_private.h"
#include "lib/data/jv.h"

int member_state_read(struct member_state *ret_state, struct error **err)
{
	struct sysinfo info;
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (sysinfo(&info) < 0)
		return error_set_errno(err, -errno, "Failed reading the system's state");

	uint64_t unit = info.mem_unit;
	*ret_state = (struct member_state){
		.uptime = (uint64_t)info.uptime,
		.total_ram = info.totalram * unit,
		.free_ram = info.freeram * unit,
		.shared_ram = info.sharedram * unit,
		.buffered_ram = info.bufferram * unit,
		.total_swap = info.totalswap * unit,
		.free_swap = info.freeswap * unit,
		.n_processes = info.procs,
		.n_logical_cpus = n_cpus > 0 ? (uint64_t)n_cpus : 1,
	};
	for (size_t i = 0; i < 3; i++)
		ret_state->load_averages[i] = (double)info.loads[i] / (1 << SI_LOAD_SHIFT);

	return 0;
}

int member_state_json(struct cluster *cluster, struct json_object **ret_state, struct error **err)
{
	struct member_state state;
	struct json_object *pools = NULL;

	int r = member_state_read(&state, err);
	if (r >= 0)
		r = HOOK_INT(cluster, pools_state, &pools, err);
	if (r < 0)
		return r;

	struct json_object *loads = jv_array();
	for (size_t i = 0; i < 3; i++) {
		/* Two digits, as /proc/loadavg shows them. */
		double load = (double)(int64_t)(state.load_averages[i] * 100 + 0.5) / 100;

		jv_add_take(loads, json_object_new_double(load));
	}

	struct json_object *info = jv_object();
	jv_set_uint(info, "uptime", state.uptime);
	jv_set_take(info, "load_averages", loads);
	jv_set_uint(info, "total_ram", state.total_ram);
	jv_set_uint(info, "free_ram", state.free_ram);
	jv_set_uint(info, "shared_ram", state.shared_ram);
	jv_set_uint(info, "buffered_ram", state.buffered_ram);
	jv_set_uint(info, "total_swap", state.total_swap);
	jv_set_uint(info, "free_swap", state.free_swap);
	jv_set_uint(info, "processes", state.n_processes);
	jv_set_uint(info, "logical_cpus", state.n_logical_cpus);

	struct json_object *o = jv_object();
	jv_set_take(o, "sysinfo", info);
	jv_set_take(o, "storage_pools", pools ? pools : jv_object());
	*ret_state = o;

	return 0;
}

uint64_t member_state_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) < 0 ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

unsigned member_state_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 0;
}
