/*
 * The schema of the cluster database: made fresh, or brought up to date by numbered updates.
 */
#pragma once

#include "db/db.h"

/* The number of the last update that this binary knows. */
int64_t db_schema_version(void);

/*
 * Makes the database usable: creates the schema with its seeds in an empty one, applies the updates
 * that are missing in an older one. Fails with a 500 (-ENOTSUP) if it was written by a newer
 * release.
 */
int db_schema_ensure(struct db *db, struct error **err) MUST_CHECK;
