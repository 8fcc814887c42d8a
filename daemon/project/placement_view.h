/*
 * The cluster as the planner sees it.
 *
 * Turns a view of the database, the reservations and what is known of the members' liveness into a
 * struct placement_snapshot. Creation, moves, evacuation, restore, the dry run and the explanation
 * all start here, so that all of them decide on the same picture.
 *
 * To choose and reserve in one step, make the view inside the write transaction: while it holds the
 * write lock nobody else commits, so the view is what the transaction sees.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cluster/placement.h"
#include "db/cache.h"
#include "db/reservations.h"
#include "lib/base/error.h"

struct map;
struct member_list;

/* Families that the view must hold. */
#define PLACEMENT_VIEW_FAMILIES \
	(DB_MEMBERS | DB_INSTANCES | DB_POOLS | DB_PROJECTS | DB_PLACEMENT_GROUPS | DB_VOLUMES)

struct placement_view {
	struct placement_snapshot snapshot;
	struct placement_view_private *private;
};

/*
 * 'view' must outlive the result, 'members' (NULL: a server of its own) and 'reservations' (NULL:
 * none) need not. An instance whose placement group does not exist counts as one without a group.
 */
void placement_view_init(struct placement_view *ret_view, const struct db_view *view,
                         const struct member_list *members,
                         const struct db_reservations *reservations);
void placement_view_done(struct placement_view *view);

/* How many bytes instances have on disk: "project/name" to a uint64_t. Without it nobody has any.
 */
void placement_view_set_sizes(struct placement_view *view, const struct map *sizes);

/* The index of a member by name, or PLACEMENT_NONE. */
size_t placement_view_member(const struct placement_view *view, const char *name);

/* The index of an instance, or PLACEMENT_NONE. */
size_t placement_view_instance(const struct placement_view *view, const char *project,
                               const char *name);

/* The cluster groups that a project is bound to as a vector, or NULL for all; borrowed. */
const char *const *placement_view_allowed_groups(const struct placement_view *view,
                                                 const char *project);

/* The row behind an instance of the snapshot; NULL for a reservation. */
const struct db_expanded *placement_view_row(const struct placement_view *view, size_t instance);

/*
 * Fills 'ret_instance' for one that is to be made, from its expanded config and devices, which must
 * outlive it. 404 when its placement group does not exist, 400 when limits do not parse. Free what
 * it owns with placement_view_wish_done().
 */
int placement_view_wish(const struct placement_view *view, const struct db_expanded *row,
                        struct placement_instance *ret_instance, struct error **err);
void placement_view_wish_done(struct placement_instance *instance);
