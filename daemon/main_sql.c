#include "daemon/main_sql.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/local_client.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"

#define QUERY_MAX (16U << 20)

static const char dump_query[] = "SELECT name FROM sqlite_master WHERE type = 'table'"
				 " AND name NOT LIKE 'sqlite_%' ORDER BY name";
static const char schema_query[] = "SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL"
				   " ORDER BY type = 'table' DESC, name";

/* The daemon's client, or the file of the local database, as what can run a query. */
struct database {
	struct http_client *client;
	sqlite3 *local;
};

static void print_cell(struct json_object *cell, bool is_quoted)
{
	const char *text = json_object_is_type(cell, json_type_string) ? jv_string(cell) : NULL;

	if (!cell) {
		printf("%s", is_quoted ? "NULL" : "");
	} else if (!text || !is_quoted) {
		printf("%s", text ? text : json_object_get_string(cell));
	} else {
		putchar('\'');
		for (; *text; text++)
			printf("%s%c", *text == '\'' ? "'" : "", *text);
		putchar('\'');
	}
}

static int query_global(struct database *db, const char *text, struct json_object **ret,
                        struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(jv_unrefp) struct json_object *answer = NULL;

	jv_set_string(body, "database", "global");
	jv_set_string(body, "query", text);

	int r = local_client_call(db->client, "POST", "/internal/sql", body, &answer, err);
	if (r < 0)
		return r;

	*ret = jv_ref(jv_item(jv_member(answer, "results"), 0));
	return 0;
}

static struct json_object *local_cell(sqlite3_stmt *stmt, int column)
{
	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_NULL:
		return NULL;
	case SQLITE_INTEGER:
		return jv_of_int(sqlite3_column_int64(stmt, column));
	case SQLITE_FLOAT:
		return json_object_new_double(sqlite3_column_double(stmt, column));
	default:
		return jv_of_string((const char *)sqlite3_column_text(stmt, column));
	}
}

static int query_local(struct database *db, const char *text, struct json_object **ret,
                       struct error **err)
{
	struct json_object *columns = jv_array(), *rows = jv_array(), *o = jv_object();
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->local, text, -1, &stmt, NULL);

	for (int i = 0; code == SQLITE_OK && i < sqlite3_column_count(stmt); i++)
		jv_add_string(columns, sqlite3_column_name(stmt, i));

	while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct json_object *cells = jv_array();

		for (int i = 0; i < sqlite3_column_count(stmt); i++)
			jv_add_take(cells, local_cell(stmt, i));
		jv_add_take(rows, cells);
		code = SQLITE_OK;
	}

	jv_set_string(o, "type", sqlite3_column_count(stmt) > 0 ? "select" : "exec");
	jv_set_take(o, "columns", columns);
	jv_set_take(o, "rows", rows);
	jv_set_int(o, "rows_affected", sqlite3_changes(db->local));
	sqlite3_finalize(stmt);
	if (code != SQLITE_DONE && code != SQLITE_OK) {
		jv_unref(o);
		return error_set(err, 400, "%s", sqlite3_errmsg(db->local));
	}

	*ret = o;
	return 0;
}

static int query(struct database *db, const char *text, struct json_object **ret,
                 struct error **err)
{
	return db->client ? query_global(db, text, ret, err) : query_local(db, text, ret, err);
}

static void print_result(struct json_object *result)
{
	struct json_object *columns = jv_member(result, "columns");
	struct json_object *rows = jv_member(result, "rows");

	if (!str_equals(jv_text(result, "type"), "select")) {
		printf("Rows affected: %" PRId64 "\n", jv_number(result, "rows_affected"));
		return;
	}

	for (size_t i = 0; i < jv_len(columns); i++)
		printf("%s%s", i ? "|" : "", str_or_empty(jv_string(jv_item(columns, i))));
	putchar('\n');
	for (size_t i = 0; i < jv_len(rows); i++) {
		struct json_object *cells = jv_item(rows, i);

		for (size_t j = 0; j < jv_len(cells); j++) {
			if (j)
				putchar('|');
			print_cell(jv_item(cells, j), false);
		}
		putchar('\n');
	}
}

