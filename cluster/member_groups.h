/*
 * Cluster groups: the rules of changing them, and which members a target "@group" stands for.
 *
 * Every member is in at least one group; "default" always exists. Errors are LXD's. All functions
 * run in the caller's transaction.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct db_tx;

/* 400 for an empty name, spaces, slashes, and a name that cannot be one. */
int member_groups_check_name(const char *name, struct error **err);

/* Creates the group with these members (names, NULL-terminated or NULL); 409 if it exists. */
int member_groups_create(struct db_tx *tx, const char *name, const char *description,
                         char *const *members, struct error **err);

/*
 * Replaces description and members; a NULL leaves it as it is. 404 if there is no such group or
 * member, 400 if a member would be left without a group.
 */
int member_groups_update(struct db_tx *tx, const char *name, const char *description,
                         char *const *members, struct error **err);

/* 403 for "default", 404, 409 if the new name exists. */
int member_groups_rename(struct db_tx *tx, const char *name, const char *new_name,
                         struct error **err);

/* 403 for "default", 404, 400 unless the group is empty and unused. */
int member_groups_delete(struct db_tx *tx, const char *name, struct error **err);

/* 400 if 'groups' is empty, 404 if one of them does not exist: before db_member_update(). */
int member_groups_check_of_member(struct db_tx *tx, char *const *groups, struct error **err);

/*
 * What uses a group: URLs of projects that are restricted to it and of instances that were placed
 * by it; a vector of the caller's, NULL if there is none.
 */
int member_groups_used_by(struct db_tx *tx, const char *name, char ***ret_urls, struct error **err);
