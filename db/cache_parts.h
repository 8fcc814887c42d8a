/*
 * What the cache holds: one immutable, counted part per family, made from the database.
 *
 * Shared by cache.c, which keeps parts and checks their revisions, and the files that make them.
 */
#pragma once

#include "db/cache.h"
#include "db/tx.h"
#include "lib/base/refs.h"

/* An instance as its row says, shared by the entries that expand it differently over time. */
struct db_cache_row {
	struct refs refs;
	struct db_instance row;
};

struct db_cache_entry {
	struct refs refs;
	struct db_cache_row *owner; /* 'expanded.row' is a copy that borrows from it. */
	struct db_expanded expanded;
};

struct db_cache_part {
	struct refs refs;
	int64_t revision;
	int64_t full_revision; /* Of instances: raised when all must be read again. */
	enum db_family family;
	struct db_trail trail; /* How it was read; not of instances. */
	union {
		struct smap config;
		struct {
			struct db_members members;
			struct db_member_groups member_groups;
		};
		struct db_projects projects;
		struct {
			struct db_profiles profiles;
			const struct db_profile **profiles_by_id;
		};
		struct {
			struct db_expanded **instances; /* Of struct db_cache_entry; by name. */
			size_t n_instances;
			struct db_cache_part *expanded_with; /* The profiles. */
		};
		struct db_instance_snapshots snapshots;
		struct {
			struct db_images images;
			struct db_image_aliases image_aliases;
		};
		struct db_storage_pools pools;
		struct db_storage_volumes volumes;
		struct db_placement_groups placement_groups;
		struct db_certificates certificates;
		struct db_warnings warnings;
	};
};

/* As they are called in the table of revisions. */
extern const char *const db_cache_part_names[DB_N_FAMILIES];

struct db_cache_part *db_cache_part_ref(struct db_cache_part *part);
void db_cache_part_unref(struct db_cache_part *part);

/* Reads a family other than the instances in whole. The revisions are the caller's to set. */
int db_cache_part_load(struct db_tx *tx, enum db_family family, struct db_cache_part **ret_part,
                       struct error **err) MUST_CHECK;

/* What the part of the instances is made from. */
struct db_cache_instances_from {
	struct db_cache_part *old; /* Or NULL, if all must be read. */
	bool is_same;              /* No row has changed since: only the profiles have. */
};

/*
 * Makes the part of the instances: from the one before and what changed since its revision,
 * expanded with 'profiles'.
 */
int db_cache_instances_load(struct db_tx *tx, const struct db_cache_instances_from *from,
                            struct db_cache_part *profiles, struct db_cache_part **ret_part,
                            struct error **err) MUST_CHECK;
void db_cache_instances_ahead(struct db_tx *tx, const struct db_cache_instances_from *from);
void db_cache_instances_done(struct db_cache_part *part);
