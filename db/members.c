#include "db/members.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/strv.h"

#define NOUN "Cluster member"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_member, id),
	DB_TEXT(struct db_member, name),
	DB_TEXT(struct db_member, address),
	DB_TEXT(struct db_member, description),
	DB_TEXT(struct db_member, architecture),
	DB_TEXT(struct db_member, failure_domain),
	DB_INT64(struct db_member, state),
	DB_DATE(struct db_member, heartbeat),
	DB_INT64(struct db_member, schema),
	DB_INT64(struct db_member, api_extensions),
};
/* clang-format on */

#define SELECT_MEMBERS                                                         \
	"SELECT id, name, address, description, architecture, failure_domain," \
	"       state, heartbeat, schema_version, api_extensions"              \
	"  FROM members"
#define SELECT_ROLES "SELECT member_id, role FROM members_roles"
#define SELECT_GROUPS                                                \
	"SELECT member_groups_members.member_id, member_groups.name" \
	"  FROM member_groups_members"                               \
	"  JOIN member_groups ON member_groups.id = member_groups_members.group_id"

static const struct db_config_table config_table = {
	.select_sql = "SELECT member_id, key, value"
		      "  FROM members_config"
		      " ORDER BY member_id, key",
	.insert_sql = "INSERT INTO members_config (member_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (member_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM members_config WHERE member_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static const char select_config_of[] = "SELECT member_id, key, value"
				       "  FROM members_config"
				       " WHERE member_id = ?"
				       " ORDER BY key";

void db_member_done(struct db_member *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
	strv_free(row->roles);
	strv_free(row->groups);
	row->roles = NULL;
	row->groups = NULL;
}

void db_member_list_done(struct db_members *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_member_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_members){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct db_member *)a)->name, ((const struct db_member *)b)->name);
}

