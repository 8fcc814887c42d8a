#include "daemon/project/project_usage.h"

#include "daemon/core/lifecycle.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/conf/conf.h"
#include "lib/data/jv.h"

static void add(struct json_object *urls, const char *project, const char *const *parts)
{
	scoped_free char *url = lifecycle_url(project, parts);

	jv_add_string(urls, url);
}

#define PARTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct json_object *project_usage_urls(const struct db_view *view, const char *project)
{
	struct json_object *urls = jv_array();
	size_t n;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);
	const struct db_profiles *profiles = db_cache_profiles(view);
	const struct db_images *images = db_cache_images(view);
	const struct db_storage_volumes *volumes = db_cache_volumes(view);
	const struct db_placement_groups *groups = db_cache_placement_groups(view);

	for (size_t i = 0; i < n; i++) {
		if (str_equals(instances[i]->row.project, project))
			add(urls, project, PARTS("instances", instances[i]->row.name));
	}

	for (size_t i = 0; i < profiles->n; i++) {
		if (str_equals(profiles->rows[i].project, project))
			add(urls, project, PARTS("profiles", profiles->rows[i].name));
	}

	for (size_t i = 0; i < images->n; i++) {
		if (str_equals(images->rows[i].project, project))
			add(urls, project, PARTS("images", images->rows[i].fingerprint));
	}

	for (size_t i = 0; i < volumes->n; i++) {
		const struct db_storage_volume *v = &volumes->rows[i];

		if (v->type == DB_VOLUME_CUSTOM && str_equals(v->project, project))
			add(urls, project,
			    PARTS("storage-pools", v->pool, "volumes", "custom", v->name));
	}

	for (size_t i = 0; i < groups->n; i++) {
		if (str_equals(groups->rows[i].project, project))
			add(urls, project, PARTS("placement-groups", groups->rows[i].name));
	}

	return urls;
}

static void add_resource(struct json_object *o, const char *name, int64_t limit, int64_t usage)
{
	struct json_object *resource = jv_object();

	jv_set_int(resource, "Limit", limit);
	jv_set_int(resource, "Usage", usage);
	jv_set_take(o, name, resource);
}

static int64_t number_of(const struct smap *config, const char *key)
{
	int64_t n = 0;
	const char *text = smap_get(config, key);

	if (text)
		parse_int64(text, &n);

	return n;
}

static int64_t size_of(const struct smap *config, const char *key)
{
	int64_t n = 0;
	const char *text = smap_get(config, key);

	if (text)
		parse_size(text, &n);

	return n;
}

static int64_t limit_of(const struct db_project *project, const char *key, bool is_size)
{
	if (str_is_empty(smap_get(&project->config, key)))
		return -1;

	return is_size ? size_of(&project->config, key) : number_of(&project->config, key);
}

static int64_t disk_of(const struct db_devices *devices)
{
	int64_t n = 0;

	for (size_t i = 0; i < devices->n; i++) {
		const struct smap *config = &devices->rows[i].config;

		if (str_equals(smap_get(config, "type"), "disk") &&
		    str_equals(smap_get(config, "path"), "/"))
			n += size_of(config, "size");
	}

	return n;
}

struct json_object *project_usage_json(const struct db_view *view, const struct db_project *project)
{
	struct json_object *o = jv_object();
	int64_t n_containers = 0, n_vms = 0, cpu = 0, memory = 0, processes = 0, disk = 0;
	size_t n;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);
	const struct db_storage_volumes *volumes = db_cache_volumes(view);

	for (size_t i = 0; i < n; i++) {
		const struct db_expanded *e = instances[i];

		if (!str_equals(e->row.project, project->name))
			continue;

		if (e->row.type == DB_INSTANCE_VM)
			n_vms++;
		else
			n_containers++;
		cpu += number_of(&e->config, "limits.cpu");
		memory += size_of(&e->config, "limits.memory");
		processes += number_of(&e->config, "limits.processes");
		disk += disk_of(&e->devices);
	}

	for (size_t i = 0; i < volumes->n; i++) {
		const struct db_storage_volume *v = &volumes->rows[i];

		if (v->type == DB_VOLUME_CUSTOM && str_equals(v->project, project->name))
			disk += size_of(&v->config, "size");
	}

	add_resource(o, "containers", limit_of(project, "limits.containers", false), n_containers);
	add_resource(o, "cpu", limit_of(project, "limits.cpu", false), cpu);
	add_resource(o, "disk", limit_of(project, "limits.disk", true), disk);
	add_resource(o, "instances", limit_of(project, "limits.instances", false),
	             n_containers + n_vms);
	add_resource(o, "memory", limit_of(project, "limits.memory", true), memory);
	add_resource(o, "networks", limit_of(project, "limits.networks", false), 0);
	add_resource(o, "processes", limit_of(project, "limits.processes", false), processes);
	add_resource(o, "virtual-machines", limit_of(project, "limits.virtual-machines", false),
	             n_vms);
	return o;
}
