#include "db/cache_parts.h"

#include <stdlib.h>

#include "db/config.h"
#include "lib/base/alloc.h"
#include "lib/base/enum.h"

const char *const db_cache_part_names[] = {
	[DB_FAMILY_CONFIG] = "config",
	[DB_FAMILY_MEMBERS] = "members",
	[DB_FAMILY_PROJECTS] = "projects",
	[DB_FAMILY_PROFILES] = "profiles",
	[DB_FAMILY_INSTANCES] = "instances",
	[DB_FAMILY_SNAPSHOTS] = "snapshots",
	[DB_FAMILY_IMAGES] = "images",
	[DB_FAMILY_POOLS] = "pools",
	[DB_FAMILY_VOLUMES] = "volumes",
	[DB_FAMILY_PLACEMENT_GROUPS] = "placement_groups",
	[DB_FAMILY_CERTIFICATES] = "certificates",
	[DB_FAMILY_WARNINGS] = "warnings",
};
ENUM_IS_COMPLETE(db_cache_part_names, DB_N_FAMILIES);

static int load_config(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_config_load(tx, &part->config, err);
}

static int load_members(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	int r = db_member_list(tx, &part->members, err);

	return r < 0 ? r : db_member_group_list(tx, &part->member_groups, err);
}

static int load_projects(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_project_list(tx, &part->projects, err);
}

static int by_id(const void *a, const void *b)
{
	const struct db_profile *x = *(const struct db_profile *const *)a;
	const struct db_profile *y = *(const struct db_profile *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int load_profiles(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	int r = db_profile_list(tx, NULL, &part->profiles, err);
	if (r < 0)
		return r;

	size_t n = part->profiles.n;
	part->profiles_by_id = xcalloc(n + 1, sizeof(*part->profiles_by_id));
	for (size_t i = 0; i < n; i++)
		part->profiles_by_id[i] = &part->profiles.rows[i];
	qsort(part->profiles_by_id, n, sizeof(*part->profiles_by_id), by_id);
	return 0;
}

static int load_snapshots(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_instance_snapshot_list(tx, 0, &part->snapshots, err);
}

static int load_images(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	int r = db_image_list(tx, NULL, &part->images, err);

	return r < 0 ? r : db_image_alias_list(tx, NULL, &part->image_aliases, err);
}

static int load_pools(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_storage_pool_list(tx, &part->pools, err);
}

static int load_volumes(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_storage_volume_list(tx, NULL, &part->volumes, err);
}

static int load_placement_groups(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_placement_group_list(tx, NULL, &part->placement_groups, err);
}

static int load_certificates(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_certificate_list(tx, &part->certificates, err);
}

static int load_warnings(struct db_tx *tx, struct db_cache_part *part, struct error **err)
{
	return db_warning_list(tx, NULL, &part->warnings, err);
}

static void part_done(struct db_cache_part *part)
{
	switch (part->family) {
	case DB_FAMILY_CONFIG:
		smap_done(&part->config);
		break;
	case DB_FAMILY_MEMBERS:
		db_member_list_done(&part->members);
		db_member_group_list_done(&part->member_groups);
		break;
	case DB_FAMILY_PROJECTS:
		db_project_list_done(&part->projects);
		break;
	case DB_FAMILY_PROFILES:
		db_profile_list_done(&part->profiles);
		free(part->profiles_by_id);
		break;
	case DB_FAMILY_INSTANCES:
		db_cache_instances_done(part);
		break;
	case DB_FAMILY_SNAPSHOTS:
		db_instance_snapshot_list_done(&part->snapshots);
		break;
	case DB_FAMILY_IMAGES:
		db_image_list_done(&part->images);
		db_image_alias_list_done(&part->image_aliases);
		break;
	case DB_FAMILY_POOLS:
		db_storage_pool_list_done(&part->pools);
		break;
	case DB_FAMILY_VOLUMES:
		db_storage_volume_list_done(&part->volumes);
		break;
	case DB_FAMILY_PLACEMENT_GROUPS:
		db_placement_group_list_done(&part->placement_groups);
		break;
	case DB_FAMILY_CERTIFICATES:
		db_certificate_list_done(&part->certificates);
		break;
	case DB_FAMILY_WARNINGS:
		db_warning_list_done(&part->warnings);
		break;
	case DB_N_FAMILIES:
		break;
	}
}

struct db_cache_part *db_cache_part_ref(struct db_cache_part *part)
{
	refs_get(&part->refs);
	return part;
}

void db_cache_part_unref(struct db_cache_part *part)
{
	if (!part || !refs_put(&part->refs))
		return;

	part_done(part);
	free(part);
}

int db_cache_part_load(struct db_tx *tx, enum db_family family, struct db_cache_part **ret_part,
                       struct error **err)
{
	static int (*const loads[])(struct db_tx * tx, struct db_cache_part * part,
	                            struct error * *err) = {
		[DB_FAMILY_CONFIG] = load_config,
		[DB_FAMILY_MEMBERS] = load_members,
		[DB_FAMILY_PROJECTS] = load_projects,
		[DB_FAMILY_PROFILES] = load_profiles,
		[DB_FAMILY_SNAPSHOTS] = load_snapshots,
		[DB_FAMILY_IMAGES] = load_images,
		[DB_FAMILY_POOLS] = load_pools,
		[DB_FAMILY_VOLUMES] = load_volumes,
		[DB_FAMILY_PLACEMENT_GROUPS] = load_placement_groups,
		[DB_FAMILY_CERTIFICATES] = load_certificates,
		[DB_FAMILY_WARNINGS] = load_warnings,
	};
	struct db_cache_part *part = xcalloc(1, sizeof(*part));

	refs_init(&part->refs);
	part->family = family;
	tx->trail = &part->trail;
	int r = loads[family](tx, part, err);
	tx->trail = NULL;
	if (r < 0) {
		db_cache_part_unref(part);
		return r;
	}

	*ret_part = part;
	return 0;
}