/* There are few members: one member costs no less than all. */
static int load_parts(struct db_tx *tx, struct db_members *list, struct error **err)
{
	struct db_owners owners = DB_OWNERS(list, struct db_member, config);

	int r = db_config_merge(tx, config_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;
	owners.field_offset = offsetof(struct db_member, roles);
	r = db_config_merge_names(tx, SELECT_ROLES " ORDER BY member_id, role", DB_NO_ARGS, &owners,
	                          err);
	if (r < 0)
		return r;
	owners.field_offset = offsetof(struct db_member, groups);
	return db_config_merge_names(tx, SELECT_GROUPS " ORDER BY member_id, member_groups.name",
	                             DB_NO_ARGS, &owners, err);
}

int db_member_list(struct db_tx *tx, struct db_members *ret_rows, struct error **err)
{
	scoped(db_member_list_done) struct db_members list = { 0 };

	int r = db_row_list(tx, SELECT_MEMBERS " ORDER BY id", DB_NO_ARGS, columns, &list, err);
	if (r < 0)
		return r;
	r = load_parts(tx, &list, err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_members){ 0 };
	return 0;
}

static int get(struct db_tx *tx, const char *sql, struct db_args args, struct db_member *ret_row,
               struct error **err)
{
	scoped(db_member_done) struct db_member row = { 0 };
	struct db_members list = { .rows = &row, .n = 1 };

	int r = db_get(tx, sql, args, columns, COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = load_parts(tx, &list, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_member){ 0 };
	return 0;
}

int db_member_get(struct db_tx *tx, const char *name, struct db_member *ret_row, struct error **err)
{
	return get(tx, SELECT_MEMBERS " WHERE name = ?", DB_ARGS(db_text(name)), ret_row, err);
}

int db_member_get_by_id(struct db_tx *tx, int64_t id, struct db_member *ret_row, struct error **err)
{
	return get(tx, SELECT_MEMBERS " WHERE id = ?", DB_ARGS(db_int(id)), ret_row, err);
}

int db_member_get_by_address(struct db_tx *tx, const char *address, struct db_member *ret_row,
                             struct error **err)
{
	return get(tx, SELECT_MEMBERS " WHERE address = ?", DB_ARGS(db_text(address)), ret_row,
	           err);
}

static int insert_role(struct db_tx *tx, int64_t id, const char *role, struct error **err)
{
	return db_exec(tx, "INSERT INTO members_roles (member_id, role) VALUES (?, ?)",
	               DB_ARGS(db_int(id), db_text(role)), err);
}

static int insert_group(struct db_tx *tx, int64_t id, const char *group, struct error **err)
{
	int r = db_exec(tx,
	                "INSERT INTO member_groups_members (member_id, group_id)"
	                " VALUES (?, (SELECT id FROM member_groups WHERE name = ?))",
	                DB_ARGS(db_int(id), db_text(group)), err);

	return db_row_end(r, "Cluster group", err);
}

static int insert_sets(struct db_tx *tx, const struct db_member *row, int64_t id,
                       struct error **err)
{
	STRV_FOREACH (role, row->roles) {
		int r = insert_role(tx, id, role, err);
		if (r < 0)
			return r;
	}
	STRV_FOREACH (group, row->groups) {
		int r = insert_group(tx, id, group, err);
		if (r < 0)
			return r;
	}

	return strv_len(row->groups) == 0 ? insert_group(tx, id, "default", err) : 0;
}

static const char *domain_of(const struct db_member *row)
{
	return row->failure_domain && *row->failure_domain ? row->failure_domain : "default";
}

int db_member_create(struct db_tx *tx, const struct db_member *row, int64_t *ret_id,
                     struct error **err)
{
	int64_t id;

	int r = db_insert(tx,
	                  "INSERT INTO members (id, name, address, description, architecture,"
	                  "                     failure_domain, state, heartbeat, schema_version,"
	                  "                     api_extensions)"
	                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	                  DB_ARGS(row->id ? db_int(row->id) : db_null(), db_text(row->name),
	                          db_text(row->address), db_text(row->description),
	                          db_text(row->architecture), db_text(domain_of(row)),
	                          db_int(row->state), db_date(row->heartbeat), db_int(row->schema),
	                          db_int(row->api_extensions)),
	                  &id, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	if (r == 0)
		r = insert_sets(tx, row, id, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

/* Runs an UPDATE of one member. */
static int update_one(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_member_update(struct db_tx *tx, const struct db_member *row, struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };

	int r = update_one(
		tx,
		"UPDATE members"
		"   SET description = ?, failure_domain = ?"
		" WHERE id = ?",
		DB_ARGS(db_text(row->description), db_text(domain_of(row)), db_int(row->id)), err);
	if (r == 0)
		r = db_exec(tx, "DELETE FROM members_roles WHERE member_id = ?",
		            DB_ARGS(db_int(row->id)), err);
	if (r == 0)
		r = db_exec(tx, "DELETE FROM member_groups_members WHERE member_id = ?",
		            DB_ARGS(db_int(row->id)), err);
	if (r == 0)
		r = insert_sets(tx, row, row->id, err);
	if (r == 0)
		r = db_config_read(tx, select_config_of, row->id, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now, &row->config, err);
	return r;
}

int db_member_rename(struct db_tx *tx, const char *name, const char *new_name, struct error **err)
{
	return update_one(tx, "UPDATE members SET name = ? WHERE name = ?",
	                  DB_ARGS(db_text(new_name), db_text(name)), err);
}

int db_member_set_state(struct db_tx *tx, int64_t id, enum db_member_state state,
                        struct error **err)
{
	return update_one(tx, "UPDATE members SET state = ? WHERE id = ?",
	                  DB_ARGS(db_int(state), db_int(id)), err);
}

int db_member_set_address(struct db_tx *tx, int64_t id, const char *address, struct error **err)
{
	return update_one(tx, "UPDATE members SET address = ? WHERE id = ?",
	                  DB_ARGS(db_text(address), db_int(id)), err);
}

int db_member_set_versions(struct db_tx *tx, int64_t id, int64_t schema, int64_t api_extensions,
                           const char *architecture, struct error **err)
{
	return update_one(
		tx,
		"UPDATE members"
		"   SET schema_version = ?, api_extensions = ?, architecture = ?"
		" WHERE id = ?",
		DB_ARGS(db_int(schema), db_int(api_extensions), db_text(architecture), db_int(id)),
		err);
}

int db_member_set_heartbeats(struct db_tx *tx, const int64_t *ids, size_t n, int64_t time,
                             struct error **err)
{
	for (size_t i = 0; i < n; i++) {
		int r = db_exec(tx, "UPDATE members SET heartbeat = ? WHERE id = ?",
		                DB_ARGS(db_date(time), db_int(ids[i])), err);
		if (r < 0)
			return r;
	}

	return 0;
}

int db_member_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, "DELETE FROM members WHERE id = ?", DB_ARGS(db_int(id)), &changes,
	                      err);
	if (r == -ENOENT)
		return db_row_in_use(NOUN, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}

int db_member_purge(struct db_tx *tx, int64_t id, struct error **err)
{
	static const char *const statements[] = {
		"DELETE FROM images"
		" WHERE fingerprint IN (SELECT fingerprint"
		"                         FROM images_members"
		"                        WHERE member_id = ?1)"
		"   AND fingerprint NOT IN (SELECT fingerprint"
		"                             FROM images_members"
		"                            WHERE member_id <> ?1)",
		"DELETE FROM instances WHERE member_id = ?",
		"DELETE FROM storage_volumes WHERE member_id = ?",
	};

	for (size_t i = 0; i < COUNT_OF(statements); i++) {
		int r = db_exec(tx, statements[i], DB_ARGS(db_int(id)), err);
		if (r < 0)
			return r;
	}

	return db_member_delete(tx, id, err);
}
