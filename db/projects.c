#include "db/projects.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"

#define NOUN "Project"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_project, id),
	DB_TEXT(struct db_project, name),
	DB_TEXT(struct db_project, description),
};
/* clang-format on */

#define SELECT_PROJECTS                \
	"SELECT id, name, description" \
	"  FROM projects"

static const struct db_config_table config_table = {
	.select_sql = "SELECT project_id, key, value"
		      "  FROM projects_config"
		      " ORDER BY project_id, key",
	.insert_sql = "INSERT INTO projects_config (project_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (project_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM projects_config WHERE project_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static const char select_config_of[] = "SELECT project_id, key, value"
				       "  FROM projects_config"
				       " WHERE project_id = ?"
				       " ORDER BY key";

void db_project_done(struct db_project *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
}

void db_project_list_done(struct db_projects *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_project_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_projects){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct db_project *)a)->name, ((const struct db_project *)b)->name);
}

int db_project_list(struct db_tx *tx, struct db_projects *ret_rows, struct error **err)
{
	scoped(db_project_list_done) struct db_projects list = { 0 };

	int r = db_row_list(tx, SELECT_PROJECTS " ORDER BY id", DB_NO_ARGS, columns, &list, err);
	if (r < 0)
		return r;

	struct db_owners owners = DB_OWNERS(&list, struct db_project, config);
	r = db_config_merge(tx, config_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_projects){ 0 };
	return 0;
}

int db_project_get(struct db_tx *tx, const char *name, struct db_project *ret_row,
                   struct error **err)
{
	scoped(db_project_done) struct db_project row = { 0 };

	int r = db_get(tx, SELECT_PROJECTS " WHERE name = ?", DB_ARGS(db_text(name)), columns,
	               COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);

	struct db_owners owner = DB_OWNER(&row, config);
	r = db_config_merge(tx, select_config_of, DB_ARGS(db_int(row.id)), &owner, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_project){ 0 };
	return 0;
}

int db_project_create(struct db_tx *tx, const struct db_project *row, int64_t *ret_id,
                      struct error **err)
{
	int64_t id;

	int r = db_insert(tx,
	                  "INSERT INTO projects (name, description)"
	                  " VALUES (?, ?)",
	                  DB_ARGS(db_text(row->name), db_text(row->description)), &id, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

int db_project_update(struct db_tx *tx, const struct db_project *row, struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE projects"
	                      "   SET description = ?"
	                      " WHERE id = ?",
	                      DB_ARGS(db_text(row->description), db_int(row->id)), &changes, err);
	if (r == 0)
		r = db_row_changed(changes, NOUN, err);
	if (r == 0)
		r = db_config_read(tx, select_config_of, row->id, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now, &row->config, err);
	return r;
}

int db_project_rename(struct db_tx *tx, const char *name, const char *new_name, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE projects"
	                      "   SET name = ?"
	                      " WHERE name = ?",
	                      DB_ARGS(db_text(new_name), db_text(name)), &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_project_delete(struct db_tx *tx, const char *name, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, "DELETE FROM projects WHERE name = ?", DB_ARGS(db_text(name)),
	                      &changes, err);
	if (r == -ENOENT)
		return db_row_in_use(NOUN, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}

int db_project_count_content(struct db_tx *tx, const char *name, int64_t *ret_n, struct error **err)
{
	static const char count[] =
		"SELECT (SELECT COUNT(*) FROM instances WHERE project_id = projects.id)"
		"     + (SELECT COUNT(*) FROM images WHERE project_id = projects.id)"
		"     + (SELECT COUNT(*) FROM profiles"
		"         WHERE project_id = projects.id AND name <> 'default')"
		"     + (SELECT COUNT(*) FROM storage_volumes WHERE project_id = projects.id)"
		"     + (SELECT COUNT(*) FROM placement_groups WHERE project_id = projects.id)"
		"  FROM projects"
		" WHERE name = ?";

	int r = db_get_int(tx, count, DB_ARGS(db_text(name)), -1, ret_n, err);
	if (r < 0)
		return r;

	return *ret_n < 0 ? error_set(err, 404, NOUN " not found") : 0;
}
