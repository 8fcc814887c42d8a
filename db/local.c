/*
 * One connection, one lock: the file is small and rarely touched. WAL is not used, so that the file
 * can be copied alone.
 */
#include "db/local.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "db/schema_sql.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/thread.h"
#include "lib/base/uuid.h"

/* Goes up with each change of local.sql. */
enum { SCHEMA_VERSION = 1, BUSY_MS = 5000 };

#define KEY_ORIGIN "origin"
#define KEY_RAFT_ID "raft.id"
#define KEY_RAFT_ADDRESS "raft.address"
#define KEY_CLUSTERED "raft.clustered"

struct db_local {
	struct mutex mutex;
	sqlite3 *base; /* Used under the lock, but while it is opened and closed. */
	char *origin;
};

static int fail(sqlite3 *base, struct error **err)
{
	return error_set(err, 500, "The local database failed: %s", sqlite3_errmsg(base));
}

static int run(sqlite3 *base, const char *sql, struct error **err)
{
	return sqlite3_exec(base, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(base, err);
}

static void statement_done(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

static int prepare(sqlite3 *base, const char *sql, sqlite3_stmt **ret_statement, struct error **err)
{
	return sqlite3_prepare_v2(base, sql, -1, ret_statement, NULL) == SQLITE_OK
	               ? 0
	               : fail(base, err);
}

static void bind_text(sqlite3_stmt *statement, int i, const char *s)
{
	sqlite3_bind_text(statement, i, s ? s : "", -1, SQLITE_STATIC);
}

static const char *text_in(sqlite3_stmt *statement, int i)
{
	const char *s = (const char *)sqlite3_column_text(statement, i);

	return s ? s : "";
}

/* 1 for a row, 0 at the end. */
static int step(sqlite3 *base, sqlite3_stmt *statement, struct error **err)
{
	int r = sqlite3_step(statement);

	if (r == SQLITE_ROW || r == SQLITE_DONE)
		return r == SQLITE_ROW;
	return fail(base, err);
}

/* Runs a statement with one or two texts. */
static int run_with(sqlite3 *base, const char *sql, const char *a, const char *b,
                    struct error **err)
{
	scoped(statement_done) sqlite3_stmt *statement = NULL;

	int r = prepare(base, sql, &statement, err);
	if (r < 0)
		return r;
	bind_text(statement, 1, a);
	if (b)
		bind_text(statement, 2, b);
	r = step(base, statement, err);
	return r < 0 ? r : 0;
}

/* Fills a map from a SELECT of two columns. */
static int load_map(sqlite3 *base, const char *sql, struct smap *map, struct error **err)
{
	scoped(statement_done) sqlite3_stmt *statement = NULL;

	int r = prepare(base, sql, &statement, err);
	if (r < 0)
		return r;
	while ((r = step(base, statement, err)) > 0)
		smap_set(map, text_in(statement, 0), text_in(statement, 1));
	return r;
}

#define SET_SETTING                         \
	"INSERT INTO settings (key, value)" \
	" VALUES (?, ?)"                    \
	" ON CONFLICT (key) DO UPDATE SET value = excluded.value"
#define SET_CONFIG                        \
	"INSERT INTO config (key, value)" \
	" VALUES (?, ?)"                  \
	" ON CONFLICT (key) DO UPDATE SET value = excluded.value"

static int version_of(sqlite3 *base, struct error **err)
{
	scoped(statement_done) sqlite3_stmt *statement = NULL;

	int r = prepare(base, "PRAGMA user_version", &statement, err);
	if (r < 0)
		return r;
	r = step(base, statement, err);
	return r < 0 ? r : sqlite3_column_int(statement, 0);
}

static int make_tables(sqlite3 *base, struct error **err)
{
	for (const char *const *statement = schema_sql_local; *statement; statement++) {
		int r = run(base, *statement, err);
		if (r < 0)
			return r;
	}
	return run(base, "PRAGMA user_version = 1", err);
}

static int make_schema(sqlite3 *base, struct error **err)
{
	int version = version_of(base, err);
	if (version < 0)
		return version;
	if (version > SCHEMA_VERSION)
		return error_set(err, 500, "The local database is of a newer server");
	/* Even what changes nothing is written to the disk, and waited for. */
	if (version == SCHEMA_VERSION)
		return 0;

	/* In one transaction: the version says that all of it is there. */
	int r = run(base, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	r = make_tables(base, err);
	if (r == 0)
		r = run(base, "COMMIT", err);
	if (r < 0)
		sqlite3_exec(base, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int load_origin(struct db_local *local, struct error **err)
{
	scoped(smap_done) struct smap settings = { 0 };
	char uuid[UUID_SIZE];

	int r = load_map(local->base, "SELECT key, value FROM settings", &settings, err);
	if (r < 0)
		return r;
	if (!smap_has(&settings, KEY_ORIGIN)) {
		uuid_make(uuid);
		smap_set(&settings, KEY_ORIGIN, uuid);
		r = run_with(local->base, SET_SETTING, KEY_ORIGIN, uuid, err);
	}
	local->origin = xstrdup(smap_get(&settings, KEY_ORIGIN));
	return r;
}

int db_local_open(const char *path, struct db_local **ret_local, struct error **err)
{
	scoped(db_local_closep) struct db_local *local = xcalloc(1, sizeof(*local));

	mutex_init(&local->mutex);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	if (sqlite3_open_v2(path, &local->base, flags, NULL) != SQLITE_OK)
		return error_set(err, 500, "Failed opening \"%s\": %s", path,
		                 sqlite3_errmsg(local->base));
	sqlite3_busy_timeout(local->base, BUSY_MS);

	int r = run(local->base, "PRAGMA synchronous = FULL", err);
	if (r == 0)
		r = make_schema(local->base, err);
	if (r == 0)
		r = load_origin(local, err);
	if (r < 0)
		return error_wrap(err, "Failed opening \"%s\"", path);

	*ret_local = TAKE_PTR(local);
	return 0;
}

void db_local_close(struct db_local *local)
{
	if (!local)
		return;

	sqlite3_close(local->base);
	mutex_done(&local->mutex);
	free(local->origin);
	free(local);
}

const char *db_local_origin(struct db_local *local)
{
	return local->origin;
}

/* What a transaction does with the file. */
typedef int change_fn(sqlite3 *base, const void *arg, struct error **err);

static int change(struct db_local *local, change_fn *fn, const void *arg, struct error **err)
{
	mutex_lock(&local->mutex);
	int r = run(local->base, "BEGIN IMMEDIATE", err);
	if (r == 0) {
		r = fn(local->base, arg, err);
		if (r == 0)
			r = run(local->base, "COMMIT", err);
		if (r < 0)
			sqlite3_exec(local->base, "ROLLBACK", NULL, NULL, NULL);
	}
	mutex_unlock(&local->mutex);
	return r;
}

void db_local_raft_done(struct db_local_raft *raft)
{
	free(raft->address);
	*raft = (struct db_local_raft){ 0 };
}

int db_local_get_raft(struct db_local *local, struct db_local_raft *ret_raft, struct error **err)
{
	scoped(smap_done) struct smap settings = { 0 };

	mutex_lock(&local->mutex);
	int r = load_map(local->base, "SELECT key, value FROM settings", &settings, err);
	mutex_unlock(&local->mutex);
	if (r < 0)
		return r;

	ret_raft->id = strtoull(smap_get_or(&settings, KEY_RAFT_ID, "0"), NULL, 10);
	ret_raft->address = xstrdup(smap_get_or(&settings, KEY_RAFT_ADDRESS, ""));
	ret_raft->clustered = smap_is_true(&settings, KEY_CLUSTERED);
	return 0;
}

static int set_raft(sqlite3 *base, const void *arg, struct error **err)
{
	const struct db_local_raft *raft = arg;
	scoped_free char *id = xasprintf("%llu", (unsigned long long)raft->id);

	int r = run_with(base, SET_SETTING, KEY_RAFT_ID, id, err);
	if (r == 0)
		r = run_with(base, SET_SETTING, KEY_RAFT_ADDRESS, raft->address, err);
	if (r == 0)
		r = run_with(base, SET_SETTING, KEY_CLUSTERED, raft->clustered ? "true" : "false",
		             err);
	return r;
}

int db_local_set_raft(struct db_local *local, const struct db_local_raft *raft, struct error **err)
{
	return change(local, set_raft, raft, err);
}

void db_local_raft_nodes_done(struct db_local_raft_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++) {
		free(nodes->rows[i].address);
		free(nodes->rows[i].name);
	}
	free(nodes->rows);
	*nodes = (struct db_local_raft_nodes){ 0 };
}

static int load_nodes(sqlite3 *base, struct db_local_raft_nodes *nodes, struct error **err)
{
	scoped(statement_done) sqlite3_stmt *statement = NULL;
	size_t capacity = 0;

	int r = prepare(base, "SELECT id, address, name, role FROM raft_nodes ORDER BY id",
	                &statement, err);
	if (r < 0)
		return r;
	while ((r = step(base, statement, err)) > 0) {
		nodes->rows = array_grow(nodes->rows, nodes->n, &capacity, sizeof(*nodes->rows));
		nodes->rows[nodes->n++] = (struct db_local_raft_node){
			.id = (uint64_t)sqlite3_column_int64(statement, 0),
			.address = xstrdup(text_in(statement, 1)),
			.name = xstrdup(text_in(statement, 2)),
			.role = sqlite3_column_int(statement, 3),
		};
	}
	return r;
}

int db_local_list_raft_nodes(struct db_local *local, struct db_local_raft_nodes *ret_nodes,
                             struct error **err)
{
	struct db_local_raft_nodes nodes = { 0 };

	mutex_lock(&local->mutex);
	int r = load_nodes(local->base, &nodes, err);
	mutex_unlock(&local->mutex);
	if (r < 0) {
		db_local_raft_nodes_done(&nodes);
		return r;
	}

	*ret_nodes = nodes;
	return 0;
}

static int insert_node(sqlite3 *base, const struct db_local_raft_node *node, struct error **err)
{
	scoped(statement_done) sqlite3_stmt *statement = NULL;

	int r = prepare(base,
	                "INSERT INTO raft_nodes (id, address, name, role)"
	                " VALUES (?, ?, ?, ?)",
	                &statement, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)node->id);
	bind_text(statement, 2, node->address);
	bind_text(statement, 3, node->name);
	sqlite3_bind_int(statement, 4, node->role);
	return step(base, statement, err);
}

static int replace_nodes(sqlite3 *base, const void *arg, struct error **err)
{
	const struct db_local_raft_nodes *nodes = arg;

	int r = run(base, "DELETE FROM raft_nodes", err);
	for (size_t i = 0; r == 0 && i < nodes->n; i++)
		r = insert_node(base, &nodes->rows[i], err);
	return r;
}

int db_local_replace_raft_nodes(struct db_local *local, const struct db_local_raft_node *rows,
                                size_t n, struct error **err)
{
	struct db_local_raft_nodes nodes = { .rows = (struct db_local_raft_node *)rows, .n = n };

	return change(local, replace_nodes, &nodes, err);
}

int db_local_get_config(struct db_local *local, struct smap *ret_config, struct error **err)
{
	scoped(smap_done) struct smap config = { 0 };

	mutex_lock(&local->mutex);
	int r = load_map(local->base, "SELECT key, value FROM config ORDER BY key", &config, err);
	mutex_unlock(&local->mutex);
	if (r < 0)
		return r;

	*ret_config = smap_take(&config);
	return 0;
}

static int replace_config(sqlite3 *base, const void *arg, struct error **err)
{
	const struct smap *config = arg;

	int r = run(base, "DELETE FROM config", err);
	for (size_t i = 0; r == 0 && i < config->n_entries; i++)
		r = run_with(base, SET_CONFIG, config->entries[i].key, config->entries[i].value,
		             err);
	return r;
}

int db_local_replace_config(struct db_local *local, const struct smap *config, struct error **err)
{
	return change(local, replace_config, config, err);
}

struct pair {
	const char *key;
	const char *value;
};

static int set_config(sqlite3 *base, const void *arg, struct error **err)
{
	const struct pair *pair = arg;

	if (pair->value && *pair->value)
		return run_with(base, SET_CONFIG, pair->key, pair->value, err);
	return run_with(base, "DELETE FROM config WHERE key = ?", pair->key, NULL, err);
}

int db_local_set_config(struct db_local *local, const char *key, const char *value,
                        struct error **err)
{
	struct pair pair = { .key = key, .value = value };

	return change(local, set_config, &pair, err);
}

int db_local_has_patch(struct db_local *local, const char *name, bool *ret_has, struct error **err)
{
	scoped(smap_done) struct smap patches = { 0 };

	mutex_lock(&local->mutex);
	int r = load_map(local->base, "SELECT name, applied FROM patches", &patches, err);
	mutex_unlock(&local->mutex);
	if (r < 0)
		return r;

	*ret_has = smap_has(&patches, name);
	return 0;
}

static int add_patch(sqlite3 *base, const void *arg, struct error **err)
{
	return run_with(base,
	                "INSERT INTO patches (name, applied)"
	                " VALUES (?, strftime('%s', 'now'))"
	                " ON CONFLICT (name) DO NOTHING",
	                arg, NULL, err);
}

int db_local_add_patch(struct db_local *local, const char *name, struct error **err)
{
	return change(local, add_patch, name, err);
}
