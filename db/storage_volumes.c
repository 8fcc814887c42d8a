#include "db/storage_volumes.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"

#define NOUN "Storage volume"
#define NOUN_SNAPSHOT "Storage volume snapshot"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_storage_volume, id),
	DB_TEXT(struct db_storage_volume, pool),
	DB_TEXT(struct db_storage_volume, project),
	DB_TEXT(struct db_storage_volume, member),
	DB_TEXT(struct db_storage_volume, name),
	DB_TEXT(struct db_storage_volume, description),
	DB_INT64(struct db_storage_volume, type),
	DB_INT64(struct db_storage_volume, content),
	DB_DATE(struct db_storage_volume, created),
};

static const struct db_column snapshot_columns[] = {
	DB_INT64(struct db_storage_snapshot, id),
	DB_INT64(struct db_storage_snapshot, volume_id),
	DB_TEXT(struct db_storage_snapshot, name),
	DB_TEXT(struct db_storage_snapshot, description),
	DB_DATE(struct db_storage_snapshot, created),
	DB_DATE(struct db_storage_snapshot, expires),
};
/* clang-format on */

#define SELECT_VOLUMES                                                                    \
	"SELECT storage_volumes.id, storage_pools.name, projects.name, members.name,"     \
	"       storage_volumes.name, storage_volumes.description, storage_volumes.type," \
	"       storage_volumes.content, storage_volumes.created"                         \
	"  FROM storage_volumes"                                                          \
	"  JOIN storage_pools ON storage_pools.id = storage_volumes.pool_id"              \
	"  JOIN projects ON projects.id = storage_volumes.project_id"                     \
	"  LEFT JOIN members ON members.id = storage_volumes.member_id"
#define SELECT_SNAPSHOTS                                            \
	"SELECT id, volume_id, name, description, created, expires" \
	"  FROM storage_snapshots"

static const struct db_config_table config_table = {
	.select_sql = "SELECT volume_id, key, value"
		      "  FROM storage_volumes_config"
		      " ORDER BY volume_id, key",
	.insert_sql = "INSERT INTO storage_volumes_config (volume_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (volume_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM storage_volumes_config WHERE volume_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static const char select_config_of[] = "SELECT volume_id, key, value"
				       "  FROM storage_volumes_config"
				       " WHERE volume_id = ?"
				       " ORDER BY key";

static const struct db_config_table snapshot_table = {
	.select_sql = "SELECT snapshot_id, key, value"
		      "  FROM storage_snapshots_config"
		      " ORDER BY snapshot_id, key",
	.insert_sql = "INSERT INTO storage_snapshots_config (snapshot_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?)",
};

void db_storage_volume_done(struct db_storage_volume *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
}

void db_storage_volume_list_done(struct db_storage_volumes *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_storage_volume_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_storage_volumes){ 0 };
}

void db_storage_volume_snapshot_done(struct db_storage_snapshot *row)
{
	db_row_unload(snapshot_columns, COUNT_OF(snapshot_columns), row);
	smap_done(&row->config);
}

void db_storage_volume_snapshot_list_done(struct db_storage_snapshots *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_storage_volume_snapshot_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_storage_snapshots){ 0 };
}

static int by_name(const void *a, const void *b)
{
	const struct db_storage_volume *x = a;
	const struct db_storage_volume *y = b;
	int order = strcmp(x->pool, y->pool);

	if (!order)
		order = strcmp(x->project, y->project);
	if (!order && x->type != y->type)
		order = x->type < y->type ? -1 : 1;
	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->member, y->member);
}

int db_storage_volume_list(struct db_tx *tx, const struct db_storage_volume_filter *filter,
                           struct db_storage_volumes *ret_rows, struct error **err)
{
	static const struct db_storage_volume_filter all = DB_STORAGE_VOLUME_ALL;
	scoped(db_storage_volume_list_done) struct db_storage_volumes list = { 0 };

	filter = filter ? filter : &all;
	int r = db_row_list(tx,
	                    SELECT_VOLUMES " WHERE (?1 IS NULL OR storage_pools.name = ?1)"
	                                   "   AND (?2 IS NULL OR projects.name = ?2)"
	                                   "   AND (?3 IS NULL OR members.name = ?3"
	                                   "        OR members.name IS NULL)"
	                                   "   AND (?4 IS NULL OR storage_volumes.name = ?4)"
	                                   "   AND (?5 < 0 OR storage_volumes.type = ?5)"
	                                   " ORDER BY storage_volumes.id",
	                    DB_ARGS(db_text_or_null(filter->pool), db_text_or_null(filter->project),
	                            db_text_or_null(filter->member), db_text_or_null(filter->name),
	                            db_int(filter->type)),
	                    columns, &list, err);
	if (r < 0)
		return r;

