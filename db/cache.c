/*
 * One check at a time. A reader needs one that begins after it came: if one is under way, it waits
 * for the next, together with all others that come meanwhile, and one of them runs it for all.
 * Checks are numbered; each family remembers the last check that found it fresh.
 *
 * A check is one query while nothing has changed. Else what changed is read, without a transaction,
 * and the revisions once more: if they are still the same, nothing moved in between. Only if
 * something did is it all read again in a transaction.
 *
 * A transaction that writes has a view of its own, made of the parts that are there and what it
 * reads itself. It holds the lock on writes, so what it reads before it changes anything is what
 * everybody sees, and goes to the others, too.
 */
#include "db/cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "db/cache_parts.h"
#include "db/row.h"
#include "lib/base/alloc.h"
#include "lib/base/thread.h"

#define SELECT_REVISIONS "SELECT family, value FROM revisions"
#define FULL_INSTANCES "instances_full"

/* Beyond this many revisions the notes on changed instances may be gone (trigger instances_delete).
 */
enum { MAX_BEHIND = 9000 };

struct db_view {
	struct refs refs;
	uint32_t families;
	struct db_cache_part *parts[DB_N_FAMILIES];
};

struct db_cache {
	struct mutex mutex;
	struct cond checked;
	struct db *db;

	struct db_cache_part *parts[DB_N_FAMILIES] GUARDED;
	uint64_t fresh_at[DB_N_FAMILIES] GUARDED; /* The last check that found it fresh. */

	uint64_t started GUARDED; /* Number of the last check that began. */
	uint64_t finished GUARDED;
	uint32_t checking GUARDED;     /* Families of the check that began last. */
	uint32_t wanted GUARDED;       /* Families for the next check. */
	uint64_t n_drops GUARDED;      /* How often everything was dropped. */
	uint64_t failed_at GUARDED;    /* The last check that failed, */
	struct error *failure GUARDED; /* and why. */
};

/* A check while it runs. */
struct check {
	uint32_t families;
	uint64_t n_drops;                            /* When it began. */
	struct db_cache_part *old[DB_N_FAMILIES];    /* As they were then; counted. */
	struct db_cache_part *parts[DB_N_FAMILIES];  /* As they are now; counted. */
	struct db_cache_part *loaded[DB_N_FAMILIES]; /* Read, but perhaps not of one moment. */
	struct revisions {
		int64_t values[DB_N_FAMILIES];
		int64_t full; /* Of the instances. */
	} revisions;
	bool has_moved; /* What was read is not of one moment. */
};

struct db_cache *db_cache_new(struct db *db)
{
	struct db_cache *cache = xcalloc(1, sizeof(*cache));

	mutex_init(&cache->mutex);
	cond_init(&cache->checked);
	cache->db = db;
	return cache;
}

void db_cache_free(struct db_cache *cache) NO_LOCK_CHECK
{
	if (!cache)
		return;

	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		db_cache_part_unref(cache->parts[i]);
	error_free(cache->failure);
	mutex_done(&cache->mutex);
	cond_done(&cache->checked);
	free(cache);
}

static int take_revision(const struct db_row *row, void *arg, struct error **err)
{
	struct revisions *revisions = arg;
	const char *name = db_row_text(row, 0);

	(void)err;
	if (strcmp(name, FULL_INSTANCES) == 0)
		revisions->full = db_row_int(row, 1);
	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		if (strcmp(name, db_cache_part_names[i]) == 0)
			revisions->values[i] = db_row_int(row, 1);
	return 0;
}

static int read_revisions(struct db_tx *tx, struct revisions *revisions, struct error **err)
{
	return db_each(tx, SELECT_REVISIONS, DB_NO_ARGS, take_revision, revisions, err);
}

/* The part as the check has it so far. */
static struct db_cache_part *current(const struct check *check, size_t family)
{
	return check->loaded[family] ? check->loaded[family] : check->parts[family];
}

static bool is_fresh(const struct check *check, size_t family)
{
	const struct db_cache_part *part = current(check, family);

	if (!part || part->revision != check->revisions.values[family])
		return false;
	return family != DB_FAMILY_INSTANCES ||
	       (part->full_revision == check->revisions.full &&
	        part->expanded_with == current(check, DB_FAMILY_PROFILES));
}

static bool needs(const struct check *check, size_t family)
{
	return check->families & (1U << family) && !is_fresh(check, family);
}

static bool needs_any(const struct check *check)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		if (needs(check, i))
			return true;

	return false;
}

static void drop_loaded(struct check *check)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		db_cache_part_unref(TAKE_PTR(check->loaded[i]));
}

