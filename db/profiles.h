/* Profiles: rows of "profiles" with config and devices. Each project with profiles has "default".
 */
#pragma once

#include "db/db.h"
#include "db/device_rows.h"

struct db_profile {
	int64_t id;
	char *project;
	char *name;
	char *description;
	struct smap config;
	struct db_devices devices;
};

struct db_profiles {
	struct db_profile *rows;
	size_t n;
};

void db_profile_done(struct db_profile *row);
void db_profile_copy(struct db_profile *dst, const struct db_profile *src);
void db_profile_list_done(struct db_profiles *rows);

/* Of one project, or of all if it is NULL; sorted by project and name. */
int db_profile_list(struct db_tx *tx, const char *project, struct db_profiles *ret_rows,
                    struct error **err) MUST_CHECK;

/* Also says which members have instances with it, unless 'ret_users' is NULL; strv_free(). */
int db_profile_get(struct db_tx *tx, const char *project, const char *name,
                   struct db_profile *ret_row, char ***ret_users, struct error **err) MUST_CHECK;
int db_profile_create(struct db_tx *tx, const struct db_profile *row, int64_t *ret_id,
                      struct error **err) MUST_CHECK;

/* Sets description, config and devices of row->id, where they differ from those of 'now'. */
int db_profile_update(struct db_tx *tx, const struct db_profile *now, const struct db_profile *row,
                      struct error **err) MUST_CHECK;
int db_profile_rename(struct db_tx *tx, const char *project, const char *name, const char *new_name,
                      struct error **err) MUST_CHECK;

/* Fails with a 400 if an instance uses the profile. */
int db_profile_delete(struct db_tx *tx, const char *project, const char *name, struct error **err)
	MUST_CHECK;
