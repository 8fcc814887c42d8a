#include "db/storage_pools.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/array.h"

#define NOUN "Storage pool"

/* A row of storage_pools_members before it is given to its pool. */
struct part {
	int64_t id;
	int64_t pool_id;
	char *member;
	int64_t state;
	struct smap config;
};

struct parts {
	struct part *rows;
	size_t n;
};

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_storage_pool, id),
	DB_TEXT(struct db_storage_pool, name),
	DB_TEXT(struct db_storage_pool, driver),
	DB_TEXT(struct db_storage_pool, description),
	DB_INT64(struct db_storage_pool, state),
};

static const struct db_column part_columns[] = {
	DB_INT64(struct part, id),
	DB_INT64(struct part, pool_id),
	DB_TEXT(struct part, member),
	DB_INT64(struct part, state),
};
/* clang-format on */

#define SELECT_POOLS "SELECT id, name, driver, description, state FROM storage_pools"
#define SELECT_PARTS                                                                    \
	"SELECT storage_pools_members.id, storage_pools_members.pool_id, members.name," \
	"       storage_pools_members.state"                                            \
	"  FROM storage_pools_members"                                                  \
	"  JOIN members ON members.id = storage_pools_members.member_id"                \
	" ORDER BY storage_pools_members.id"
#define SELECT_PART_CONFIG                    \
	"SELECT pool_member_id, key, value"   \
	"  FROM storage_pools_members_config" \
	" ORDER BY pool_member_id, key"

static const struct db_config_table config_table = {
	.select_sql = "SELECT pool_id, key, value"
		      "  FROM storage_pools_config"
		      " ORDER BY pool_id, key",
	.insert_sql = "INSERT INTO storage_pools_config (pool_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (pool_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM storage_pools_config WHERE pool_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static const char select_config_of[] = "SELECT pool_id, key, value"
				       "  FROM storage_pools_config"
				       " WHERE pool_id = ?"
				       " ORDER BY key";

static const struct db_config_table part_table = {
	.select_sql = "SELECT pool_member_id, key, value"
		      "  FROM storage_pools_members_config"
		      " WHERE pool_member_id = ?"
		      " ORDER BY key",
	.insert_sql = "INSERT INTO storage_pools_members_config (pool_member_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (pool_member_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM storage_pools_members_config"
		      " WHERE pool_member_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static void part_list_done(struct parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		free(parts->rows[i].member);
		smap_done(&parts->rows[i].config);
	}
	free(parts->rows);
	*parts = (struct parts){ 0 };
}

void db_storage_pool_done(struct db_storage_pool *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
	for (size_t i = 0; i < row->n_members; i++) {
		free(row->members[i].member);
		smap_done(&row->members[i].config);
	}
	free(row->members);
	row->members = NULL;
	row->n_members = 0;
}

void db_storage_pool_list_done(struct db_storage_pools *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_storage_pool_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_storage_pools){ 0 };
}

const struct db_storage_pool_member *db_storage_pool_on(const struct db_storage_pool *row,
                                                        const char *member)
{
	for (size_t i = 0; i < row->n_members; i++)
		if (strcmp(row->members[i].member, member) == 0)
			return &row->members[i];

	return NULL;
}

bool db_storage_pool_is_created_on(const struct db_storage_pool *row, const char *member)
{
	const struct db_storage_pool_member *part = db_storage_pool_on(row, member);

	return part && part->state == DB_POOL_CREATED;
}

void db_storage_pool_config_on(const struct db_storage_pool *row, const char *member,
                               struct smap *config)
{
	const struct db_storage_pool_member *part = db_storage_pool_on(row, member);

	smap_merge(config, &row->config);
	if (part)
		smap_merge(config, &part->config);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct db_storage_pool *)a)->name,
	              ((const struct db_storage_pool *)b)->name);
}

static int by_member(const void *a, const void *b)
{
	return strcmp(((const struct db_storage_pool_member *)a)->member,
	              ((const struct db_storage_pool_member *)b)->member);
}

static void spread_parts(struct db_storage_pools *list, struct parts *parts)
{
	for (size_t i = 0; i < list->n; i++) {
		struct db_storage_pool *pool = &list->rows[i];
		size_t capacity = 0;

		for (size_t j = 0; j < parts->n; j++) {
			struct part *part = &parts->rows[j];

			if (part->pool_id != pool->id)
				continue;
			pool->members = array_grow(pool->members, pool->n_members, &capacity,
			                           sizeof(*pool->members));
			pool->members[pool->n_members++] = (struct db_storage_pool_member){
				.member = TAKE_PTR(part->member),
				.state = part->state,
				.config = smap_take(&part->config),
			};
		}
		if (pool->n_members > 1)
			qsort(pool->members, pool->n_members, sizeof(*pool->members), by_member);
	}
}