static void accept_loaded(struct check *check)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		if (!check->loaded[i])
			continue;
		db_cache_part_unref(check->parts[i]);
		check->parts[i] = TAKE_PTR(check->loaded[i]);
	}
}

/* Where the instances begin: with the part that there is, or with nothing. */
static struct db_cache_instances_from from_of(const struct check *check)
{
	struct db_cache_part *old = check->parts[DB_FAMILY_INSTANCES];
	int64_t revision = check->revisions.values[DB_FAMILY_INSTANCES];

	if (old && (old->full_revision != check->revisions.full ||
	            revision - old->revision > MAX_BEHIND || revision < old->revision))
		old = NULL;
	return (struct db_cache_instances_from){ .old = old,
		                                 .is_same = old && old->revision == revision };
}

/* Announces the queries of load_stale(). */
static void announce(struct db_tx *tx, const struct check *check)
{
	struct db_cache_instances_from from = from_of(check);

	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		if (!needs(check, i) || !check->parts[i])
			continue;
		if (i == DB_FAMILY_INSTANCES)
			db_cache_instances_ahead(tx, &from);
		else
			db_tx_announce(tx, &check->parts[i]->trail);
	}
}

static int load_instances(struct db_tx *tx, struct check *check, struct db_cache_part **ret_part,
                          struct error **err)
{
	struct db_cache_instances_from from = from_of(check);

	int r = db_cache_instances_load(tx, &from, current(check, DB_FAMILY_PROFILES), ret_part,
	                                err);
	if (r == 0)
		(*ret_part)->full_revision = check->revisions.full;
	return r;
}

/* In order of the families, so that instances find new profiles. */
static int load_stale(struct db_tx *tx, struct check *check, struct error **err)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		struct db_cache_part *part = NULL;

		if (!needs(check, i))
			continue;
		int r = i == DB_FAMILY_INSTANCES
		                ? load_instances(tx, check, &part, err)
		                : db_cache_part_load(tx, (enum db_family)i, &part, err);
		if (r < 0)
			return r;
		part->revision = check->revisions.values[i];
		check->loaded[i] = part;
	}

	return 0;
}

static bool is_same(const struct check *check, const struct revisions *other)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		if (check->families & (1U << i) && check->revisions.values[i] != other->values[i])
			return false;

	return check->revisions.full == other->full;
}

/* Without a transaction: what was read is of one moment if no revision has changed meanwhile. */
static int look(struct db_tx *tx, void *arg, struct error **err)
{
	struct check *check = arg;
	struct revisions after = { 0 };

	drop_loaded(check);
	int r = read_revisions(tx, &check->revisions, err);
	if (r < 0 || !needs_any(check))
		return r;

	announce(tx, check);
	db_ahead(tx, SELECT_REVISIONS, DB_NO_ARGS);
	r = load_stale(tx, check, err);
	if (r == 0)
		r = read_revisions(tx, &after, err);
	if (r < 0)
		return r;

	check->has_moved = !is_same(check, &after);
	if (!check->has_moved)
		accept_loaded(check);
	return 0;
}

/* In a transaction. */
static int refresh(struct db_tx *tx, void *arg, struct error **err)
{
	struct check *check = arg;

	drop_loaded(check);
	int r = read_revisions(tx, &check->revisions, err);
	if (r < 0)
		return r;

	announce(tx, check);
	r = load_stale(tx, check, err);
	if (r == 0)
		accept_loaded(check);
	return r;
}

static int run_check(struct db *db, struct check *check, struct error **err)
{
	check->has_moved = false;
	int r = db_query(db, look, check, err);
	if (r == 0 && check->has_moved)
		r = db_read(db, refresh, check, err);
	drop_loaded(check);
	return r;
}

static struct check check_begin(struct db_cache *cache, uint32_t families) REQUIRES(cache->mutex)
{
	struct check check = { .families = families, .n_drops = cache->n_drops };

	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		if (!cache->parts[i])
			continue;
		check.old[i] = db_cache_part_ref(cache->parts[i]);
		check.parts[i] = db_cache_part_ref(cache->parts[i]);
	}
	return check;
}

static void check_done(struct check *check)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		db_cache_part_unref(check->old[i]);
		db_cache_part_unref(check->parts[i]);
	}
}

static bool is_newer(const struct db_cache_part *part, const struct db_cache_part *other)
{
	if (part->revision != other->revision || part->family != DB_FAMILY_INSTANCES)
		return part->revision > other->revision;
	return part->expanded_with->revision > other->expanded_with->revision;
}

