#include "db/profiles.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"

#define NOUN "Profile"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_profile, id),
	DB_TEXT(struct db_profile, project),
	DB_TEXT(struct db_profile, name),
	DB_TEXT(struct db_profile, description),
};
/* clang-format on */

#define SELECT_PROFILES                                                          \
	"SELECT profiles.id, projects.name, profiles.name, profiles.description" \
	"  FROM profiles"                                                        \
	"  JOIN projects ON projects.id = profiles.project_id"

static const struct db_config_table config_table = {
	.select_sql = "SELECT profile_id, key, value"
		      "  FROM profiles_config"
		      " ORDER BY profile_id, key",
	.insert_sql = "INSERT INTO profiles_config (profile_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (profile_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM profiles_config WHERE profile_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static const char select_config_of[] = "SELECT profile_id, key, value"
				       "  FROM profiles_config"
				       " WHERE profile_id = ?"
				       " ORDER BY key";

static const struct db_device_table device_table = {
	.select_sql = "SELECT profile_id, device, key, value"
		      "  FROM profiles_devices"
		      " ORDER BY profile_id, device, key",
	.insert_sql = "INSERT INTO profiles_devices (profile_id, device, key, value)"
		      " SELECT ?, d.key, c.key, c.value"
		      "  FROM json_each(?) AS d, json_each(d.value) AS c",
	.delete_sql = "DELETE FROM profiles_devices WHERE profile_id = ?"
		      "   AND device IN (SELECT key FROM json_each(?))",
};

static const char select_devices_of[] = "SELECT profile_id, device, key, value"
					"  FROM profiles_devices"
					" WHERE profile_id = ?"
					" ORDER BY device, key";

void db_profile_done(struct db_profile *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
	db_device_list_done(&row->devices);
}

void db_profile_list_done(struct db_profiles *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_profile_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_profiles){ 0 };
}

static int by_name(const void *a, const void *b)
{
	const struct db_profile *x = a;
	const struct db_profile *y = b;
	int order = strcmp(x->project, y->project);

	return order ? order : strcmp(x->name, y->name);
}

int db_profile_list(struct db_tx *tx, const char *project, struct db_profiles *ret_rows,
                    struct error **err)
{
	scoped(db_profile_list_done) struct db_profiles list = { 0 };

	int r = db_row_list(tx,
	                    SELECT_PROFILES " WHERE ?1 IS NULL OR projects.name = ?1"
	                                    " ORDER BY profiles.id",
	                    DB_ARGS(db_text_or_null(project)), columns, &list, err);
	if (r < 0)
		return r;

	struct db_owners owners = DB_OWNERS(&list, struct db_profile, config);
	r = db_config_merge(tx, config_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;
	owners = DB_OWNERS(&list, struct db_profile, devices);
	r = db_config_merge_devices(tx, device_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_profiles){ 0 };
	return 0;
}

static int load_parts(struct db_tx *tx, struct db_profile *row, struct error **err)
{
	struct db_owners owner = DB_OWNER(row, config);

	int r = db_config_merge(tx, select_config_of, DB_ARGS(db_int(row->id)), &owner, err);
	if (r < 0)
		return r;

	owner = DB_OWNER(row, devices);
	return db_config_merge_devices(tx, select_devices_of, DB_ARGS(db_int(row->id)), &owner,
	                               err);
}

int db_profile_get(struct db_tx *tx, const char *project, const char *name,
                   struct db_profile *ret_row, struct error **err)
{
	scoped(db_profile_done) struct db_profile row = { 0 };

	int r = db_get(tx, SELECT_PROFILES " WHERE projects.name = ? AND profiles.name = ?",
	               DB_ARGS(db_text(project), db_text(name)), columns, COUNT_OF(columns), &row,
	               err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = load_parts(tx, &row, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_profile){ 0 };
	return 0;
}

int db_profile_create(struct db_tx *tx, const struct db_profile *row, int64_t *ret_id,
                      struct error **err)
{
	int64_t id;

	int r = db_insert(
		tx,
		"INSERT INTO profiles (project_id, name, description)"
		" VALUES ((SELECT id FROM projects WHERE name = ?), ?, ?)",
		DB_ARGS(db_text(row->project), db_text(row->name), db_text(row->description)), &id,
		err);
	if (r < 0)
		return db_row_end(r, r == -ENOENT ? "Project" : NOUN, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	if (r == 0)
		r = db_config_replace_devices(tx, &device_table, id, NULL, &row->devices, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

int db_profile_update(struct db_tx *tx, const struct db_profile *row, struct error **err)
{
	scoped(db_profile_done) struct db_profile now = { .id = row->id };
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE profiles"
	                      "   SET description = ?"
	                      " WHERE id = ?",
	                      DB_ARGS(db_text(row->description), db_int(row->id)), &changes, err);
	if (r == 0)
		r = db_row_changed(changes, NOUN, err);
	if (r == 0)
		r = load_parts(tx, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now.config, &row->config, err);
	if (r == 0)
		r = db_config_replace_devices(tx, &device_table, row->id, &now.devices,
		                              &row->devices, err);
	return r;
}

int db_profile_rename(struct db_tx *tx, const char *project, const char *name, const char *new_name,
                      struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE profiles"
	                      "   SET name = ?"
	                      " WHERE name = ?"
	                      "   AND project_id = (SELECT id FROM projects WHERE name = ?)",
	                      DB_ARGS(db_text(new_name), db_text(name), db_text(project)), &changes,
	                      err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_profile_delete(struct db_tx *tx, const char *project, const char *name, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "DELETE FROM profiles"
	                      " WHERE name = ?"
	                      "   AND project_id = (SELECT id FROM projects WHERE name = ?)",
	                      DB_ARGS(db_text(name), db_text(project)), &changes, err);
	if (r == -ENOENT)
		return db_row_in_use(NOUN, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}
