#include "daemon/project/project_limits.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/project/project_conf.h"
#include "db/cache.h"
#include "db/db.h"
#include "db/device_rows.h"
#include "db/instances.h"
#include "db/profiles.h"
#include "db/projects.h"
#include "drivers/instance/instance_idmap.h"
#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/conf/conf.h"

static bool is_restricted(const struct db_project *project)
{
	return smap_is_true(&project->config, "restricted");
}

static const char *rule(const struct db_project *project, const char *key)
{
	return str_or_empty(conf_get(project_conf_keys, &project->config, key));
}

static bool is_blocked(const struct db_project *project, const char *key)
{
	return is_restricted(project) && str_equals(rule(project, key), "block");
}

/* Keys of the config that a restriction is about; a prefix ends with a dot. */
static const struct {
	const char *key;
	const char *rule;
} config_rules[] = {
	{ "raw.", "restricted.containers.lowlevel" },
	{ "linux.kernel_modules", "restricted.containers.lowlevel" },
	{ "volatile.", "restricted.containers.lowlevel" },
	{ "security.nesting", "restricted.containers.nesting" },
	{ "security.syscalls.intercept.", "restricted.containers.interception" },
	{ "boot.host_shutdown_timeout", "restricted.containers.lowlevel" },
	{ "security.idmap.base", "restricted.containers.lowlevel" },
	{ "security.idmap.size", "restricted.containers.lowlevel" },
	{ "security.devlxd.images", "restricted.containers.lowlevel" },
	{ "linux.kernel_modules.load", "restricted.containers.lowlevel" },
	{ "limits.memory.swap", "restricted.containers.lowlevel" },
};

/* Numbers and texts: there is no value of theirs that asks for nothing. */
static bool asks_for_nothing(const char *key, const char *value)
{
	return *value == '\0' || (!str_starts(key, "security.idmap.") && parse_is_false(value));
}

static int forbidden(struct error **err, const char *key, const char *rule_key)
{
	return error_set(err, 403, "Use of \"%s\" is forbidden by \"%s\"", key, rule_key);
}

static int check_privilege(const struct db_project *project, const struct smap *config,
                           struct error **err)
{
	const char *value = rule(project, "restricted.containers.privilege");
	bool is_privileged = smap_is_true(config, "security.privileged");
	bool is_isolated = smap_is_true(config, "security.idmap.isolated");

	if (is_privileged && !str_equals(value, "allow"))
		return forbidden(err, "security.privileged", "restricted.containers.privilege");
	if (str_equals(value, "isolated") && smap_has(config, "security.idmap.isolated") &&
	    !is_isolated)
		return forbidden(err, "security.idmap.isolated", "restricted.containers.privilege");

	return 0;
}

static int check_config(const struct db_project *project, const struct smap *config,
                        struct error **err)
{
	SMAP_FOREACH (e, config) {
		for (size_t i = 0; i < COUNT_OF(config_rules); i++) {
			const char *key = config_rules[i].key;
			bool is_prefix = str_ends(key, ".");

			if (is_prefix ? !str_starts(e->key, key) : !str_equals(e->key, key))
				continue;
			if (str_starts(e->key, "volatile.") || asks_for_nothing(e->key, e->value))
				continue;
			if (str_starts(e->key, "raw.idmap"))
				continue;
			if (is_blocked(project, config_rules[i].rule))
				return forbidden(err, e->key, config_rules[i].rule);
		}
	}

	int r = instance_idmap_check_hosts(smap_get_or(config, "raw.idmap", ""),
	                                   rule(project, "restricted.idmap.uid"),
	                                   rule(project, "restricted.idmap.gid"), err);
	if (r < 0)
		return r;

	return check_privilege(project, config, err);
}

/* The allowed path that 'source' is below, or NULL. Without allowed paths every one is: "/". */
static char *find_allowed(const struct db_project *project, const char *source)
{
	const char *paths = rule(project, "restricted.devices.disk.paths");
	scoped(strv_freep) char **list = strv_split_trimmed(paths, ',');

	if (path_has_dotdot(source))
		return NULL;
	if (!list || !*list)
		return xstrdup("/");
	STRV_FOREACH (path, list) {
		if (path_is_beneath(path, source))
			return xstrdup(path);
	}
	return NULL;
}

static bool is_path_allowed(const struct db_project *project, const char *source)
{
	scoped_free char *within = find_allowed(project, source);

	return within != NULL;
}

int project_limits_disk_within(const struct db_project *project, const struct smap *disk,
                               char **ret_within, struct error **err)
{
	const char *source = smap_get(disk, "source");

	*ret_within = NULL;
	if (!is_restricted(project) || !str_is_empty(smap_get(disk, "pool")) || !source ||
	    str_is_empty(rule(project, "restricted.devices.disk.paths")))
		return 0;
	*ret_within = find_allowed(project, source);
	if (!*ret_within)
		return error_set(err, 403, "Disk source path \"%s\" is not allowed", source);
	return 0;
}