/* Keeps what the check has found, unless somebody else has found what is newer meanwhile. */
static void publish(struct db_cache *cache, struct check *check) REQUIRES(cache->mutex)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		struct db_cache_part *now = cache->parts[i];

		if (!check->parts[i] || check->parts[i] == now)
			continue;
		if (now != check->old[i] && now && !is_newer(check->parts[i], now))
			continue;
		cache->parts[i] = check->parts[i];
		check->parts[i] = now;
	}
}

/* Runs the next check for all who wait for it; called and returns with the lock held. */
static void lead(struct db_cache *cache) REQUIRES(cache->mutex)
{
	scoped(error_freep) struct error *err = NULL;
	struct check check = check_begin(cache, cache->wanted);
	uint64_t number = ++cache->started;
	int r;

	cache->checking = check.families;
	cache->wanted = 0;
	mutex_unlock(&cache->mutex);

	for (;;) {
		r = run_check(cache->db, &check, &err);

		mutex_lock(&cache->mutex);
		if (cache->n_drops == check.n_drops)
			break;

		/* What was read may be of the database before: again from nothing. */
		struct check again = check_begin(cache, check.families);
		mutex_unlock(&cache->mutex);
		error_free(TAKE_PTR(err));
		check_done(&check);
		check = again;
	}

	publish(cache, &check); /* Also what was read before a failure is good. */
	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		if (r == 0 && check.families & (1U << i))
			cache->fresh_at[i] = number;
	if (r < 0) {
		error_free(cache->failure);
		cache->failure = TAKE_PTR(err);
		cache->failed_at = number;
	}
	cache->finished = number;
	cond_broadcast(&cache->checked);
	mutex_unlock(&cache->mutex);

	check_done(&check);
	mutex_lock(&cache->mutex);
}

static bool are_fresh(struct db_cache *cache, uint32_t families, uint64_t number)
	REQUIRES(cache->mutex)
{
	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		if (families & (1U << i) && cache->fresh_at[i] < number)
			return false;

	return true;
}

/* Instances come with the profiles that they were expanded with. */
static struct db_view *make_view(struct db_cache_part *const *parts, uint32_t families)
{
	struct db_view *view = xcalloc(1, sizeof(*view));

	refs_init(&view->refs);
	view->families = families;
	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		struct db_cache_part *part = parts[i];

		if (i == DB_FAMILY_PROFILES && families & DB_INSTANCES)
			part = parts[DB_FAMILY_INSTANCES]->expanded_with;
		if (families & (1U << i))
			view->parts[i] = db_cache_part_ref(part);
	}
	return view;
}

static uint32_t with_needs(uint32_t families)
{
	return families & DB_INSTANCES ? families | DB_PROFILES : families;
}

/* The first check that is good for a ticket and looks at these families: it may run already. */
static uint64_t choose_check(struct db_cache *cache, uint64_t ticket, uint32_t families)
	REQUIRES(cache->mutex)
{
	bool is_running = cache->started > cache->finished;

	if (is_running && cache->started >= ticket && (families & ~cache->checking) == 0)
		return cache->started;

	cache->wanted |= families;
	return cache->started + 1;
}

static int view_since(struct db_cache *cache, uint64_t ticket, uint32_t families,
                      struct db_view **ret_view, struct error **err) REQUIRES(cache->mutex)
{
	/* Once, unless everything is dropped between a check and our turn. */
	while (!are_fresh(cache, families, ticket) && cache->failed_at < ticket) {
		uint64_t number = choose_check(cache, ticket, families);

		while (cache->finished < number) {
			if (cache->started == cache->finished)
				lead(cache);
			else
				cond_wait(&cache->checked, &cache->mutex);
		}
	}
	if (!are_fresh(cache, families, ticket))
		return error_set(err, cache->failure->status, "%s", cache->failure->msg);

	*ret_view = make_view(cache->parts, families);
	return 0;
}

uint64_t db_cache_ticket(struct db_cache *cache)
{
	mutex_lock(&cache->mutex);
	uint64_t ticket = cache->started + 1;
	mutex_unlock(&cache->mutex);
	return ticket;
}

int db_cache_view_since(struct db_cache *cache, uint64_t ticket, uint32_t families,
                        struct db_view **ret_view, struct error **err)
{
	mutex_lock(&cache->mutex);
	int r = view_since(cache, ticket, with_needs(families), ret_view, err);
	mutex_unlock(&cache->mutex);
	return r;
}

