/* Projects: rows of "projects" with their config. The project "default" always exists. */
#pragma once

#include "db/db.h"

struct db_project {
	int64_t id;
	char *name;
	char *description;
	struct smap config; /* "features.*" among others. */
};

struct db_projects {
	struct db_project *rows;
	size_t n;
};

void db_project_done(struct db_project *row);
void db_project_list_done(struct db_projects *rows);

/* Sorted by name. */
int db_project_list(struct db_tx *tx, struct db_projects *ret_rows, struct error **err) MUST_CHECK;
int db_project_get(struct db_tx *tx, const char *name, struct db_project *ret_row,
                   struct error **err) MUST_CHECK;

/* Adds the project alone; the caller adds its profile "default" if it has profiles of its own. */
int db_project_create(struct db_tx *tx, const struct db_project *row, int64_t *ret_id,
                      struct error **err) MUST_CHECK;

/* Sets description and config of row->id. */
int db_project_update(struct db_tx *tx, const struct db_project *row, struct error **err)
	MUST_CHECK;
int db_project_rename(struct db_tx *tx, const char *name, const char *new_name, struct error **err)
	MUST_CHECK;

/* Removes the project and its profiles; what else it holds must be gone, which the caller checks.
 */
int db_project_delete(struct db_tx *tx, const char *name, struct error **err) MUST_CHECK;

/*
 * What is in a project besides its profile "default": instances, images, profiles, custom volumes,
 * placement groups. 0 means that the project is empty.
 */
int db_project_count_content(struct db_tx *tx, const char *name, int64_t *ret_n, struct error **err)
	MUST_CHECK;