static int check_disk(const struct db_project *project, const char *name, const struct smap *config,
                      struct error **err)
{
	const char *value = rule(project, "restricted.devices.disk");
	const char *source = smap_get(config, "source");
	bool is_root = str_equals(smap_get(config, "path"), "/");
	bool is_managed = !str_is_empty(smap_get(config, "pool"));

	if (is_root && is_managed)
		return 0;
	if (str_equals(value, "block") || (str_equals(value, "managed") && !is_managed))
		return error_set(err, 403, "Disk device \"%s\" is forbidden by \"%s\"", name,
		                 "restricted.devices.disk");
	if (!is_managed && source && !is_path_allowed(project, source))
		return error_set(err, 403, "Disk source path \"%s\" is not allowed", source);

	return 0;
}

static int check_device(const struct db_project *project, const char *name,
                        const struct smap *config, struct error **err)
{
	const char *type = str_or_empty(smap_get(config, "type"));
	scoped_free char *key = xasprintf("restricted.devices.%s", type);

	if (str_equals(type, "none"))
		return 0;
	if (str_equals(type, "disk"))
		return check_disk(project, name, config, err);

	if (str_equals(type, "nic")) {
		const char *value = rule(project, "restricted.devices.nic");
		bool is_managed = !str_is_empty(smap_get(config, "network"));

		if (str_equals(value, "block") || (str_equals(value, "managed") && !is_managed))
			return error_set(err, 403, "Network device \"%s\" is forbidden by \"%s\"",
			                 name, "restricted.devices.nic");
		return 0;
	}

	if (conf_find(project_conf_keys, key) && is_blocked(project, key))
		return error_set(err, 403, "Device \"%s\" is forbidden by \"%s\"", name, key);

	return 0;
}

int project_limits_check_profile(const struct db_project *project, const struct smap *config,
                                 const struct db_devices *devices, struct error **err)
{
	if (!is_restricted(project))
		return 0;

	int r = check_config(project, config, err);

	for (size_t i = 0; r == 0 && i < devices->n; i++)
		r = check_device(project, devices->rows[i].name, &devices->rows[i].config, err);

	return r;
}

int project_limits_check_instance(const struct db_project *project, const struct smap *config,
                                  const struct db_devices *devices, struct error **err)
{
	const char *value = rule(project, "restricted.containers.privilege");

	int r = project_limits_check_profile(project, config, devices, err);
	if (r < 0 || !is_restricted(project))
		return r;

	if (str_equals(value, "isolated") && !smap_is_true(config, "security.idmap.isolated"))
		return forbidden(err, "security.idmap.isolated", "restricted.containers.privilege");

	return 0;
}

/* Sums of what the instances of a project ask for. */
struct sums {
	int64_t containers, vms, cpu, memory, processes, disk;
	struct smap pools; /* Of the disks, as text, by the pool's name. */
};

static void sums_done(struct sums *sums)
{
	smap_done(&sums->pools);
}

/* A key that a limit sums up must be set on each instance: without it the sum says nothing. */
static int add_key(const struct db_project *project, const struct smap *config, const char *key,
                   bool is_size, int64_t *sum, struct error **err)
{
	const char *value = smap_get(config, key);
	int64_t n = 0;

	if (str_is_empty(smap_get(&project->config, key)))
		return 0;
	if (str_is_empty(value))
		return error_set(err, 403, "Instances of project \"%s\" must set \"%s\"",
		                 project->name, key);
	if ((is_size ? parse_size(value, &n) : parse_int64(value, &n)) < 0)
		return error_set(err, 403, "Value \"%s\" of \"%s\" cannot be counted", value, key);

	*sum += n;
	return 0;
}

static void add_to_pool(struct sums *sums, const char *pool, int64_t size)
{
	int64_t before = 0;

	(void)parse_int64(smap_get_or(&sums->pools, pool, "0"), &before);
	smap_setf(&sums->pools, pool, "%" PRId64, before + size);
}

static void add_disk(const struct db_devices *devices, struct sums *sums)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct smap *config = &devices->rows[i].config;
		const char *size = smap_get(config, "size");
		int64_t n = 0;

		if (str_equals(smap_get(config, "type"), "disk") &&
		    str_equals(smap_get(config, "path"), "/") && size &&
		    parse_size(size, &n) == 0) {
			sums->disk += n;
			add_to_pool(sums, smap_get_or(config, "pool", ""), n);
		}
	}
}

