/*
 * Instances in the cache: only those that changed are read again.
 *
 * Triggers note in "instance_changes" at which revision an instance changed, or went. A refresh
 * reads what is beyond its revision, takes over all other rows, and merges both in order of their
 * names. When the profiles changed, rows stay and are expanded anew.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "db/cache_parts.h"
#include "lib/base/alloc.h"

static void row_unref(struct db_cache_row *row)
{
	if (!refs_put(&row->refs))
		return;

	db_instance_done(&row->row);
	free(row);
}

static struct db_cache_entry *entry_of(struct db_expanded *expanded)
{
	return CONTAINER_OF(expanded, struct db_cache_entry, expanded);
}

static void entry_unref(struct db_expanded *expanded)
{
	struct db_cache_entry *entry = entry_of(expanded);

	if (!refs_put(&entry->refs))
		return;

	struct db_derived *derived = atomic_load(&expanded->derived);
	if (derived)
		derived->free(derived);
	smap_done(&expanded->config);
	db_device_list_done(&expanded->devices);
	row_unref(entry->owner);
	free(entry);
}

static const struct db_profile *profile_by_id(const struct db_cache_part *profiles, int64_t id)
{
	size_t low = 0;
	size_t high = profiles->profiles.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct db_profile *profile = profiles->profiles_by_id[middle];

		if (profile->id == id)
			return profile;
		if (profile->id < id)
			low = middle + 1;
		else
			high = middle;
	}

	return NULL;
}

/* A new entry for the row; takes over a reference to it. */
static struct db_expanded *expand(struct db_cache_row *owner_take,
                                  const struct db_cache_part *profiles)
{
	struct db_cache_entry *entry = xcalloc(1, sizeof(*entry));
	struct db_expanded *expanded = &entry->expanded;
	const struct db_instance *row = &owner_take->row;

	refs_init(&entry->refs);
	entry->owner = owner_take;
	expanded->row = *row;
	for (size_t i = 0; row->profiles && row->profiles[i]; i++) {
		const struct db_profile *profile = profile_by_id(profiles, row->profile_ids[i]);

		if (!profile)
			continue;
		smap_merge(&expanded->config, &profile->config);
		db_device_overlay(&expanded->devices, &profile->devices);
	}
	smap_merge(&expanded->config, &row->config);
	db_device_overlay(&expanded->devices, &row->devices);
	return expanded;
}

static int order(const struct db_expanded *a, const struct db_expanded *b)
{
	int by_project = strcmp(a->row.project, b->row.project);

	return by_project ? by_project : strcmp(a->row.name, b->row.name);
}

static int by_name(const void *a, const void *b)
{
	return order(*(struct db_expanded *const *)a, *(struct db_expanded *const *)b);
}

static bool is_among(const struct db_instance_ids *ids, int64_t id)
{
	size_t low = 0;
	size_t high = ids->n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ids->items[middle] == id)
			return true;
		if (ids->items[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}

	return false;
}

/* Moves the rows of a list into entries, sorted by name. */
static struct db_expanded **expand_all(struct db_instances *list,
                                       const struct db_cache_part *profiles)
{
	struct db_expanded **entries = xcalloc(list->n + 1, sizeof(struct db_expanded *));

	for (size_t i = 0; i < list->n; i++) {
		struct db_cache_row *owner = xcalloc(1, sizeof(*owner));

		refs_init(&owner->refs);
		owner->row = list->rows[i];
		list->rows[i] = (struct db_instance){ 0 };
		entries[i] = expand(owner, profiles);
	}
	qsort(entries, list->n, sizeof(struct db_expanded *), by_name);
	return entries;
}

/* An entry of the part before, as it is or expanded with other profiles. */
static struct db_expanded *take_over(struct db_expanded *old, bool is_expanded_anew,
                                     const struct db_cache_part *profiles)
{
	struct db_cache_entry *entry = entry_of(old);

	if (!is_expanded_anew || !old->row.profiles) {
		refs_get(&entry->refs);
		return old;
	}

	refs_get(&entry->owner->refs);
	return expand(entry->owner, profiles);
}

/* Merges what stays of 'old' with the sorted 'fresh' ones. */
static void merge(struct db_cache_part *part, const struct db_cache_part *old,
                  const struct db_instance_ids *changed, struct db_expanded **fresh, size_t n_fresh)
{
	bool is_expanded_anew = old->expanded_with != part->expanded_with;
	size_t j = 0;

	part->instances = xcalloc(old->n_instances + n_fresh + 1, sizeof(struct db_expanded *));
	for (size_t i = 0; i < old->n_instances; i++) {
		struct db_expanded *stays = old->instances[i];

		if (is_among(changed, stays->row.id))
			continue;
		while (j < n_fresh && order(fresh[j], stays) < 0)
			part->instances[part->n_instances++] = fresh[j++];
		part->instances[part->n_instances++] =
			take_over(stays, is_expanded_anew, part->expanded_with);
	}
	while (j < n_fresh)
		part->instances[part->n_instances++] = fresh[j++];
}

static struct db_cache_part *part_new(struct db_cache_part *profiles)
{
	struct db_cache_part *part = xcalloc(1, sizeof(*part));

	refs_init(&part->refs);
	part->family = DB_FAMILY_INSTANCES;
	part->expanded_with = db_cache_part_ref(profiles);
	return part;
}

static int load_all(struct db_tx *tx, struct db_cache_part *profiles,
                    struct db_cache_part **ret_part, struct error **err)
{
	scoped(db_instance_list_done) struct db_instances list = { 0 };

	int r = db_instance_list(tx, NULL, &list, err);
	if (r < 0)
		return r;

	*ret_part = part_new(profiles);
	(*ret_part)->instances = expand_all(&list, profiles);
	(*ret_part)->n_instances = list.n;
	return 0;
}

void db_cache_instances_ahead(struct db_tx *tx, const struct db_cache_instances_from *from)
{
	if (from->old && !from->is_same)
		db_instance_list_changed_ahead(tx, from->old->revision);
}

int db_cache_instances_load(struct db_tx *tx, const struct db_cache_instances_from *from,
                            struct db_cache_part *profiles, struct db_cache_part **ret_part,
                            struct error **err)
{
	scoped(db_instance_list_done) struct db_instances list = { 0 };
	struct db_cache_part *old = from->old;
	struct db_instance_ids changed = { 0 };
	int r = 0;

	if (!old)
		return load_all(tx, profiles, ret_part, err);

	if (!from->is_same)
		r = db_instance_list_ids(tx, old->revision, &changed, err);
	if (r == 0 && !from->is_same)
		r = db_instance_list_changed(tx, old->revision, &list, err);
	if (r == 0) {
		scoped_free struct db_expanded **fresh = expand_all(&list, profiles);

		*ret_part = part_new(profiles);
		merge(*ret_part, old, &changed, fresh, list.n);
	}

	ARRAY_DONE(&changed);
	return r;
}

void db_cache_instances_done(struct db_cache_part *part)
{
	for (size_t i = 0; i < part->n_instances; i++)
		entry_unref(part->instances[i]);
	free(part->instances);
	db_cache_part_unref(part->expanded_with);
}
