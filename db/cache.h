/*
 * Rows in memory, kept honest by revisions.
 *
 * Triggers raise a number in the table "revisions" with each change of a family of tables. A reader
 * asks for a view of some families: one small query reads all revisions, families whose number
 * changed are read anew (of instances only those that changed), and the reader gets a set of
 * immutable rows that stay valid as long as it holds the view. So a list of a thousand instances
 * costs one query, and a view shows every write that was answered before it was asked for, on
 * whatever member. Readers that arrive together share a query that began after they came.
 */
#pragma once

#include "db/certificates.h"
#include "db/db.h"
#include "db/images.h"
#include "db/instance_snapshots.h"
#include "db/instances.h"
#include "db/member_groups.h"
#include "db/members.h"
#include "db/placement_groups.h"
#include "db/profiles.h"
#include "db/projects.h"
#include "db/storage_pools.h"
#include "db/storage_volumes.h"
#include "db/warnings.h"

enum db_family {
	DB_FAMILY_CONFIG,
	DB_FAMILY_MEMBERS, /* With the groups. */
	DB_FAMILY_PROJECTS,
	DB_FAMILY_PROFILES,
	DB_FAMILY_INSTANCES,
	DB_FAMILY_SNAPSHOTS, /* Of instances. */
	DB_FAMILY_IMAGES,    /* With aliases. */
	DB_FAMILY_POOLS,
	DB_FAMILY_VOLUMES,
	DB_FAMILY_PLACEMENT_GROUPS,
	DB_FAMILY_CERTIFICATES,
	DB_FAMILY_WARNINGS,
	DB_N_FAMILIES,
};

/* clang-format off */
#define DB_CONFIG           (1U << DB_FAMILY_CONFIG)
#define DB_MEMBERS          (1U << DB_FAMILY_MEMBERS)
#define DB_PROJECTS         (1U << DB_FAMILY_PROJECTS)
#define DB_PROFILES         (1U << DB_FAMILY_PROFILES)
#define DB_INSTANCES        (1U << DB_FAMILY_INSTANCES)
#define DB_SNAPSHOTS        (1U << DB_FAMILY_SNAPSHOTS)
#define DB_IMAGES           (1U << DB_FAMILY_IMAGES)
#define DB_POOLS            (1U << DB_FAMILY_POOLS)
#define DB_VOLUMES          (1U << DB_FAMILY_VOLUMES)
#define DB_PLACEMENT_GROUPS (1U << DB_FAMILY_PLACEMENT_GROUPS)
#define DB_CERTIFICATES     (1U << DB_FAMILY_CERTIFICATES)
#define DB_WARNINGS         (1U << DB_FAMILY_WARNINGS)
/* clang-format on */

struct db_cache;
struct db_view;

/* What a layer above makes of a row and wants to find again; embedded in a struct of its own. */
struct db_derived {
	void (*free)(struct db_derived *self);
};

/* An instance with its profiles applied. */
struct db_expanded {
	struct db_instance row;
	struct smap config;                 /* Profiles in their order, then its own. */
	struct db_devices devices;          /* The same. */
	struct db_derived *_Atomic derived; /* Private: see db_cache_derived(). */
};

/*
 * What was derived from a row that a view holds, or NULL; then it is made and handed over, to be
 * freed with the row. When two threads do so at once, both get what the first one made. Only one
 * kind of thing can be derived from instances.
 */
struct db_derived *db_cache_derived(const struct db_expanded *row);
struct db_derived *db_cache_derive_take(const struct db_expanded *row, struct db_derived *derived);

struct db_cache *db_cache_new(struct db *db);
void db_cache_free(struct db_cache *cache); /* When no view is held any more. */
DEFINE_SCOPED(struct db_cache *, db_cache_free);

/* Gives a view of at least 'families', a set of DB_MEMBERS and so on; it may hold more. */
int db_cache_view(struct db_cache *cache, uint32_t families, struct db_view **ret_view,
                  struct error **err) MUST_CHECK;

