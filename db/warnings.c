#include "db/warnings.h"

#include <stdlib.h>

#include "db/row.h"

#define NOUN "Warning"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_warning, id),
	DB_TEXT(struct db_warning, uuid),
	DB_TEXT(struct db_warning, member),
	DB_TEXT(struct db_warning, project),
	DB_TEXT(struct db_warning, entity_url),
	DB_TEXT(struct db_warning, type),
	DB_INT64(struct db_warning, severity),
	DB_INT64(struct db_warning, status),
	DB_INT64(struct db_warning, count),
	DB_DATE(struct db_warning, first_seen),
	DB_DATE(struct db_warning, last_seen),
	DB_DATE(struct db_warning, updated),
	DB_TEXT(struct db_warning, message),
};
/* clang-format on */

#define SELECT_WARNINGS                                                                  \
	"SELECT warnings.id, warnings.uuid, members.name, projects.name,"                \
	"       warnings.entity_url, warnings.type, warnings.severity, warnings.status," \
	"       warnings.count, warnings.first_seen, warnings.last_seen,"                \
	"       warnings.updated, warnings.message"                                      \
	"  FROM warnings"                                                                \
	"  LEFT JOIN members ON members.id = warnings.member_id"                         \
	"  LEFT JOIN projects ON projects.id = warnings.project_id"

void db_warning_done(struct db_warning *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
}

void db_warning_list_done(struct db_warnings *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_warning_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_warnings){ 0 };
}

int db_warning_list(struct db_tx *tx, const char *project, struct db_warnings *ret_rows,
                    struct error **err)
{
	return db_row_list(tx,
	                   SELECT_WARNINGS " WHERE ?1 IS NULL OR projects.name = ?1"
	                                   " ORDER BY warnings.id",
	                   DB_ARGS(db_text_or_null(project)), columns, ret_rows, err);
}

int db_warning_get(struct db_tx *tx, const char *uuid, struct db_warning *ret_row,
                   struct error **err)
{
	struct db_warning row = { 0 };

	int r = db_get(tx, SELECT_WARNINGS " WHERE warnings.uuid = ?", DB_ARGS(db_text(uuid)),
	               columns, COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);

	*ret_row = row;
	return 0;
}

int db_warning_raise(struct db_tx *tx, const struct db_warning *row, struct error **err)
{
	int r = db_exec(
		tx,
		"INSERT INTO warnings (uuid, member_id, project_id, entity_url, type, severity,"
		"                      status, count, first_seen, last_seen, updated, message)"
		" VALUES (?1, (SELECT id FROM members WHERE name = ?2),"
		"         (SELECT id FROM projects WHERE name = ?3), ?4, ?5, ?6, ?7, 1, ?8, ?8,"
		"         ?8, ?9)"
		" ON CONFLICT (COALESCE(member_id, 0), COALESCE(project_id, 0), type,"
		"              entity_url)"
		" DO UPDATE SET count = count + 1, last_seen = excluded.last_seen,"
		"               updated = excluded.updated, message = excluded.message,"
		"               severity = excluded.severity,"
		"               status = CASE status WHEN ?10 THEN ?7 ELSE status END",
		DB_ARGS(db_text(row->uuid), db_text_or_null(row->member),
	                db_text_or_null(row->project), db_text(row->entity_url), db_text(row->type),
	                db_int(row->severity), db_int(DB_WARNING_NEW), db_int(row->last_seen),
	                db_text(row->message), db_int(DB_WARNING_RESOLVED)),
		err);

	return db_row_end(r, NOUN, err);
}

static int update_one(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_warning_set_status(struct db_tx *tx, const char *uuid, enum db_warning_status status,
                          struct error **err)
{
	return update_one(tx, "UPDATE warnings SET status = ?, updated = ? WHERE uuid = ?",
	                  DB_ARGS(db_int(status), db_int(date_now()), db_text(uuid)), err);
}

int db_warning_resolve(struct db_tx *tx, const char *member, const char *type,
                       const char *entity_url, struct error **err)
{
	return db_exec(tx,
	               "UPDATE warnings"
	               "   SET status = ?1, updated = ?2"
	               " WHERE type = ?3"
	               "   AND status <> ?1"
	               "   AND member_id IS (SELECT id FROM members WHERE name = ?4)"
	               "   AND (?5 IS NULL OR entity_url = ?5)",
	               DB_ARGS(db_int(DB_WARNING_RESOLVED), db_int(date_now()), db_text(type),
	                       db_text(member), entity_url ? db_text(entity_url) : db_null()),
	               err);
}

int db_warning_delete(struct db_tx *tx, const char *uuid, struct error **err)
{
	return update_one(tx, "DELETE FROM warnings WHERE uuid = ?", DB_ARGS(db_text(uuid)), err);
}
