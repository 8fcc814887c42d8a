#include "daemon/api/resources_cpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define MAX_CPUS 4096
#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"

/* One logical processor. */
struct thread {
	int64_t id, socket, core, die, node;
	bool is_online, is_isolated;
};

static char *read_text(const char *path)
{
	char *text = NULL, *chomped;

	if (file_read(path, 65536, &text, NULL) < 0)
		return NULL;

	chomped = str_chomp(text);
	free(text);
	return chomped;
}

static int64_t read_number(const char *path, int64_t fallback)
{
	scoped_free char *text = read_text(path);
	int64_t value = fallback;

	if (text)
		parse_int64(text, &value);

	return value;
}

static int64_t cpu_number(int64_t id, const char *file, int64_t fallback)
{
	scoped_free char *path = xasprintf(CPU_DIR "/cpu%" PRId64 "/%s", id, file);

	return read_number(path, fallback);
}

/* "vendor_id", "model name" of the first processor. */
static char *cpuinfo(const char *key)
{
	scoped_free char *text = read_text("/proc/cpuinfo");
	scoped(strv_freep) char **lines = text ? strv_split(text, '\n') : NULL;

	STRV_FOREACH (line, lines) {
		const char *rest = str_after(line, key);

		if (rest && (rest = strchr(rest, ':')))
			return str_trim(rest + 1);
	}

	return xstrdup("");
}

static int64_t node_of(int64_t id)
{
	for (int64_t node = 0; node < 64; node++) {
		scoped_free char *path =
			xasprintf(NODE_DIR "/node%" PRId64 "/cpu%" PRId64, node, id);

		if (file_exists(path))
			return node;
	}

	return 0;
}

static size_t read_threads(struct thread *threads)
{
	bool *present = xcalloc(MAX_CPUS, sizeof(bool));
	bool *isolated = xcalloc(MAX_CPUS, sizeof(bool));
	scoped_free char *list = read_text(CPU_DIR "/present");
	scoped_free char *isolated_list = read_text(CPU_DIR "/isolated");
	size_t n = 0;

	if (list)
		parse_cpu_set(list, present, MAX_CPUS);
	if (!str_is_empty(isolated_list))
		parse_cpu_set(isolated_list, isolated, MAX_CPUS);

	for (int64_t id = 0; id < MAX_CPUS; id++) {
		if (!present[id])
			continue;

		threads[n++] = (struct thread){
			.id = id,
			.socket = cpu_number(id, "topology/physical_package_id", 0),
			.core = cpu_number(id, "topology/core_id", 0),
			.die = cpu_number(id, "topology/die_id", 0),
			.node = node_of(id),
			.is_online = id == 0 || cpu_number(id, "online", 1) != 0,
			.is_isolated = isolated[id],
		};
	}

	free(present);
	free(isolated);
	return n;
}

