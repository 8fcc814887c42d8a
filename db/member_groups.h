/* Cluster groups: named sets of members, rows of "member_groups". */
#pragma once

#include "db/db.h"

struct db_member_group {
	int64_t id;
	char *name;
	char *description;
	char **members; /* Names, sorted. */
};

struct db_member_groups {
	struct db_member_group *rows;
	size_t n;
};

void db_member_group_done(struct db_member_group *row);
void db_member_group_list_done(struct db_member_groups *rows);

/* Sorted by name. */
int db_member_group_list(struct db_tx *tx, struct db_member_groups *ret_rows, struct error **err)
	MUST_CHECK;
int db_member_group_get(struct db_tx *tx, const char *name, struct db_member_group *ret_row,
                        struct error **err) MUST_CHECK;

/* With row->members; 404 if one of them does not exist. */
int db_member_group_create(struct db_tx *tx, const struct db_member_group *row, int64_t *ret_id,
                           struct error **err) MUST_CHECK;

/* Sets description and members of row->id. */
int db_member_group_update(struct db_tx *tx, const struct db_member_group *row, struct error **err)
	MUST_CHECK;
int db_member_group_rename(struct db_tx *tx, const char *name, const char *new_name,
                           struct error **err) MUST_CHECK;
int db_member_group_delete(struct db_tx *tx, const char *name, struct error **err) MUST_CHECK;