static int add_instance(const struct db_project *project, int64_t type, const struct smap *config,
                        const struct db_devices *devices, struct sums *sums, struct error **err)
{
	*(type == DB_INSTANCE_VM ? &sums->vms : &sums->containers) += 1;
	add_disk(devices, sums);
	if (add_key(project, config, "limits.cpu", false, &sums->cpu, err) < 0 ||
	    add_key(project, config, "limits.memory", true, &sums->memory, err) < 0 ||
	    add_key(project, config, "limits.processes", false, &sums->processes, err) < 0)
		return (*err)->code;

	return 0;
}

static int check_sum(const struct db_project *project, const char *key, bool is_size, int64_t sum,
                     struct error **err)
{
	const char *value = smap_get(&project->config, key);
	int64_t limit;

	if (str_is_empty(value) ||
	    (is_size ? parse_size(value, &limit) : parse_int64(value, &limit)) < 0)
		return 0;

	if (sum > limit)
		return error_set(err, 403,
		                 "Reached maximum value \"%s\" of \"%s\" in project \"%s\"", value,
		                 key, project->name);

	return 0;
}

/* Against 'before' only what has changed since counts; NULL: everything. */
static int check_sums(const struct db_project *project, const struct db_project *before,
                      const struct sums *s, struct error **err)
{
	const struct {
		const char *key;
		bool is_size;
		int64_t sum;
	} checks[] = {
		{ "limits.containers", false, s->containers },
		{ "limits.virtual-machines", false, s->vms },
		{ "limits.instances", false, s->containers + s->vms },
		{ "limits.cpu", false, s->cpu },
		{ "limits.memory", true, s->memory },
		{ "limits.processes", false, s->processes },
		{ "limits.disk", true, s->disk },
	};

	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		const char *key = checks[i].key;

		if (before && str_equals(str_or_empty(smap_get(&before->config, key)),
		                         str_or_empty(smap_get(&project->config, key))))
			continue;
		int r = check_sum(project, key, checks[i].is_size, checks[i].sum, err);
		if (r < 0)
			return r;
	}

	SMAP_FOREACH (e, &s->pools) {
		scoped_free char *key = xasprintf("limits.disk.pool.%s", e->key);
		int64_t sum = 0;

		(void)parse_int64(e->value, &sum);
		if (before && str_equals(str_or_empty(smap_get(&before->config, key)),
		                         str_or_empty(smap_get(&project->config, key))))
			continue;
		int r = check_sum(project, key, true, sum, err);
		if (r < 0)
			return r;
	}

	return 0;
}

bool project_limits_exist(const struct db_project *project)
{
	if (!project)
		return true;

	SMAP_FOREACH (e, &project->config) {
		if (str_starts(e->key, "limits.") && *e->value)
			return true;
	}

	return false;
}

static const struct db_profile *find_profile(const struct db_profiles *profiles, const char *name)
{
	for (size_t i = 0; i < profiles->n; i++) {
		if (str_equals(profiles->rows[i].name, name))
			return &profiles->rows[i];
	}

	return NULL;
}

static void expand(const struct db_profiles *profiles, const struct db_instance *row,
                   struct smap *config, struct db_devices *devices)
{
	STRV_FOREACH (name, row->profiles) {
		const struct db_profile *profile = find_profile(profiles, name);

		if (profile) {
			smap_merge(config, &profile->config);
			db_device_overlay(devices, &profile->devices);
		}
	}
	smap_merge(config, &row->config);
	db_device_overlay(devices, &row->devices);
}

static int add_row(const struct db_project *project, const struct db_profiles *profiles,
                   const struct db_instance *row, struct sums *sums, struct error **err)
{
	scoped(smap_done) struct smap config = { 0 };
	scoped(db_device_list_done) struct db_devices devices = { 0 };
	scoped(error_freep) struct error *ignored = NULL;

	expand(profiles, row, &config, &devices);

	/* What is there already is counted as far as it can be. */
	(void)err;
	add_instance(project, row->type, &config, &devices, sums, &ignored);
	return 0;
}

/* The instances of a project, and the profiles that they may have. */
static int load_content(struct db_tx *tx, const struct db_project *project,
                        struct db_instances *instances, struct db_profiles *profiles,
                        struct error **err)
{
	const struct db_instance_filter filter = { .project = project->name };
	bool is_own = smap_is_true(&project->config, "features.profiles") ||
	              str_equals(project->name, "default");

	int r = db_instance_list(tx, &filter, instances, err);
	return r < 0 ? r : db_profile_list(tx, is_own ? project->name : "default", profiles, err);
}

static int add_existing(struct db_tx *tx, const struct db_project *project, int64_t except,
                        struct sums *sums, struct error **err)
{
	scoped(db_instance_list_done) struct db_instances instances = { 0 };
	scoped(db_profile_list_done) struct db_profiles profiles = { 0 };

