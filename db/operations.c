#include "db/operations.h"

#include <stdlib.h>

#include "db/row.h"

#define NOUN "Operation"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_operation, id),
	DB_TEXT(struct db_operation, uuid),
	DB_TEXT(struct db_operation, member),
	DB_TEXT(struct db_operation, project),
	DB_TEXT(struct db_operation, class),
	DB_TEXT(struct db_operation, description),
	DB_INT64(struct db_operation, status),
	DB_DATE(struct db_operation, created),
	DB_DATE(struct db_operation, updated),
	DB_BOOL(struct db_operation, may_cancel),
	DB_TEXT(struct db_operation, resources),
	DB_TEXT(struct db_operation, metadata),
	DB_TEXT(struct db_operation, requestor),
	DB_TEXT(struct db_operation, error),
	DB_INT64(struct db_operation, error_code),
};
/* clang-format on */

#define SELECT_OPERATIONS                                                         \
	"SELECT operations.id, operations.uuid, members.name, projects.name,"     \
	"       operations.class, operations.description, operations.status,"     \
	"       operations.created, operations.updated, operations.may_cancel,"   \
	"       operations.resources, operations.metadata, operations.requestor," \
	"       operations.error, operations.error_code"                          \
	"  FROM operations"                                                       \
	"  JOIN members ON members.id = operations.member_id"                     \
	"  LEFT JOIN projects ON projects.id = operations.project_id"

void db_operation_done(struct db_operation *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
}

void db_operation_list_done(struct db_operations *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_operation_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_operations){ 0 };
}

int db_operation_list(struct db_tx *tx, const char *project, const char *member,
                      struct db_operations *ret_rows, struct error **err)
{
	return db_row_list(tx,
	                   SELECT_OPERATIONS " WHERE (?1 IS NULL OR projects.name = ?1)"
	                                     "   AND (?2 IS NULL OR members.name = ?2)"
	                                     " ORDER BY operations.id",
	                   DB_ARGS(db_text_or_null(project), db_text_or_null(member)), columns,
	                   ret_rows, err);
}

int db_operation_get(struct db_tx *tx, const char *uuid, struct db_operation *ret_row,
                     struct error **err)
{
	struct db_operation row = { 0 };

	int r = db_get(tx, SELECT_OPERATIONS " WHERE operations.uuid = ?", DB_ARGS(db_text(uuid)),
	               columns, COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);

	*ret_row = row;
	return 0;
}

static struct db_value object(const char *json)
{
	return db_text(json && *json ? json : "{}");
}

int db_operation_create(struct db_tx *tx, const struct db_operation *row, struct error **err)
{
	int r = db_exec(
		tx,
		"INSERT INTO operations (uuid, member_id, project_id, class, description,"
		"                        status, created, updated, may_cancel, resources,"
		"                        metadata, requestor, error, error_code)"
		" VALUES (?, (SELECT id FROM members WHERE name = ?),"
		"         (SELECT id FROM projects WHERE name = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?,"
		"         ?, ?)",
		DB_ARGS(db_text(row->uuid), db_text(row->member), db_text_or_null(row->project),
	                db_text(row->class), db_text(row->description), db_int(row->status),
	                db_int(row->created), db_int(row->updated), db_bool(row->may_cancel),
	                object(row->resources), object(row->metadata), db_text(row->requestor),
	                db_text(row->error), db_int(row->error_code)),
		err);

	return db_row_end(r, r == -ENOENT ? "Cluster member" : NOUN, err);
}

static int update_one(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_operation_update(struct db_tx *tx, const struct db_operation *row, struct error **err)
{
	return update_one(tx,
	                  "UPDATE operations"
	                  "   SET status = ?, updated = ?, may_cancel = ?, resources = ?,"
	                  "       metadata = ?, error = ?, error_code = ?"
	                  " WHERE uuid = ?",
	                  DB_ARGS(db_int(row->status), db_int(row->updated),
	                          db_bool(row->may_cancel), object(row->resources),
	                          object(row->metadata), db_text(row->error),
	                          db_int(row->error_code), db_text(row->uuid)),
	                  err);
}

int db_operation_delete(struct db_tx *tx, const char *uuid, struct error **err)
{
	return update_one(tx, "DELETE FROM operations WHERE uuid = ?", DB_ARGS(db_text(uuid)), err);
}

int db_operation_delete_of(struct db_tx *tx, const char *member, struct error **err)
{
	return db_exec(tx,
	               "DELETE FROM operations"
	               " WHERE member_id = (SELECT id FROM members WHERE name = ?)",
	               DB_ARGS(db_text(member)), err);
}
