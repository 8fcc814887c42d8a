#include "db/schema.h"

#include <errno.h>

#include "db/schema_sql.h"
#include "db/tx.h"

int64_t db_schema_version(void)
{
	return (int64_t)schema_sql_n_updates;
}

static int run_all(struct db_tx *tx, const char *const *statements, struct error **err)
{
	for (; *statements; statements++) {
		int r = db_exec(tx, *statements, DB_NO_ARGS, err);
		if (r < 0)
			return r;
	}

	return 0;
}

static int set_version(struct db_tx *tx, int64_t version, struct error **err)
{
	return db_exec(tx, "INSERT INTO schema (version, updated) VALUES (?, ?)",
	               DB_ARGS(db_int(version), db_int(date_now())), err);
}

/* 0 for an empty database. */
static int get_version(struct db_tx *tx, int64_t *ret_version, struct error **err)
{
	int64_t has_schema;

	int r = db_get_int(tx,
	                   "SELECT COUNT(*)"
	                   "  FROM sqlite_master"
	                   " WHERE type = 'table' AND name = 'schema'",
	                   DB_NO_ARGS, 0, &has_schema, err);
	if (r < 0)
		return r;
	if (!has_schema) {
		*ret_version = 0;
		return 0;
	}

	return db_get_int(tx, "SELECT MAX(version) FROM schema", DB_NO_ARGS, 0, ret_version, err);
}

static int check(int64_t version, struct error **err)
{
	if (version <= db_schema_version())
		return 0;

	return error_set(err, 500,
	                 "The database has schema %lld, which is newer than this server's %lld",
	                 (long long)version, (long long)db_schema_version());
}

static int look(struct db_tx *tx, void *arg, struct error **err)
{
	return get_version(tx, arg, err);
}

static int bring_up(struct db_tx *tx, void *arg, struct error **err)
{
	int64_t version;

	(void)arg;
	int r = get_version(tx, &version, err);
	if (r < 0)
		return r;
	r = check(version, err);
	if (r < 0)
		return r;

	if (version == 0) {
		r = run_all(tx, schema_sql_fresh, err);
		return r < 0 ? r : set_version(tx, db_schema_version(), err);
	}
	for (; version < db_schema_version(); version++) {
		r = run_all(tx, schema_sql_updates[version], err);
		if (r == 0)
			r = set_version(tx, version + 1, err);
		if (r < 0)
			return error_wrap(err, "Failed updating the schema to %lld",
			                  (long long)(version + 1));
	}

	return 0;
}

int db_schema_ensure(struct db *db, struct error **err)
{
	int64_t version = 0;

	int r = db_read(db, look, &version, err);
	if (r < 0)
		return r;
	r = check(version, err);
	if (r < 0 || version == db_schema_version())
		return r;

	return db_write_within(db, 60000, bring_up, NULL, err);
}
