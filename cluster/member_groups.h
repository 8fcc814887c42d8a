/*
 * Cluster groups: which members a target "@group" stands for, and the rules of changing them.
 *
 * Every member is in at least one group; "default" always exists. Errors are LXD's.
 */
#pragma once

#include <stddef.h>

#include "lib/base/error.h"

struct cluster;
struct db_tx;

/* 400 for an empty name, spaces, slashes and a name of "." or "..". */
int member_groups_check_name(const char *name, struct error **err);

/* Creates the group with these members (names, NULL-terminated or NULL); 409 if it exists. */
int member_groups_create(struct db_tx *tx, const char *name, const char *description,
                         const char *const *members, struct error **err);

/* Replaces description and members. Fails with a 400 if a member would be left without a group. */
int member_groups_update(struct db_tx *tx, const char *name, const char *description,
                         const char *const *members, struct error **err);

/* 403 for "default", 409 if the new name exists, 400 if the group is used. */
int member_groups_rename(struct db_tx *tx, const char *name, const char *new_name,
                         struct error **err);

/* 403 for "default", 400 unless the group is empty and unused. */
int member_groups_delete(struct db_tx *tx, const char *name, struct error **err);

/* Replaces the groups of a member: 400 if there are none, 404 if one does not exist. */
int member_groups_set_of_member(struct db_tx *tx, const char *member_name,
                                const char *const *groups, struct error **err);
