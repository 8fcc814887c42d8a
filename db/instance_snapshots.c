#include "db/instance_snapshots.h"

#include <stdlib.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/strv.h"

#define NOUN "Snapshot"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_instance_snapshot, id),
	DB_INT64(struct db_instance_snapshot, instance_id),
	DB_TEXT(struct db_instance_snapshot, project),
	DB_TEXT(struct db_instance_snapshot, instance),
	DB_TEXT(struct db_instance_snapshot, name),
	DB_TEXT(struct db_instance_snapshot, description),
	DB_TEXT(struct db_instance_snapshot, architecture),
	DB_DATE(struct db_instance_snapshot, created),
	DB_DATE(struct db_instance_snapshot, last_used),
	DB_DATE(struct db_instance_snapshot, expires),
	DB_BOOL(struct db_instance_snapshot, ephemeral),
	DB_BOOL(struct db_instance_snapshot, stateful),
};
/* clang-format on */

#define SELECT_SNAPSHOTS                                                                  \
	"SELECT instance_snapshots.id, instance_snapshots.instance_id, projects.name,"    \
	"       instances.name, instance_snapshots.name, instance_snapshots.description," \
	"       instance_snapshots.architecture, instance_snapshots.created,"             \
	"       instance_snapshots.last_used, instance_snapshots.expires,"                \
	"       instance_snapshots.ephemeral, instance_snapshots.stateful"                \
	"  FROM instance_snapshots"                                                       \
	"  JOIN instances ON instances.id = instance_snapshots.instance_id"               \
	"  JOIN projects ON projects.id = instances.project_id"

#define SELECT_CONFIG "SELECT snapshot_id, key, value FROM instance_snapshots_config"
#define SELECT_DEVICES "SELECT snapshot_id, device, key, value FROM instance_snapshots_devices"
#define SELECT_PROFILES "SELECT snapshot_id, profile FROM instance_snapshots_profiles"
#define OF_INSTANCE \
	" WHERE snapshot_id IN (SELECT id FROM instance_snapshots WHERE instance_id = ?)"
#define ORDER_CONFIG " ORDER BY snapshot_id, key"
#define ORDER_DEVICES " ORDER BY snapshot_id, device, key"
#define ORDER_PROFILES " ORDER BY snapshot_id, ordinal"

static const struct db_config_table config_table = {
	.insert_sql = "INSERT INTO instance_snapshots_config (snapshot_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?)",
};

static const struct db_device_table device_table = {
	.insert_sql = "INSERT INTO instance_snapshots_devices (snapshot_id, device, key, value)"
		      " SELECT ?, d.key, c.key, c.value"
		      "  FROM json_each(?) AS d, json_each(d.value) AS c",
};

void db_instance_snapshot_done(struct db_instance_snapshot *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
	db_device_list_done(&row->devices);
	strv_free(row->profiles);
	row->profiles = NULL;
}

void db_instance_snapshot_list_done(struct db_instance_snapshots *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_instance_snapshot_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_instance_snapshots){ 0 };
}

