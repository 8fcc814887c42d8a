#include "daemon/project/placement_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/member_list.h"
#include "lib/base/alloc.h"
#include "lib/base/map.h"
#include "lib/base/parse.h"
#include "lib/base/strv.h"

struct placement_view_private {
	const struct db_view *view;
	struct placement_member *members;
	struct placement_instance *instances;
	const struct db_expanded **rows; /* By instance. */
	struct placement_group_row *groups;
	struct map *member_indexes; /* Name to index + 1. */
	struct map *group_indexes;  /* "project/name" to index + 1. */
	char **texts;               /* Copies that reservations need. */
	struct map *allowed;        /* By project: restricted.cluster.groups as a vector. */
};

static size_t index_of(const struct map *indexes, const char *key)
{
	uintptr_t value = (uintptr_t)map_get(indexes, key);

	return value ? value - 1 : PLACEMENT_NONE;
}

static size_t group_index(const struct placement_view_private *p, const char *project,
                          const char *name)
{
	if (!name || !*name)
		return PLACEMENT_NONE;

	scoped_free char *key = xasprintf("%s/%s", project, name);
	return index_of(p->group_indexes, key);
}

static enum placement_schedule schedule_of(const struct db_member *row)
{
	const char *value = smap_get_or(&row->config, "scheduler.instance", "all");

	if (strcmp(value, "manual") == 0)
		return PLACEMENT_MANUAL;

	return strcmp(value, "group") == 0 ? PLACEMENT_GROUP : PLACEMENT_ALL;
}

static void fill_members(struct placement_view *pv, const struct member_list *list)
{
	struct placement_view_private *p = pv->private;
	const struct db_members *rows = db_cache_members(p->view);
	const struct db_storage_pools *pools = db_cache_pools(p->view);
	size_t n = 0;

	p->members = xcalloc(rows->n + 1, sizeof(*p->members));
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_member *row = &rows->rows[i];
		const struct member *known = list ? member_list_by_name(list, row->name) : NULL;

		if (row->state == DB_MEMBER_PENDING)
			continue;

		const char **architectures = xcalloc(2, sizeof(*architectures));
		const char **has = xcalloc(pools->n + 1, sizeof(*has));
		size_t n_has = 0;

		architectures[0] = *row->architecture ? row->architecture : NULL;
		for (size_t k = 0; k < pools->n; k++)
			if (db_storage_pool_is_created_on(&pools->rows[k], row->name))
				has[n_has++] = pools->rows[k].name;
		p->members[n] = (struct placement_member){
			.name = row->name,
			.architectures = architectures[0] ? architectures : NULL,
			.cluster_groups = (const char *const *)row->groups,
			.pools = has,
			.failure_domain = row->failure_domain,
			.schedule = schedule_of(row),
			.is_online = known ? known->is_online : rows->n == 1,
			.is_evacuated = row->state == DB_MEMBER_EVACUATED,
			.memory = known ? known->memory : 0,
			.n_cpus = known ? known->n_cpus : 0,
		};
		if (!architectures[0])
			free(architectures);
		map_set(p->member_indexes, row->name, (void *)(uintptr_t)(++n));
	}
	pv->snapshot.members = p->members;
	pv->snapshot.n_members = n;
}

static void fill_groups(struct placement_view *pv)
{
	struct placement_view_private *p = pv->private;
	const struct db_placement_groups *rows = db_cache_placement_groups(p->view);

	p->groups = xcalloc(rows->n + 1, sizeof(*p->groups));
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_placement_group *row = &rows->rows[i];
		scoped_free char *key = xasprintf("%s/%s", row->project, row->name);

		p->groups[i] = (struct placement_group_row){
			.project = row->project,
			.name = row->name,
			.policy = strcmp(smap_get_or(&row->config, "policy", ""), "compact") == 0
			                  ? PLACEMENT_COMPACT
			                  : PLACEMENT_SPREAD,
			.is_strict = strcmp(smap_get_or(&row->config, "rigor", ""), "strict") == 0,
		};
		map_set(p->group_indexes, key, (void *)(uintptr_t)(i + 1));
	}
	pv->snapshot.groups = p->groups;
	pv->snapshot.n_groups = rows->n;
}

static void free_strv(void *value)
{
	strv_free(value);
}

/* For each project that is bound to cluster groups. */
static void fill_allowed(struct placement_view_private *p)
{
	const struct db_projects *projects = db_cache_projects(p->view);

	p->allowed = map_new(free_strv);
	for (size_t i = 0; i < projects->n; i++) {
		const struct smap *config = &projects->rows[i].config;
		const char *groups = smap_get_or(config, "restricted.cluster.groups", "");

		if (*groups && smap_is_true(config, "restricted"))
			map_set(p->allowed, projects->rows[i].name,
			        strv_split_trimmed(groups, ','));
	}
}

