/* Placement groups of projects: rows of "placement_groups" with their config. */
#pragma once

#include "db/db.h"

struct db_placement_group {
	int64_t id;
	char *project;
	char *name;
	char *description;
	struct smap config; /* "policy" and "rigor", "user.*". */
};

struct db_placement_groups {
	struct db_placement_group *rows;
	size_t n;
};

void db_placement_group_done(struct db_placement_group *row);
void db_placement_group_list_done(struct db_placement_groups *rows);

/* Of one project, or of all if it is NULL; sorted by project and name. */
int db_placement_group_list(struct db_tx *tx, const char *project,
                            struct db_placement_groups *ret_rows, struct error **err) MUST_CHECK;
int db_placement_group_get(struct db_tx *tx, const char *project, const char *name,
                           struct db_placement_group *ret_row, struct error **err) MUST_CHECK;
int db_placement_group_create(struct db_tx *tx, const struct db_placement_group *row,
                              int64_t *ret_id, struct error **err) MUST_CHECK;

/* Sets description and config of row->id. */
int db_placement_group_update(struct db_tx *tx, const struct db_placement_group *row,
                              struct error **err) MUST_CHECK;
int db_placement_group_rename(struct db_tx *tx, const char *project, const char *name,
                              const char *new_name, struct error **err) MUST_CHECK;
int db_placement_group_delete(struct db_tx *tx, const char *project, const char *name,
                              struct error **err) MUST_CHECK;