/* By instance, then by age; ids rise with time. */
static int by_instance(const void *a, const void *b)
{
	const struct db_instance_snapshot *x = a;
	const struct db_instance_snapshot *y = b;

	if (x->instance_id != y->instance_id)
		return x->instance_id < y->instance_id ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The parts of all snapshots, or of those of one instance; 'list' is sorted by id. */
static int load_parts(struct db_tx *tx, int64_t instance_id, struct db_instance_snapshots *list,
                      struct error **err)
{
	struct db_owners owners = DB_OWNERS(list, struct db_instance_snapshot, config);
	struct db_args one = DB_ARGS(db_int(instance_id));
	struct db_args args = instance_id ? one : DB_NO_ARGS;

	int r = db_config_merge(tx,
	                        instance_id ? SELECT_CONFIG OF_INSTANCE ORDER_CONFIG
	                                    : SELECT_CONFIG ORDER_CONFIG,
	                        args, &owners, err);
	if (r < 0)
		return r;
	owners.field_offset = offsetof(struct db_instance_snapshot, devices);
	r = db_config_merge_devices(tx,
	                            instance_id ? SELECT_DEVICES OF_INSTANCE ORDER_DEVICES
	                                        : SELECT_DEVICES ORDER_DEVICES,
	                            args, &owners, err);
	if (r < 0)
		return r;
	owners.field_offset = offsetof(struct db_instance_snapshot, profiles);
	return db_config_merge_names(tx,
	                             instance_id ? SELECT_PROFILES OF_INSTANCE ORDER_PROFILES
	                                         : SELECT_PROFILES ORDER_PROFILES,
	                             args, &owners, err);
}

static int list(struct db_tx *tx, const char *sql, struct db_args args, int64_t instance_id,
                struct db_instance_snapshots *ret_rows, struct error **err)
{
	scoped(db_instance_snapshot_list_done) struct db_instance_snapshots found = { 0 };

	int r = db_row_list(tx, sql, args, columns, &found, err);
	if (r < 0)
		return r;
	r = load_parts(tx, instance_id, &found, err);
	if (r < 0)
		return r;

	db_row_sort(&found, by_instance);
	*ret_rows = found;
	found = (struct db_instance_snapshots){ 0 };
	return 0;
}

int db_instance_snapshot_list(struct db_tx *tx, int64_t instance_id,
                              struct db_instance_snapshots *ret_rows, struct error **err)
{
	if (instance_id == 0)
		return list(tx, SELECT_SNAPSHOTS " ORDER BY instance_snapshots.id", DB_NO_ARGS, 0,
		            ret_rows, err);
	return list(tx,
	            SELECT_SNAPSHOTS " WHERE instance_snapshots.instance_id = ?"
	                             " ORDER BY instance_snapshots.id",
	            DB_ARGS(db_int(instance_id)), instance_id, ret_rows, err);
}

int db_instance_snapshot_list_expired(struct db_tx *tx, const char *member, int64_t now,
                                      struct db_instance_snapshots *ret_rows, struct error **err)
{
	return list(tx,
	            SELECT_SNAPSHOTS " JOIN members ON members.id = instances.member_id"
	                             " WHERE members.name = ? AND instance_snapshots.expires <= ?"
	                             " ORDER BY instance_snapshots.id",
	            DB_ARGS(db_text(member), db_int(now)), 0, ret_rows, err);
}

int db_instance_snapshot_get(struct db_tx *tx, int64_t instance_id, const char *name,
                             struct db_instance_snapshot *ret_row, struct error **err)
{
	scoped(db_instance_snapshot_done) struct db_instance_snapshot row = { 0 };
	struct db_instance_snapshots one = { .rows = &row, .n = 1 };

	int r = db_get(tx,
	               SELECT_SNAPSHOTS " WHERE instance_snapshots.instance_id = ?"
	                                "   AND instance_snapshots.name = ?",
	               DB_ARGS(db_int(instance_id), db_text(name)), columns, COUNT_OF(columns),
	               &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = load_parts(tx, instance_id, &one, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_instance_snapshot){ 0 };
	return 0;
}

static int insert_profiles(struct db_tx *tx, int64_t id, char *const *profiles, struct error **err)
{
	int64_t ordinal = 0;

	STRV_FOREACH (name, profiles) {
		int r = db_exec(
			tx,
			"INSERT INTO instance_snapshots_profiles (snapshot_id, ordinal, profile)"
			" VALUES (?, ?, ?)",
			DB_ARGS(db_int(id), db_int(ordinal++), db_text(name)), err);
		if (r < 0)
			return r;
	}

	return 0;
}

int db_instance_snapshot_create(struct db_tx *tx, const struct db_instance_snapshot *row,
                                int64_t *ret_id, struct error **err)
{
	int64_t id;

	int r = db_insert(
		tx,
		"INSERT INTO instance_snapshots (instance_id, name, description,"
		"                                architecture, created, last_used,"
		"                                expires, ephemeral, stateful)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_int(row->instance_id), db_text(row->name), db_text(row->description),
	                db_text(row->architecture), db_date(row->created), db_date(row->last_used),
	                db_date(row->expires), db_bool(row->ephemeral), db_bool(row->stateful)),
		&id, err);
	if (r < 0)
		return db_row_end(r, r == -ENOENT ? "Instance" : NOUN, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	if (r == 0)
		r = db_config_replace_devices(tx, &device_table, id, NULL, &row->devices, err);
	if (r == 0)
		r = insert_profiles(tx, id, row->profiles, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

static int update_one(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_instance_snapshot_update(struct db_tx *tx, int64_t id, const char *description,
                                int64_t expires, struct error **err)
{
	return update_one(tx,
	                  "UPDATE instance_snapshots"
	                  "   SET description = ?, expires = ?"
	                  " WHERE id = ?",
	                  DB_ARGS(db_text(description), db_date(expires), db_int(id)), err);
}

int db_instance_snapshot_rename(struct db_tx *tx, int64_t id, const char *new_name,
                                struct error **err)
{
	return update_one(tx, "UPDATE instance_snapshots SET name = ? WHERE id = ?",
	                  DB_ARGS(db_text(new_name), db_int(id)), err);
}

int db_instance_snapshot_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, "DELETE FROM instance_snapshots WHERE id = ?", DB_ARGS(db_int(id)),
	                  err);
}