	struct db_owners owners = DB_OWNERS(&list, struct db_storage_volume, config);
	if (list.n == 1)
		r = db_config_merge(tx, select_config_of, DB_ARGS(db_int(list.rows[0].id)), &owners,
		                    err);
	else
		r = db_config_merge(tx, config_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_storage_volumes){ 0 };
	return 0;
}

int db_storage_volume_get(struct db_tx *tx, const struct db_storage_volume_filter *which,
                          struct db_storage_volume *ret_row, struct error **err)
{
	scoped(db_storage_volume_list_done) struct db_storage_volumes list = { 0 };

	int r = db_storage_volume_list(tx, which, &list, err);
	if (r < 0)
		return r;
	if (list.n == 0)
		return error_set(err, 404, NOUN " not found");
	if (list.n > 1 && !which->member)
		return error_set(err, 400, "Storage volume found on more than one cluster member");

	/* A shared one has no member and sorts before the member's own. */
	struct db_storage_volume *found = &list.rows[list.n - 1];
	*ret_row = *found;
	*found = (struct db_storage_volume){ 0 };
	return 0;
}

/* Which of pool, project and member was not found. */
static int explain(int r, struct error **err)
{
	const char *text = *err ? (*err)->msg : "";

	if (r == -ENOENT && strstr(text, "pool_id"))
		return db_row_end(r, "Storage pool", err);
	if (r == -ENOENT && strstr(text, "project_id"))
		return db_row_end(r, "Project", err);
	return db_row_end(r, r == -ENOENT ? "Cluster member" : NOUN, err);
}

/* An unknown member must not become "shared". */
static int check_member(struct db_tx *tx, const char *member, struct error **err)
{
	int64_t n = 1;

	if (!member || !*member)
		return 0;
	int r = db_get_int(tx, "SELECT COUNT(*) FROM members WHERE name = ?",
	                   DB_ARGS(db_text(member)), 0, &n, err);
	if (r < 0)
		return r;
	return n == 0 ? error_set(err, 404, "Cluster member not found") : 0;
}

int db_storage_volume_create(struct db_tx *tx, const struct db_storage_volume *row, int64_t *ret_id,
                             struct error **err)
{
	int64_t id;

	int r = check_member(tx, row->member, err);
	if (r < 0)
		return r;
	r = db_insert(
		tx,
		"INSERT INTO storage_volumes (pool_id, project_id, member_id, name, description,"
		"                             type, content, created)"
		" VALUES ((SELECT id FROM storage_pools WHERE name = ?),"
		"         (SELECT id FROM projects WHERE name = ?),"
		"         (SELECT id FROM members WHERE name = ?), ?, ?, ?, ?, ?)",
		DB_ARGS(db_text(row->pool), db_text(row->project), db_text_or_null(row->member),
	                db_text(row->name), db_text(row->description), db_int(row->type),
	                db_int(row->content), db_date(row->created)),
		&id, err);
	if (r < 0)
		return explain(r, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

static int update_one(struct db_tx *tx, const char *noun, const char *sql, struct db_args args,
                      struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, noun, err) : db_row_changed(changes, noun, err);
}

int db_storage_volume_update(struct db_tx *tx, const struct db_storage_volume *row,
                             struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };

	int r = update_one(tx, NOUN, "UPDATE storage_volumes SET description = ? WHERE id = ?",
	                   DB_ARGS(db_text(row->description), db_int(row->id)), err);
	if (r == 0)
		r = db_config_read(tx, select_config_of, row->id, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now, &row->config, err);
	return r;
}

int db_storage_volume_rename(struct db_tx *tx, int64_t id, const char *new_name, struct error **err)
{
	return update_one(tx, NOUN, "UPDATE storage_volumes SET name = ? WHERE id = ?",
	                  DB_ARGS(db_text(new_name), db_int(id)), err);
}

int db_storage_volume_move(struct db_tx *tx, int64_t id, const char *pool, const char *project,
                           const char *member, struct error **err)
{
	int64_t changes;

	int r = check_member(tx, member, err);
	if (r < 0)
		return r;
	r = db_exec_count(tx,
	                  "UPDATE storage_volumes"
	                  "   SET pool_id = CASE WHEN ?1 IS NULL THEN pool_id"
	                  "       ELSE (SELECT id FROM storage_pools WHERE name = ?1) END,"
	                  "       project_id = CASE WHEN ?2 IS NULL THEN project_id"
	                  "       ELSE (SELECT id FROM projects WHERE name = ?2) END,"
	                  "       member_id = CASE WHEN ?3 IS NULL THEN member_id"
	                  "       ELSE (SELECT id FROM members WHERE name = ?3) END"
	                  " WHERE id = ?4",
	                  DB_ARGS(db_text_or_null(pool), db_text_or_null(project),
	                          db_text_or_null(member), db_int(id)),
	                  &changes, err);
	return r < 0 ? explain(r, err) : db_row_changed(changes, NOUN, err);
}

