#include "daemon/api/internal_sql.h"

#include "daemon/core/access.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "db/db.h"
#include "db/guard.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

struct query {
	const char *text;
	bool is_select;
	struct json_object *columns;
	struct json_object *rows;
	int64_t n_changes;
};

static struct json_object *cell(const struct db_row *row, size_t column)
{
	switch (db_row_type(row, column)) {
	case DB_TYPE_NULL:
		return NULL;
	case DB_TYPE_INT64:
	case DB_TYPE_DATE:
	case DB_TYPE_BOOL:
		return jv_of_int(db_row_int(row, column));
	case DB_TYPE_DOUBLE:
		return json_object_new_double(db_row_double(row, column));
	case DB_TYPE_TEXT:
	case DB_TYPE_BLOB:
		return jv_of_string(db_row_text(row, column));
	}

	return NULL;
}

static int take_row(const struct db_row *row, void *arg, struct error **err)
{
	struct query *q = arg;
	struct json_object *cells = jv_array();
	size_t n = db_row_n_columns(row);

	(void)err;
	if (jv_len(q->columns) == 0) {
		for (size_t i = 0; i < n; i++)
			jv_add_string(q->columns, db_row_name(row, i));
	}
	for (size_t i = 0; i < n; i++)
		jv_add_take(cells, cell(row, i));
	jv_add_take(q->rows, cells);
	return 0;
}

static void clear(struct query *q)
{
	jv_unref(q->columns);
	jv_unref(q->rows);
	q->columns = jv_array();
	q->rows = jv_array();
}

static int run(struct db_tx *tx, void *arg, struct error **err)
{
	struct query *q = arg;

	clear(q);
	if (q->is_select)
		return db_each(tx, q->text, DB_NO_ARGS, take_row, q, err);

	return db_exec_count(tx, q->text, DB_NO_ARGS, &q->n_changes, err);
}

static struct json_object *result(const struct query *q)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "type", q->is_select ? "select" : "exec");
	jv_set_take(o, "columns", jv_ref(q->columns));
	jv_set_take(o, "rows", jv_ref(q->rows));
	jv_set_int(o, "rows_affected", q->n_changes);
	return o;
}

static int sql_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *database = "global", *text;
	struct query q = { 0 };

	if (req->requestor->kind != REQUESTOR_ADMIN)
		return error_set(err, 403, "Forbidden");

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	if (jv_get_string(body, "database", &database, err) < 0 ||
	    jv_need_string(body, "query", &text, err) < 0)
		return (*err)->code;
	if (!str_equals(database, "global"))
		return error_set(err, 400, "Invalid database \"%s\"", database);

	q.text = text;
	r = db_guard_check(text, &q.is_select, err);
	if (r < 0)
		return r;
	r = q.is_select ? db_read(req->state->db, run, &q, err)
	                : db_write(req->state->db, run, &q, err);
	if (r == 0) {
		struct json_object *o = jv_object();
		struct json_object *results = jv_array();

		jv_add_take(results, result(&q));
		jv_set_take(o, "results", results);
		jv_unref(q.columns);
		jv_unref(q.rows);
		response_sync(res, o);
		return 0;
	}

	jv_unref(q.columns);
	jv_unref(q.rows);
	return r;
}

static const struct route routes[] = {
	{ .method = "POST", .path = "/internal/sql", .handler = sql_post, .access = ACCESS_PEER },
};

const struct route_table internal_sql_routes = ROUTE_TABLE(routes);