/* There are few pools: one costs no less than all. */
static int load_parts(struct db_tx *tx, struct db_storage_pools *list, struct error **err)
{
	scoped(part_list_done) struct parts parts = { 0 };
	struct db_owners owners = DB_OWNERS(list, struct db_storage_pool, config);

	int r = db_config_merge(tx, config_table.select_sql, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;
	r = db_row_list(tx, SELECT_PARTS, DB_NO_ARGS, part_columns, &parts, err);
	if (r < 0)
		return r;
	owners = DB_OWNERS(&parts, struct part, config);
	r = db_config_merge(tx, SELECT_PART_CONFIG, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	spread_parts(list, &parts);
	return 0;
}

int db_storage_pool_list(struct db_tx *tx, struct db_storage_pools *ret_rows, struct error **err)
{
	scoped(db_storage_pool_list_done) struct db_storage_pools list = { 0 };

	int r = db_row_list(tx, SELECT_POOLS " ORDER BY id", DB_NO_ARGS, columns, &list, err);
	if (r < 0)
		return r;
	r = load_parts(tx, &list, err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_storage_pools){ 0 };
	return 0;
}

int db_storage_pool_get(struct db_tx *tx, const char *name, struct db_storage_pool *ret_row,
                        struct error **err)
{
	scoped(db_storage_pool_done) struct db_storage_pool row = { 0 };
	struct db_storage_pools list = { .rows = &row, .n = 1 };

	int r = db_get(tx, SELECT_POOLS " WHERE name = ?", DB_ARGS(db_text(name)), columns,
	               COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = load_parts(tx, &list, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_storage_pool){ 0 };
	return 0;
}

int db_storage_pool_create(struct db_tx *tx, const struct db_storage_pool *row, int64_t *ret_id,
                           struct error **err)
{
	int64_t id;

	int r = db_insert(tx,
	                  "INSERT INTO storage_pools (name, driver, description, state)"
	                  " VALUES (?, ?, ?, ?)",
	                  DB_ARGS(db_text(row->name), db_text(row->driver),
	                          db_text(row->description), db_int(row->state)),
	                  &id, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	for (size_t i = 0; r == 0 && i < row->n_members; i++)
		r = db_storage_pool_set_member(tx, id, row->members[i].member,
		                               (enum db_storage_pool_state)row->members[i].state,
		                               &row->members[i].config, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

static int update_one(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}

int db_storage_pool_update(struct db_tx *tx, const struct db_storage_pool *row, struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };

	int r = update_one(tx, "UPDATE storage_pools SET description = ? WHERE id = ?",
	                   DB_ARGS(db_text(row->description), db_int(row->id)), err);
	if (r == 0)
		r = db_config_read(tx, select_config_of, row->id, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now, &row->config, err);
	return r;
}

int db_storage_pool_set_state(struct db_tx *tx, int64_t id, enum db_storage_pool_state state,
                              struct error **err)
{
	return update_one(tx, "UPDATE storage_pools SET state = ? WHERE id = ?",
	                  DB_ARGS(db_int(state), db_int(id)), err);
}

int db_storage_pool_set_member(struct db_tx *tx, int64_t id, const char *member,
                               enum db_storage_pool_state state, const struct smap *config,
                               struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };
	int64_t part_id;

	int r = db_exec(tx,
	                "INSERT INTO storage_pools_members (pool_id, member_id, state)"
	                " VALUES (?, (SELECT id FROM members WHERE name = ?), ?)"
	                " ON CONFLICT (pool_id, member_id) DO UPDATE SET state = excluded.state",
	                DB_ARGS(db_int(id), db_text(member), db_int(state)), err);
	if (r < 0)
		return db_row_end(r, "Cluster member", err);
	r = db_get_int(tx,
	               "SELECT id"
	               "  FROM storage_pools_members"
	               " WHERE pool_id = ?"
	               "   AND member_id = (SELECT id FROM members WHERE name = ?)",
	               DB_ARGS(db_int(id), db_text(member)), 0, &part_id, err);
	if (r == 0)
		r = db_config_read(tx, part_table.select_sql, part_id, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &part_table, part_id, &now, config, err);
	return r;
}

int db_storage_pool_remove_member(struct db_tx *tx, int64_t id, const char *member,
                                  struct error **err)
{
	return db_exec(tx,
	               "DELETE FROM storage_pools_members"
	               " WHERE pool_id = ?"
	               "   AND member_id = (SELECT id FROM members WHERE name = ?)",
	               DB_ARGS(db_int(id), db_text(member)), err);
}

int db_storage_pool_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	int r = update_one(tx, "DELETE FROM storage_pools WHERE id = ?", DB_ARGS(db_int(id)), err);

	/* Not found by a foreign key, that is: a volume refers to it. */
	if (r == -ENOENT && strncmp((*err)->msg, NOUN, strlen(NOUN)) != 0)
		return db_row_in_use(NOUN, err);
	return r;
}