int db_storage_volume_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, NOUN, "DELETE FROM storage_volumes WHERE id = ?", DB_ARGS(db_int(id)),
	                  err);
}

static int snapshot_by_volume(const void *a, const void *b)
{
	const struct db_storage_snapshot *x = a;
	const struct db_storage_snapshot *y = b;

	if (x->volume_id != y->volume_id)
		return x->volume_id < y->volume_id ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int db_storage_volume_snapshot_list(struct db_tx *tx, int64_t volume_id,
                                    struct db_storage_snapshots *ret_rows, struct error **err)
{
	scoped(db_storage_volume_snapshot_list_done) struct db_storage_snapshots list = { 0 };

	int r = db_row_list(tx, SELECT_SNAPSHOTS " WHERE ?1 = 0 OR volume_id = ?1 ORDER BY id",
	                    DB_ARGS(db_int(volume_id)), snapshot_columns, &list, err);
	if (r < 0)
		return r;

	struct db_owners owners = DB_OWNERS(&list, struct db_storage_snapshot, config);
	r = db_config_merge(tx, snapshot_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	db_row_sort(&list, snapshot_by_volume);
	*ret_rows = list;
	list = (struct db_storage_snapshots){ 0 };
	return 0;
}

int db_storage_volume_snapshot_list_expired(struct db_tx *tx, int64_t now,
                                            struct db_storage_snapshots *ret_rows,
                                            struct error **err)
{
	return db_row_list(tx,
	                   SELECT_SNAPSHOTS
	                   " WHERE expires <= ?"
	                   "   AND volume_id IN (SELECT id FROM storage_volumes WHERE type = ?)"
	                   " ORDER BY id",
	                   DB_ARGS(db_int(now), db_int(DB_VOLUME_CUSTOM)), snapshot_columns,
	                   ret_rows, err);
}

int db_storage_volume_snapshot_get(struct db_tx *tx, int64_t volume_id, const char *name,
                                   struct db_storage_snapshot *ret_row, struct error **err)
{
	scoped(db_storage_volume_snapshot_done) struct db_storage_snapshot row = { 0 };

	int r = db_get(tx, SELECT_SNAPSHOTS " WHERE volume_id = ? AND name = ?",
	               DB_ARGS(db_int(volume_id), db_text(name)), snapshot_columns,
	               COUNT_OF(snapshot_columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN_SNAPSHOT, err);

	struct db_owners owner = DB_OWNER(&row, config);
	r = db_config_merge(tx, snapshot_table.select_sql, DB_NO_ARGS, &owner, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_storage_snapshot){ 0 };
	return 0;
}

int db_storage_volume_snapshot_create(struct db_tx *tx, const struct db_storage_snapshot *row,
                                      int64_t *ret_id, struct error **err)
{
	int64_t id;

	int r = db_insert(tx,
	                  "INSERT INTO storage_snapshots (volume_id, name, description, created,"
	                  "                               expires)"
	                  " VALUES (?, ?, ?, ?, ?)",
	                  DB_ARGS(db_int(row->volume_id), db_text(row->name),
	                          db_text(row->description), db_date(row->created),
	                          db_date(row->expires)),
	                  &id, err);
	if (r < 0)
		return db_row_end(r, r == -ENOENT ? NOUN : NOUN_SNAPSHOT, err);
	r = db_config_replace(tx, &snapshot_table, id, NULL, &row->config, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

int db_storage_volume_snapshot_update(struct db_tx *tx, int64_t id, const char *description,
                                      int64_t expires, struct error **err)
{
	return update_one(tx, NOUN_SNAPSHOT,
	                  "UPDATE storage_snapshots"
	                  "   SET description = ?, expires = ?"
	                  " WHERE id = ?",
	                  DB_ARGS(db_text(description), db_date(expires), db_int(id)), err);
}

int db_storage_volume_snapshot_rename(struct db_tx *tx, int64_t id, const char *new_name,
                                      struct error **err)
{
	return update_one(tx, NOUN_SNAPSHOT, "UPDATE storage_snapshots SET name = ? WHERE id = ?",
	                  DB_ARGS(db_text(new_name), db_int(id)), err);
}

int db_storage_volume_snapshot_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, NOUN_SNAPSHOT, "DELETE FROM storage_snapshots WHERE id = ?",
	                  DB_ARGS(db_int(id)), err);
}
