/* Finding single rows in a view: by halves, since all lists are sorted. */
#include <stdlib.h>
#include <string.h>

#include "db/cache.h"

/* What is looked for: a name, in a project or not. */
struct key {
	const char *project;
	const char *name;
};

/* clang-format off */
#define BY_NAME(fn, type, field)                                                    \
	static int fn(const void *key, const void *row)                             \
	{                                                                           \
		return strcmp(((const struct key *)key)->name,                      \
		              ((const struct type *)row)->field);                   \
	}                                                                           \
	struct type

#define BY_PROJECT(fn, type, field)                                                 \
	static int fn(const void *key, const void *row)                             \
	{                                                                           \
		const struct key *k = key;                                          \
		const struct type *r = row;                                         \
		int order = strcmp(k->project, r->project);                         \
		return order ? order : strcmp(k->name, r->field);                   \
	}                                                                           \
	struct type
/* clang-format on */

BY_NAME(member_order, db_member, name);
BY_NAME(member_group_order, db_member_group, name);
BY_NAME(project_order, db_project, name);
BY_NAME(pool_order, db_storage_pool, name);
BY_NAME(certificate_order, db_certificate, fingerprint);
BY_PROJECT(profile_order, db_profile, name);
BY_PROJECT(image_order, db_image, fingerprint);
BY_PROJECT(image_alias_order, db_image_alias, name);
BY_PROJECT(placement_group_order, db_placement_group, name);

/* bsearch() in a typed list; its arguments must not be NULL. */
static const void *find(const struct key *key, const void *rows, size_t n, size_t size,
                        int (*order)(const void *key, const void *row))
{
	return n > 0 ? bsearch(key, rows, n, size, order) : NULL;
}

#define FIND(list, key_name, key_project, order)                                          \
	find(&(struct key){ .name = (key_name), .project = (key_project) }, (list)->rows, \
	     (list)->n, sizeof(*(list)->rows), order)

const struct db_member *db_cache_member(const struct db_view *view, const char *name)
{
	return FIND(db_cache_members(view), name, NULL, member_order);
}

const struct db_member_group *db_cache_member_group(const struct db_view *view, const char *name)
{
	return FIND(db_cache_member_groups(view), name, NULL, member_group_order);
}

const struct db_project *db_cache_project(const struct db_view *view, const char *name)
{
	return FIND(db_cache_projects(view), name, NULL, project_order);
}

const struct db_profile *db_cache_profile(const struct db_view *view, const char *project,
                                          const char *name)
{
	return FIND(db_cache_profiles(view), name, project, profile_order);
}

const struct db_image *db_cache_image(const struct db_view *view, const char *project,
                                      const char *fingerprint)
{
	return FIND(db_cache_images(view), fingerprint, project, image_order);
}

const struct db_image_alias *db_cache_image_alias(const struct db_view *view, const char *project,
                                                  const char *name)
{
	return FIND(db_cache_image_aliases(view), name, project, image_alias_order);
}

const struct db_storage_pool *db_cache_pool(const struct db_view *view, const char *name)
{
	return FIND(db_cache_pools(view), name, NULL, pool_order);
}

const struct db_placement_group *db_cache_placement_group(const struct db_view *view,
                                                          const char *project, const char *name)
{
	return FIND(db_cache_placement_groups(view), name, project, placement_group_order);
}

const struct db_certificate *db_cache_certificate(const struct db_view *view,
                                                  const char *fingerprint)
{
	return FIND(db_cache_certificates(view), fingerprint, NULL, certificate_order);
}

static int instance_order(const void *key, const void *row)
{
	const struct key *k = key;
	const struct db_expanded *r = *(const struct db_expanded *const *)row;
	int order = strcmp(k->project, r->row.project);

	return order ? order : strcmp(k->name, r->row.name);
}

const struct db_expanded *db_cache_instance(const struct db_view *view, const char *project,
                                            const char *name)
{
	size_t n;
	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	const struct db_expanded *const *found =
		find(&(struct key){ .project = project, .name = name }, rows, n, sizeof(*rows),
	             instance_order);

	return found ? *found : NULL;
}

const struct db_instance_snapshot *db_cache_snapshots_of(const struct db_view *view,
                                                         int64_t instance_id, size_t *ret_n)
{
	const struct db_instance_snapshots *list = db_cache_snapshots(view);
	size_t low = 0;
	size_t high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->rows[middle].instance_id < instance_id)
			low = middle + 1;
		else
			high = middle;
	}

	size_t n = 0;
	while (low + n < list->n && list->rows[low + n].instance_id == instance_id)
		n++;
	*ret_n = n;
	return n > 0 ? &list->rows[low] : NULL;
}
