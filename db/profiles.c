#include "db/profiles.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"

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

/* All of one profile in one query: what a row is comes first. */
enum kind {
	KIND_PROFILE,
	KIND_CONFIG,
	KIND_DEVICE,
	KIND_USER, /* A member with instances that have it. */
};

static const char select_one[] =
	"WITH one AS (SELECT profiles.id, projects.name AS project, profiles.name,"
	"                    profiles.description"
	"               FROM profiles"
	"               JOIN projects ON projects.id = profiles.project_id"
	"              WHERE projects.name = ?1 AND profiles.name = ?2)"
	" SELECT 0, id, project, name, description"
	"   FROM one"
	" UNION ALL"
	" SELECT 1, profile_id, key, value, NULL"
	"   FROM profiles_config"
	"  WHERE profile_id = (SELECT id FROM one)"
	" UNION ALL"
	" SELECT 2, profile_id, device, key, value"
	"   FROM profiles_devices"
	"  WHERE profile_id = (SELECT id FROM one)"
	" UNION ALL"
	" SELECT DISTINCT 3, profile_id, members.name, NULL, NULL"
	"   FROM instances_profiles"
	"   JOIN instances ON instances.id = instances_profiles.instance_id"
	"   JOIN members ON members.id = instances.member_id"
	"  WHERE profile_id = (SELECT id FROM one)";

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

void db_profile_copy(struct db_profile *dst, const struct db_profile *src)
{
	dst->id = src->id;
	dst->project = xstrdup(src->project);
	dst->name = xstrdup(src->name);
	dst->description = xstrdup(src->description);
	smap_copy(&dst->config, &src->config);
	db_device_copy(&dst->devices, &src->devices);
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

struct getting {
	struct db_profile row;
	char **users;
};

static int get_row(const struct db_row *row, void *arg, struct error **err)
{
	struct getting *g = arg;
	struct db_device *device;

	(void)err;
	switch ((enum kind)db_row_int(row, 0)) {
	case KIND_PROFILE:
		g->row.id = db_row_int(row, 1);
		g->row.project = xstrdup(db_row_text(row, 2));
		g->row.name = xstrdup(db_row_text(row, 3));
		g->row.description = xstrdup(db_row_text(row, 4));
		break;
	case KIND_CONFIG:
		smap_set(&g->row.config, db_row_text(row, 2), db_row_text(row, 3));
		break;
	case KIND_DEVICE:
		device = db_device_add(&g->row.devices, db_row_text(row, 2));
		if (*db_row_text(row, 3))
			smap_set(&device->config, db_row_text(row, 3), db_row_text(row, 4));
		break;
	case KIND_USER:
		strv_add(&g->users, db_row_text(row, 2));
		break;
	}
	return 0;
}

int db_profile_get(struct db_tx *tx, const char *project, const char *name,
                   struct db_profile *ret_row, char ***ret_users, struct error **err)
{
	struct getting g = { 0 };

	int r = db_each(tx, select_one, DB_ARGS(db_text(project), db_text(name)), get_row, &g, err);
	if (r == 0 && g.row.id == 0)
		r = error_set(err, 404, NOUN " not found");
	if (r == 0 && ret_users)
		*ret_users = TAKE_PTR(g.users);
	strv_free(g.users);
	if (r < 0) {
		db_profile_done(&g.row);
		return r;
	}

	*ret_row = g.row;
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

int db_profile_update(struct db_tx *tx, const struct db_profile *now, const struct db_profile *row,
                      struct error **err)
{
	int64_t changes = 1;
	int r = 0;

	if (strcmp(now->description, row->description) != 0)
		r = db_exec_count(tx,
		                  "UPDATE profiles"
		                  "   SET description = ?"
		                  " WHERE id = ?",
		                  DB_ARGS(db_text(row->description), db_int(row->id)), &changes,
		                  err);
	if (r == 0)
		r = db_row_changed(changes, NOUN, err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now->config, &row->config, err);
	if (r == 0)
		r = db_config_replace_devices(tx, &device_table, row->id, &now->devices,
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