static int dump_table(struct database *db, const char *table, struct error **err)
{
	scoped(jv_unrefp) struct json_object *result = NULL;
	scoped_free char *quoted = str_replace(table, "\"", "\"\"");
	scoped(strbuf_done) struct strbuf text = { 0 };
	struct json_object *rows;

	strbuf_addf(&text, "SELECT * FROM \"%s\"", quoted);

	int r = query(db, strbuf_text(&text), &result, err);
	if (r < 0)
		return r;

	rows = jv_member(result, "rows");
	for (size_t i = 0; i < jv_len(rows); i++) {
		struct json_object *cells = jv_item(rows, i);

		printf("INSERT INTO \"%s\" VALUES(", quoted);
		for (size_t j = 0; j < jv_len(cells); j++) {
			if (j)
				putchar(',');
			print_cell(jv_item(cells, j), true);
		}
		printf(");\n");
	}

	return 0;
}

static int print_schema(struct database *db, struct error **err)
{
	scoped(jv_unrefp) struct json_object *result = NULL;
	struct json_object *rows;

	int r = query(db, schema_query, &result, err);
	if (r < 0)
		return r;

	rows = jv_member(result, "rows");
	for (size_t i = 0; i < jv_len(rows); i++)
		printf("%s\n", str_or_empty(jv_string(jv_item(jv_item(rows, i), 0))));

	return 0;
}

static int dump(struct database *db, struct error **err)
{
	scoped(jv_unrefp) struct json_object *result = NULL;
	struct json_object *rows;

	printf("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");

	int r = print_schema(db, err);
	if (r < 0)
		return r;

	r = query(db, dump_query, &result, err);
	if (r < 0)
		return r;

	rows = jv_member(result, "rows");
	for (size_t i = 0; r == 0 && i < jv_len(rows); i++)
		r = dump_table(db, str_or_empty(jv_string(jv_item(jv_item(rows, i), 0))), err);

	printf("COMMIT;\n");
	return r;
}

static int run(struct database *db, const char *text, struct error **err)
{
	scoped(jv_unrefp) struct json_object *result = NULL;

	if (str_equals(text, ".dump"))
		return dump(db, err);
	if (str_equals(text, ".schema"))
		return print_schema(db, err);

	int r = query(db, text, &result, err);
	if (r < 0)
		return r;

	print_result(result);
	return 0;
}

static int open_local(struct database *db, struct error **err)
{
	scoped(dirs_freep) struct dirs *dirs = dirs_new();

	if (sqlite3_open_v2(dirs->local_db, &db->local, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return error_set(err, 500, "Failed opening \"%s\"", dirs->local_db);

	sqlite3_busy_timeout(db->local, 5000);
	return 0;
}

int main_sql_run(int argc, char **argv)
{
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *text = NULL;
	struct database db = { 0 };
	size_t size;
	int r = 0;

	if (argc != 3 || (!str_equals(argv[1], "local") && !str_equals(argv[1], "global"))) {
		fprintf(stderr, "Usage: musterd sql local|global QUERY|.dump|.schema|-\n");
		return 1;
	}

	if (str_equals(argv[2], "-"))
		r = fd_read_all(STDIN_FILENO, QUERY_MAX, &text, &size);
	else
		text = xstrdup(argv[2]);
	if (r < 0)
		error_set_errno(&err, r, "Failed reading standard input");

	if (r == 0 && str_equals(argv[1], "local"))
		r = open_local(&db, &err);
	else if (r == 0)
		db.client = local_client_new();

	if (r == 0)
		r = run(&db, text, &err);
	if (r < 0)
		fprintf(stderr, "Error: %s\n", err->msg);

	http_client_unref(db.client);
	sqlite3_close(db.local);
	return r < 0;
}
