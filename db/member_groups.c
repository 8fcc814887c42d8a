#include "db/member_groups.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/strv.h"

#define NOUN "Cluster group"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_member_group, id),
	DB_TEXT(struct db_member_group, name),
	DB_TEXT(struct db_member_group, description),
};
/* clang-format on */

#define SELECT_GROUPS "SELECT id, name, description FROM member_groups"
#define SELECT_MEMBERS                                                   \
	"SELECT member_groups_members.group_id, members.name"            \
	"  FROM member_groups_members"                                   \
	"  JOIN members ON members.id = member_groups_members.member_id" \
	" ORDER BY member_groups_members.group_id, members.name"

void db_member_group_done(struct db_member_group *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	strv_free(row->members);
	row->members = NULL;
}

void db_member_group_list_done(struct db_member_groups *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_member_group_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_member_groups){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct db_member_group *)a)->name,
	              ((const struct db_member_group *)b)->name);
}

int db_member_group_list(struct db_tx *tx, struct db_member_groups *ret_rows, struct error **err)
{
	scoped(db_member_group_list_done) struct db_member_groups list = { 0 };

	int r = db_row_list(tx, SELECT_GROUPS " ORDER BY id", DB_NO_ARGS, columns, &list, err);
	if (r < 0)
		return r;

	struct db_owners owners = DB_OWNERS(&list, struct db_member_group, members);
	r = db_config_merge_names(tx, SELECT_MEMBERS, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_member_groups){ 0 };
	return 0;
}

int db_member_group_get(struct db_tx *tx, const char *name, struct db_member_group *ret_row,
                        struct error **err)
{
	scoped(db_member_group_done) struct db_member_group row = { 0 };

	int r = db_get(tx, SELECT_GROUPS " WHERE name = ?", DB_ARGS(db_text(name)), columns,
	               COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);

	struct db_owners owner = DB_OWNER(&row, members);
	r = db_config_merge_names(tx, SELECT_MEMBERS, DB_NO_ARGS, &owner, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_member_group){ 0 };
	return 0;
}

static int insert_members(struct db_tx *tx, int64_t id, char *const *members, struct error **err)
{
	STRV_FOREACH (name, members) {
		int r = db_exec(tx,
		                "INSERT INTO member_groups_members (group_id, member_id)"
		                " VALUES (?, (SELECT id FROM members WHERE name = ?))",
		                DB_ARGS(db_int(id), db_text(name)), err);
		if (r == -EEXIST) {
			error_free(*err);
			*err = NULL;
			return error_set(err, 400, "Duplicate member \"%s\"", name);
		}
		if (r < 0)
			return db_row_end(r, "Cluster member", err);
	}

	return 0;
}

int db_member_group_create(struct db_tx *tx, const struct db_member_group *row, int64_t *ret_id,
                           struct error **err)
{
	int64_t id;

	int r = db_insert(tx, "INSERT INTO member_groups (name, description) VALUES (?, ?)",
	                  DB_ARGS(db_text(row->name), db_text(row->description)), &id, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = insert_members(tx, id, row->members, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

int db_member_group_update(struct db_tx *tx, const struct db_member_group *row, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, "UPDATE member_groups SET description = ? WHERE id = ?",
	                      DB_ARGS(db_text(row->description), db_int(row->id)), &changes, err);
	if (r == 0)
		r = db_row_changed(changes, NOUN, err);
	if (r == 0)
		r = db_exec(tx, "DELETE FROM member_groups_members WHERE group_id = ?",
		            DB_ARGS(db_int(row->id)), err);
	if (r == 0)
		r = insert_members(tx, row->id, row->members, err);
	return r;
}

int db_member_group_rename(struct db_tx *tx, const char *name, const char *new_name,
                           struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, "UPDATE member_groups SET name = ? WHERE name = ?",
	                      DB_ARGS(db_text(new_name), db_text(name)), &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_member_group_delete(struct db_tx *tx, const char *name, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, "DELETE FROM member_groups WHERE name = ?",
	                      DB_ARGS(db_text(name)), &changes, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}