static bool is_disk(const struct db_device *device)
{
	return strcmp(smap_get_or(&device->config, "type", ""), "disk") == 0;
}

/* The pools of an instance's disks: a vector whose strings are borrowed. */
static const char *const *pools_of(const struct db_devices *devices)
{
	const char **pools = xcalloc(devices->n + 1, sizeof(*pools));
	size_t n = 0;

	for (size_t i = 0; i < devices->n; i++) {
		const char *pool = smap_get(&devices->rows[i].config, "pool");

		if (is_disk(&devices->rows[i]) && pool && *pool)
			pools[n++] = pool;
	}
	return pools;
}

static bool is_pool_shared(const struct placement_view_private *p, const char *name)
{
	static const char *const shared[] = { "ceph", "cephfs", "powerflex", "pure", "alletra" };
	const struct db_storage_pool *pool = name ? db_cache_pool(p->view, name) : NULL;

	for (size_t i = 0; pool && i < COUNT_OF(shared); i++)
		if (strcmp(pool->driver, shared[i]) == 0)
			return true;

	return false;
}

/* What LXD lets a device be moved with; NULL if it may move, else why not. */
static const char *device_stuck(const struct placement_view_private *p,
                                const struct db_device *device)
{
	const char *type = smap_get_or(&device->config, "type", "");
	const char *pool = smap_get(&device->config, "pool");

	if (strcmp(type, "none") == 0)
		return NULL;
	if (strcmp(type, "disk") == 0) {
		if (strcmp(smap_get_or(&device->config, "path", ""), "/") == 0)
			return NULL;
		if (!pool || !*pool)
			return "it has a disk from a path of this host";

		return is_pool_shared(p, pool) ? NULL : "it has a volume of a local pool";
	}
	if (strcmp(type, "nic") == 0)
		return smap_has(&device->config, "network")
		               ? NULL
		               : "it has a NIC that is tied to this host";

	return "it has a device of this host";
}

static const char *stuck_of(const struct placement_view_private *p,
                            const struct db_devices *devices)
{
	for (size_t i = 0; i < devices->n; i++) {
		const char *why = device_stuck(p, &devices->rows[i]);

		if (why)
			return why;
	}
	return NULL;
}

/* The pool of the root disk, or NULL. */
static const char *root_pool_of(const struct db_devices *devices)
{
	for (size_t i = 0; i < devices->n; i++)
		if (is_disk(&devices->rows[i]) &&
		    strcmp(smap_get_or(&devices->rows[i].config, "path", ""), "/") == 0)
			return smap_get(&devices->rows[i].config, "pool");

	return NULL;
}

/* limits.memory in bytes; a percentage binds no particular amount. */
static uint64_t memory_of(const struct smap *config)
{
	const char *value = smap_get(config, "limits.memory");
	int64_t size = 0;

	return value && parse_size(value, &size) == 0 && size > 0 ? (uint64_t)size : 0;
}

static unsigned cpus_of(const struct smap *config)
{
	const char *value = smap_get(config, "limits.cpu");
	uint32_t n = 0;

	return value && parse_uint32(value, &n) == 0 ? n : 0;
}

static struct placement_instance instance_of(const struct placement_view_private *p,
                                             const struct db_expanded *row)
{
	int64_t priority = 0;
	const char *origin = smap_get(&row->row.config, "volatile.evacuate.origin");
	const char *cluster_group = smap_get(&row->row.config, "volatile.cluster.group");

	(void)parse_int64(smap_get_or(&row->config, "boot.stop.priority", "0"), &priority);
	return (struct placement_instance){
		.id = row->row.id,
		.project = row->row.project,
		.name = row->row.name,
		.member = row->row.member ? index_of(p->member_indexes, row->row.member)
		                          : PLACEMENT_NONE,
		.origin = origin ? index_of(p->member_indexes, origin) : PLACEMENT_NONE,
		.group =
			group_index(p, row->row.project, smap_get(&row->config, "placement.group")),
		.cluster_group = cluster_group && *cluster_group ? cluster_group : NULL,
		.allowed_groups = map_get(p->allowed, row->row.project),
		.architecture = row->row.architecture && *row->row.architecture
		                        ? row->row.architecture
		                        : NULL,
		.pools = pools_of(&row->devices),
		.root_pool = root_pool_of(&row->devices),
		.memory = memory_of(&row->config),
		.n_cpus = cpus_of(&row->config),
		.is_running = strcmp(smap_get_or(&row->row.config, "volatile.last_state.power", ""),
		                     "RUNNING") == 0,
		.is_vm = row->row.type == DB_INSTANCE_VM,
		.may_live_migrate = row->row.type == DB_INSTANCE_VM &&
		                    smap_is_true(&row->config, "migration.stateful"),
		.stuck = stuck_of(p, &row->devices),
		.evacuate = smap_get(&row->config, "cluster.evacuate"),
		.is_storage_shared = is_pool_shared(p, root_pool_of(&row->devices)),
		.stop_priority = priority,
	};
}