/*
 * The same for somebody who came some time ago and got a ticket then: any check will do that began
 * after the ticket was given, so that requests that stood in a queue together cost one.
 * db_cache_ticket() never blocks. A writer that wants to see its own write must not use a ticket
 * from before it.
 */
uint64_t db_cache_ticket(struct db_cache *cache);
int db_cache_view_since(struct db_cache *cache, uint64_t ticket, uint32_t families,
                        struct db_view **ret_view, struct error **err) MUST_CHECK;

/*
 * A view for a transaction that writes: of the state that it began with, and with the changes that
 * it has made itself. It costs one query, and what has changed since anybody looked; meant for
 * families of few rows and for instances. db_cache_write() is db_write_shared() for a callback that
 * begins with this; it must not use other views.
 */
int db_cache_view_in(struct db_cache *cache, struct db_tx *tx, uint32_t families,
                     struct db_view **ret_view, struct error **err) MUST_CHECK;
int db_cache_write(struct db_cache *cache, db_fn *fn, void *arg, struct error **err);

/*
 * A view from memory alone, as old as it may be: for what must work without the database (trust
 * of connections, heartbeats). NULL if one of the families was never read.
 */
struct db_view *db_cache_stale_view(struct db_cache *cache, uint32_t families) MUST_CHECK;

/* Forgets all rows: the database is another one now. Views that are held stay as they are. */
void db_cache_drop(struct db_cache *cache);

struct db_view *db_cache_view_ref(struct db_view *view);
void db_cache_view_unref(struct db_view *view);
DEFINE_SCOPED(struct db_view *, db_cache_view_unref);

/*
 * What is in a view; all is borrowed from it. The family must be among those that were asked for.
 * Lists are sorted as those of the row modules; finders return NULL if there is none.
 */
const struct smap *db_cache_config(const struct db_view *view);
const struct db_members *db_cache_members(const struct db_view *view);
const struct db_member *db_cache_member(const struct db_view *view, const char *name);
const struct db_member_groups *db_cache_member_groups(const struct db_view *view);
const struct db_member_group *db_cache_member_group(const struct db_view *view, const char *name);
const struct db_projects *db_cache_projects(const struct db_view *view);
const struct db_project *db_cache_project(const struct db_view *view, const char *name);
const struct db_profiles *db_cache_profiles(const struct db_view *view);
const struct db_profile *db_cache_profile(const struct db_view *view, const char *project,
                                          const char *name);

/* An array of *ret_n pointers, sorted by project and name. */
const struct db_expanded *const *db_cache_instances(const struct db_view *view, size_t *ret_n);
const struct db_expanded *db_cache_instance(const struct db_view *view, const char *project,
                                            const char *name);

const struct db_instance_snapshots *db_cache_snapshots(const struct db_view *view);

/* Those of one instance: the first of *ret_n rows, or NULL. */
const struct db_instance_snapshot *db_cache_snapshots_of(const struct db_view *view,
                                                         int64_t instance_id, size_t *ret_n);
const struct db_images *db_cache_images(const struct db_view *view);
const struct db_image *db_cache_image(const struct db_view *view, const char *project,
                                      const char *fingerprint);
const struct db_image_aliases *db_cache_image_aliases(const struct db_view *view);
const struct db_image_alias *db_cache_image_alias(const struct db_view *view, const char *project,
                                                  const char *name);
const struct db_storage_pools *db_cache_pools(const struct db_view *view);
const struct db_storage_pool *db_cache_pool(const struct db_view *view, const char *name);
const struct db_storage_volumes *db_cache_volumes(const struct db_view *view);
const struct db_placement_groups *db_cache_placement_groups(const struct db_view *view);
const struct db_placement_group *db_cache_placement_group(const struct db_view *view,
                                                          const char *project, const char *name);
const struct db_certificates *db_cache_certificates(const struct db_view *view);
const struct db_certificate *db_cache_certificate(const struct db_view *view,
                                                  const char *fingerprint);
const struct db_warnings *db_cache_warnings(const struct db_view *view);
