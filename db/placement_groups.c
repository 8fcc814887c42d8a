#include "db/placement_groups.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"

#define NOUN "Placement group"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_placement_group, id),
	DB_TEXT(struct db_placement_group, project),
	DB_TEXT(struct db_placement_group, name),
	DB_TEXT(struct db_placement_group, description),
};
/* clang-format on */

#define SELECT_GROUPS                                                       \
	"SELECT placement_groups.id, projects.name, placement_groups.name," \
	"       placement_groups.description"                               \
	"  FROM placement_groups"                                           \
	"  JOIN projects ON projects.id = placement_groups.project_id"

static const struct db_config_table config_table = {
	.select_sql = "SELECT group_id, key, value"
		      "  FROM placement_groups_config"
		      " ORDER BY group_id, key",
	.insert_sql = "INSERT INTO placement_groups_config (group_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (group_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM placement_groups_config WHERE group_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static const char select_config_of[] = "SELECT group_id, key, value"
				       "  FROM placement_groups_config"
				       " WHERE group_id = ?"
				       " ORDER BY key";

void db_placement_group_done(struct db_placement_group *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
}

void db_placement_group_list_done(struct db_placement_groups *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_placement_group_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_placement_groups){ 0 };
}

static int by_name(const void *a, const void *b)
{
	const struct db_placement_group *x = a;
	const struct db_placement_group *y = b;
	int order = strcmp(x->project, y->project);

	return order ? order : strcmp(x->name, y->name);
}

int db_placement_group_list(struct db_tx *tx, const char *project,
                            struct db_placement_groups *ret_rows, struct error **err)
{
	scoped(db_placement_group_list_done) struct db_placement_groups list = { 0 };

	int r = db_row_list(tx,
	                    SELECT_GROUPS " WHERE ?1 IS NULL OR projects.name = ?1"
	                                  " ORDER BY placement_groups.id",
	                    DB_ARGS(db_text_or_null(project)), columns, &list, err);
	if (r < 0)
		return r;

	struct db_owners owners = DB_OWNERS(&list, struct db_placement_group, config);
	r = db_config_merge(tx, config_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_placement_groups){ 0 };
	return 0;
}

int db_placement_group_get(struct db_tx *tx, const char *project, const char *name,
                           struct db_placement_group *ret_row, struct error **err)
{
	scoped(db_placement_group_done) struct db_placement_group row = { 0 };

	int r = db_get(tx, SELECT_GROUPS " WHERE projects.name = ? AND placement_groups.name = ?",
	               DB_ARGS(db_text(project), db_text(name)), columns, COUNT_OF(columns), &row,
	               err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = db_config_read(tx, select_config_of, row.id, &row.config, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_placement_group){ 0 };
	return 0;
}

int db_placement_group_create(struct db_tx *tx, const struct db_placement_group *row,
                              int64_t *ret_id, struct error **err)
{
	int64_t id;

	int r = db_insert(
		tx,
		"INSERT INTO placement_groups (project_id, name, description)"
		" VALUES ((SELECT id FROM projects WHERE name = ?), ?, ?)",
		DB_ARGS(db_text(row->project), db_text(row->name), db_text(row->description)), &id,
		err);
	if (r < 0)
		return db_row_end(r, r == -ENOENT ? "Project" : NOUN, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

int db_placement_group_update(struct db_tx *tx, const struct db_placement_group *row,
                              struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };
	int64_t changes;

	int r = db_exec_count(tx, "UPDATE placement_groups SET description = ? WHERE id = ?",
	                      DB_ARGS(db_text(row->description), db_int(row->id)), &changes, err);
	if (r == 0)
		r = db_row_changed(changes, NOUN, err);
	if (r == 0)
		r = db_config_read(tx, select_config_of, row->id, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now, &row->config, err);
	return r;
}

int db_placement_group_rename(struct db_tx *tx, const char *project, const char *name,
                              const char *new_name, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE placement_groups"
	                      "   SET name = ?"
	                      " WHERE name = ?"
	                      "   AND project_id = (SELECT id FROM projects WHERE name = ?)",
	                      DB_ARGS(db_text(new_name), db_text(name), db_text(project)), &changes,
	                      err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_placement_group_delete(struct db_tx *tx, const char *project, const char *name,
                              struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "DELETE FROM placement_groups"
	                      " WHERE name = ?"
	                      "   AND project_id = (SELECT id FROM projects WHERE name = ?)",
	                      DB_ARGS(db_text(name), db_text(project)), &changes, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}