static int compare_threads(const void *a, const void *b)
{
	const struct thread *x = a, *y = b;

	if (x->socket != y->socket)
		return x->socket < y->socket ? -1 : 1;
	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct json_object *caches(int64_t cpu)
{
	struct json_object *list = jv_array();

	for (int i = 0; i < 16; i++) {
		scoped_free char *dir = xasprintf(CPU_DIR "/cpu%" PRId64 "/cache/index%d", cpu, i);
		scoped_free char *level = xasprintf("%s/level", dir);
		scoped_free char *type_path = xasprintf("%s/type", dir);
		scoped_free char *size_path = xasprintf("%s/size", dir);
		scoped_free char *type = read_text(type_path);
		scoped_free char *size = read_text(size_path);
		struct json_object *o;

		if (!type)
			break;

		o = jv_object();
		jv_set_int(o, "level", read_number(level, 0));
		jv_set_string(o, "type", type);
		/* "32K" */
		jv_set_int(o, "size", size ? strtoll(size, NULL, 10) * 1024 : 0);
		jv_add_take(list, o);
	}

	return list;
}

static struct json_object *thread_json(const struct thread *t, int64_t number)
{
	struct json_object *o = jv_object();

	jv_set_int(o, "id", t->id);
	jv_set_int(o, "numa_node", t->node);
	jv_set_int(o, "thread", number);
	jv_set_bool(o, "online", t->is_online);
	jv_set_bool(o, "isolated", t->is_isolated);
	return o;
}

static struct json_object *socket_json(const struct thread *first, const char *name,
                                       const char *vendor)
{
	struct json_object *o = jv_object();
	int64_t khz = cpu_number(first->id, "cpufreq/cpuinfo_min_freq", 0);

	jv_set_string(o, "name", name);
	jv_set_string(o, "vendor", vendor);
	jv_set_int(o, "socket", first->socket);
	jv_set_take(o, "cache", caches(first->id));
	if (khz > 0) {
		jv_set_int(o, "frequency_minimum", khz / 1000);
		jv_set_int(o, "frequency",
		           cpu_number(first->id, "cpufreq/scaling_cur_freq", 0) / 1000);
		jv_set_int(o, "frequency_turbo",
		           cpu_number(first->id, "cpufreq/cpuinfo_max_freq", 0) / 1000);
	}
	jv_set_take(o, "cores", jv_array());
	return o;
}

struct json_object *resources_cpu_json(const char *architecture)
{
	struct json_object *cpu = jv_object(), *sockets = jv_array();
	struct json_object *socket = NULL, *core = NULL;
	struct thread *threads = xcalloc(MAX_CPUS, sizeof(*threads));
	size_t n = read_threads(threads);
	scoped_free char *name = cpuinfo("model name");
	scoped_free char *vendor = cpuinfo("vendor_id");

	qsort(threads, n, sizeof(*threads), compare_threads);
	for (size_t i = 0; i < n; i++) {
		const struct thread *t = &threads[i];
		bool is_new_socket = i == 0 || t->socket != threads[i - 1].socket;

		if (is_new_socket) {
			socket = socket_json(t, name, vendor);
			jv_add_take(sockets, socket);
		}
		if (is_new_socket || t->core != threads[i - 1].core) {
			core = jv_object();
			jv_set_int(core, "core", t->core);
			jv_set_int(core, "die", t->die < 0 ? 0 : t->die);
			jv_set_take(core, "threads", jv_array());
			jv_add_take(jv_member(socket, "cores"), core);
		}

		struct json_object *list = jv_member(core, "threads");

		jv_add_take(list, thread_json(t, (int64_t)jv_len(list)));
	}

	free(threads);
	jv_set_string(cpu, "architecture", architecture);
	jv_set_take(cpu, "sockets", sockets);
	jv_set_int(cpu, "total", (int64_t)n);
	return cpu;
}

/* A value of a "Key:  123 kB" file in bytes (or as it is without a unit). */
static int64_t meminfo(char *const *lines, const char *key)
{
	STRV_FOREACH (line, lines) {
		const char *at = strstr(line, key);
		char *unit;
		int64_t value;

		if (!at || at[strlen(key)] != ':')
			continue;

		value = strtoll(at + strlen(key) + 1, &unit, 10);
		return strstr(unit, "kB") ? value * 1024 : value;
	}

	return 0;
}

static void set_memory(struct json_object *o, char *const *lines)
{
	int64_t page = meminfo(lines, "Hugepagesize");
	int64_t total = meminfo(lines, "MemTotal");
	int64_t available = meminfo(lines, "MemAvailable");

	if (page == 0)
		page = 2048 * 1024;
	if (available == 0)
		available = meminfo(lines, "MemFree");

	jv_set_int(o, "hugepages_total", meminfo(lines, "HugePages_Total") * page);
	jv_set_int(o, "hugepages_used",
	           (meminfo(lines, "HugePages_Total") - meminfo(lines, "HugePages_Free")) * page);
	jv_set_int(o, "used", total - available);
	jv_set_int(o, "total", total);
}

struct json_object *resources_cpu_memory(void)
{
	struct json_object *memory = jv_object(), *nodes = jv_array();
	scoped_free char *text = read_text("/proc/meminfo");
	scoped(strv_freep) char **lines = text ? strv_split(text, '\n') : NULL;

	for (int64_t node = 0; node < 64; node++) {
		scoped_free char *path = xasprintf(NODE_DIR "/node%" PRId64 "/meminfo", node);
		scoped_free char *node_text = read_text(path);
		scoped(strv_freep) char **node_lines = NULL;
		struct json_object *o;

		if (!node_text)
			continue;

		node_lines = strv_split(node_text, '\n');
		o = jv_object();
		jv_set_int(o, "numa_node", node);
		set_memory(o, node_lines);
		jv_add_take(nodes, o);
	}

	jv_set_take(memory, "nodes", nodes);
	set_memory(memory, lines);
	jv_set_int(memory, "hugepages_size", meminfo(lines, "Hugepagesize"));
	return memory;
}