	int r = load_content(tx, project, &instances, &profiles, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < instances.n; i++) {
		if (instances.rows[i].id != except)
			add_row(project, &profiles, &instances.rows[i], sums, err);
	}

	return 0;
}

int project_limits_check_room(struct db_tx *tx, const char *project, int type, int64_t instance_id,
                              const struct smap *config, const struct db_devices *devices,
                              struct error **err)
{
	scoped(db_project_done) struct db_project row = { 0 };
	scoped(sums_done) struct sums s = { 0 };

	int r = db_project_get(tx, project, &row, err);
	if (r < 0)
		return r;

	if (!project_limits_exist(&row))
		return 0;

	r = add_existing(tx, &row, instance_id, &s, err);
	if (r < 0)
		return r;

	r = add_instance(&row, type, config, devices, &s, err);
	if (r < 0)
		return r;

	return check_sums(&row, NULL, &s, err);
}

static bool has_changed(const struct db_project *before, const struct db_project *wanted,
                        const char *prefix)
{
	const struct db_project *const sides[] = { before, wanted };

	for (size_t i = 0; i < COUNT_OF(sides); i++) {
		SMAP_FOREACH (e, &sides[i]->config) {
			if (str_starts(e->key, prefix) &&
			    !str_equals(str_or_empty(e->value),
			                smap_get_or(&sides[!i]->config, e->key, "")))
				return true;
		}
	}
	return false;
}

static int check_content(const struct db_project *wanted, const struct db_instances *instances,
                         const struct db_profiles *profiles, struct error **err)
{
	for (size_t i = 0; i < profiles->n; i++) {
		const struct db_profile *p = &profiles->rows[i];

		/* Those of another project are that project's. */
		if (!str_equals(p->project, wanted->name))
			continue;
		if (project_limits_check_profile(wanted, &p->config, &p->devices, err) < 0)
			return error_wrap(err, "Profile \"%s\"", p->name);
	}
	for (size_t i = 0; i < instances->n; i++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(db_device_list_done) struct db_devices devices = { 0 };

		expand(profiles, &instances->rows[i], &config, &devices);
		if (project_limits_check_instance(wanted, &config, &devices, err) < 0)
			return error_wrap(err, "Instance \"%s\"", instances->rows[i].name);
	}
	return 0;
}

int project_limits_check_change(struct db_tx *tx, const struct db_project *before,
                                const struct db_project *wanted, struct error **err)
{
	scoped(db_instance_list_done) struct db_instances instances = { 0 };
	scoped(db_profile_list_done) struct db_profiles profiles = { 0 };
	bool is_tighter = is_restricted(wanted) && has_changed(before, wanted, "restricted");
	scoped(sums_done) struct sums s = { 0 };
	int r = 0;

	if (is_tighter) {
		r = load_content(tx, wanted, &instances, &profiles, err);
		if (r == 0)
			r = check_content(wanted, &instances, &profiles, err);
	}
	if (r == 0 && has_changed(before, wanted, "limits.")) {
		r = add_existing(tx, wanted, 0, &s, err);
		if (r == 0)
			r = check_sums(wanted, before, &s, err);
	}
	return r;
}

int project_limits_check_snapshots(const struct db_project *project, struct error **err)
{
	if (is_blocked(project, "restricted.snapshots"))
		return error_set(err, 403, "Project \"%s\" does not allow for snapshot creation",
		                 project->name);

	return 0;
}

bool project_limits_allow_snapshots(const struct db_view *view, const char *project)
{
	const struct db_project *row = db_cache_project(view, project);

	return !row || !is_blocked(row, "restricted.snapshots");
}

int project_limits_check_backups(const struct db_project *project, struct error **err)
{
	if (is_blocked(project, "restricted.backups"))
		return error_set(err, 403, "Project \"%s\" does not allow for backup creation",
		                 project->name);

	return 0;
}

int project_limits_check_target(const struct db_project *project, const char *target,
                                struct error **err)
{
	if (str_is_empty(target) || !is_restricted(project))
		return 0;

	if (target[0] != '@' && is_blocked(project, "restricted.cluster.target"))
		return error_set(err, 403, "This project does not allow cluster member targeting");

	const char *allowed = rule(project, "restricted.cluster.groups");

	if (target[0] == '@' && !str_is_empty(allowed)) {
		char **groups = strv_split_trimmed(allowed, ',');
		bool is_allowed = strv_contains(groups, target + 1);

		strv_free(groups);
		if (!is_allowed)
			return error_set(err, 403,
			                 "Project is not allowed to use this cluster group: \"%s\"",
			                 target + 1);
	}

	return 0;
}