int db_cache_view(struct db_cache *cache, uint32_t families, struct db_view **ret_view,
                  struct error **err)
{
	mutex_lock(&cache->mutex);
	int r = view_since(cache, cache->started + 1, with_needs(families), ret_view, err);
	mutex_unlock(&cache->mutex);
	return r;
}

int db_cache_view_in(struct db_cache *cache, struct db_tx *tx, uint32_t families,
                     struct db_view **ret_view, struct error **err)
{
	mutex_lock(&cache->mutex);
	struct check check = check_begin(cache, with_needs(families));
	mutex_unlock(&cache->mutex);

	int r = refresh(tx, &check, err);
	if (r == 0)
		*ret_view = make_view(check.parts, check.families);
	drop_loaded(&check);

	mutex_lock(&cache->mutex);
	if (r == 0 && !tx->has_written && cache->n_drops == check.n_drops)
		publish(cache, &check);
	mutex_unlock(&cache->mutex);
	check_done(&check);
	return r;
}

int db_cache_write(struct db_cache *cache, db_fn *fn, void *arg, struct error **err)
{
	return db_write_shared(cache->db, SELECT_REVISIONS, fn, arg, err);
}

struct db_view *db_cache_stale_view(struct db_cache *cache, uint32_t families)
{
	struct db_view *view = NULL;

	families = with_needs(families);
	mutex_lock(&cache->mutex);
	bool has_all = true;
	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		has_all = has_all && (!(families & (1U << i)) || cache->parts[i]);
	if (has_all)
		view = make_view(cache->parts, families);
	mutex_unlock(&cache->mutex);
	return view;
}

void db_cache_drop(struct db_cache *cache)
{
	struct db_cache_part *parts[DB_N_FAMILIES];

	mutex_lock(&cache->mutex);
	cache->n_drops++;
	for (size_t i = 0; i < DB_N_FAMILIES; i++) {
		parts[i] = cache->parts[i];
		cache->parts[i] = NULL;
		cache->fresh_at[i] = 0;
	}
	mutex_unlock(&cache->mutex);

	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		db_cache_part_unref(parts[i]);
}

struct db_view *db_cache_view_ref(struct db_view *view)
{
	refs_get(&view->refs);
	return view;
}

void db_cache_view_unref(struct db_view *view)
{
	if (!view || !refs_put(&view->refs))
		return;

	for (size_t i = 0; i < DB_N_FAMILIES; i++)
		db_cache_part_unref(view->parts[i]);
	free(view);
}

static const struct db_cache_part *part_of(const struct db_view *view, enum db_family family)
{
	assert(view->families & (1U << family));
	return view->parts[family];
}

const struct smap *db_cache_config(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_CONFIG)->config;
}

const struct db_members *db_cache_members(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_MEMBERS)->members;
}

const struct db_member_groups *db_cache_member_groups(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_MEMBERS)->member_groups;
}

const struct db_projects *db_cache_projects(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_PROJECTS)->projects;
}

const struct db_profiles *db_cache_profiles(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_PROFILES)->profiles;
}

const struct db_expanded *const *db_cache_instances(const struct db_view *view, size_t *ret_n)
{
	const struct db_cache_part *part = part_of(view, DB_FAMILY_INSTANCES);

	*ret_n = part->n_instances;
	return (const struct db_expanded *const *)part->instances;
}

const struct db_instance_snapshots *db_cache_snapshots(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_SNAPSHOTS)->snapshots;
}

const struct db_images *db_cache_images(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_IMAGES)->images;
}

const struct db_image_aliases *db_cache_image_aliases(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_IMAGES)->image_aliases;
}

const struct db_storage_pools *db_cache_pools(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_POOLS)->pools;
}

const struct db_storage_volumes *db_cache_volumes(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_VOLUMES)->volumes;
}

const struct db_placement_groups *db_cache_placement_groups(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_PLACEMENT_GROUPS)->placement_groups;
}

const struct db_certificates *db_cache_certificates(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_CERTIFICATES)->certificates;
}

const struct db_warnings *db_cache_warnings(const struct db_view *view)
{
	return &part_of(view, DB_FAMILY_WARNINGS)->warnings;
}

struct db_derived *db_cache_derived(const struct db_expanded *row)
{
	return atomic_load(&row->derived);
}

struct db_derived *db_cache_derive_take(const struct db_expanded *row, struct db_derived *derived)
{
	/* Rows are constant but for this, which is nobody else's. */
	struct db_expanded *mine = (struct db_expanded *)(uintptr_t)row;
	struct db_derived *first = NULL;

	if (atomic_compare_exchange_strong(&mine->derived, &first, derived))
		return derived;

	derived->free(derived);
	return first;
}