static void fill_reservation(struct placement_view *pv, const struct db_reservation *row, size_t i)
{
	struct placement_view_private *p = pv->private;
	size_t n = strv_len(p->texts);

	strv_add(&p->texts, row->project);
	strv_add(&p->texts, row->instance);
	p->instances[i] = (struct placement_instance){
		.project = p->texts[n],
		.name = p->texts[n + 1],
		.member = index_of(p->member_indexes, row->member),
		.origin = PLACEMENT_NONE,
		.group = group_index(p, row->project, row->placement_group),
		.memory = row->memory > 0 ? (uint64_t)row->memory : 0,
		.n_cpus = row->cpus > 0 ? (unsigned)row->cpus : 0,
	};
}

void placement_view_init(struct placement_view *ret_view, const struct db_view *view,
                         const struct member_list *members,
                         const struct db_reservations *reservations)
{
	struct placement_view pv = { .private = xcalloc(1, sizeof(*pv.private)) };
	struct placement_view_private *p = pv.private;
	size_t n_reserved = reservations ? reservations->n : 0;
	size_t n_rows = 0;
	const struct db_expanded *const *rows = db_cache_instances(view, &n_rows);

	p->view = view;
	p->member_indexes = map_new(NULL);
	p->group_indexes = map_new(NULL);
	fill_members(&pv, members);
	fill_groups(&pv);
	fill_allowed(p);

	p->instances = xcalloc(n_rows + n_reserved + 1, sizeof(*p->instances));
	p->rows = xcalloc(n_rows + n_reserved + 1, sizeof(const struct db_expanded *));
	for (size_t i = 0; i < n_rows; i++) {
		p->instances[i] = instance_of(p, rows[i]);
		p->rows[i] = rows[i];
	}
	for (size_t i = 0; i < n_reserved; i++)
		fill_reservation(&pv, &reservations->rows[i], n_rows + i);
	pv.snapshot.instances = p->instances;
	pv.snapshot.n_instances = n_rows + n_reserved;
	*ret_view = pv;
}

void placement_view_done(struct placement_view *view)
{
	struct placement_view_private *p = view->private;

	if (!p)
		return;
	for (size_t i = 0; i < view->snapshot.n_members; i++) {
		free((void *)(uintptr_t)p->members[i].architectures);
		free((void *)(uintptr_t)p->members[i].pools);
	}
	for (size_t i = 0; i < view->snapshot.n_instances; i++)
		placement_view_wish_done(&p->instances[i]);
	free(p->members);
	free(p->instances);
	free(p->rows);
	free(p->groups);
	map_free(p->member_indexes);
	map_free(p->group_indexes);
	map_free(p->allowed);
	strv_free(p->texts);
	free(p);
	*view = (struct placement_view){ 0 };
}

const char *const *placement_view_allowed_groups(const struct placement_view *view,
                                                 const char *project)
{
	return map_get(view->private->allowed, project);
}

size_t placement_view_member(const struct placement_view *view, const char *name)
{
	return index_of(view->private->member_indexes, name);
}

size_t placement_view_instance(const struct placement_view *view, const char *project,
                               const char *name)
{
	for (size_t i = 0; i < view->snapshot.n_instances; i++)
		if (view->private->rows[i] && strcmp(view->snapshot.instances[i].name, name) == 0 &&
		    strcmp(view->snapshot.instances[i].project, project) == 0)
			return i;

	return PLACEMENT_NONE;
}

void placement_view_set_sizes(struct placement_view *view, const struct map *sizes)
{
	for (size_t i = 0; map_count(sizes) > 0 && i < view->snapshot.n_instances; i++) {
		struct placement_instance *inst = &view->private->instances[i];

		if (!view->private->rows[i])
			continue;

		scoped_free char *key = xasprintf("%s/%s", inst->project, inst->name);
		const uint64_t *bytes = map_get(sizes, key);

		inst->n_bytes = bytes ? *bytes : 0;
	}
}

const struct db_expanded *placement_view_row(const struct placement_view *view, size_t instance)
{
	return view->private->rows[instance];
}

int placement_view_wish(const struct placement_view *view, const struct db_expanded *row,
                        struct placement_instance *ret_instance, struct error **err)
{
	const char *group = smap_get(&row->config, "placement.group");
	struct placement_instance instance = instance_of(view->private, row);

	if (group && *group && instance.group == PLACEMENT_NONE) {
		placement_view_wish_done(&instance);
		return error_set(err, 404, "Placement group \"%s\" not found", group);
	}

	*ret_instance = instance;
	return 0;
}

void placement_view_wish_done(struct placement_instance *instance)
{
	free((void *)(uintptr_t)instance->pools);
	instance->pools = NULL;
}
