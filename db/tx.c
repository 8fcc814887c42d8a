/* Statements inside a transaction: what callbacks call. */
#include "db/tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db/row.h"
#include "lib/base/alloc.h"

/* Remembers what makes the whole attempt worthless, in case the callback does not pass it on. */
static int done(struct db_tx *tx, int r)
{
	enum db_failure failure = db_conn_failure(tx->conn);

	if (failure != DB_FAILURE_NONE && failure != DB_FAILURE_SQL &&
	    tx->failure == DB_FAILURE_NONE)
		tx->failure = failure;
	return r;
}

int db_tx_control(struct db_tx *tx, const char *sql, struct error **err)
{
	return done(tx, db_conn_exec(tx->conn, tx->deadline, sql, DB_NO_ARGS, NULL, NULL, err));
}

int db_tx_control_all(struct db_tx *tx, const char *sql, struct error **err)
{
	return done(tx, db_conn_exec_all(tx->conn, tx->deadline, sql, DB_NO_ARGS, err));
}

int db_tx_begin(struct db_tx *tx, const char *sql, struct error **err)
{
	int r = db_tx_control(tx, sql, err);

	tx->has_begun = r == 0;
	return r;
}

int db_tx_commit(struct db_tx *tx, const char *origin, int64_t mark, struct error **err)
{
	static const char sql[] = "INSERT INTO marks (origin, mark) VALUES (?, ?)"
				  " ON CONFLICT (origin) DO UPDATE SET mark = excluded.mark;"
				  " COMMIT";
	struct db_args args = DB_ARGS(db_text(origin), db_int(mark));

	return done(tx, db_conn_exec_all(tx->conn, tx->deadline, sql, args, err));
}

void db_tx_call_hooks(struct db_tx_hooks *hooks, bool committed)
{
	for (size_t i = 0; i < hooks->n_items; i++)
		hooks->items[i].fn(hooks->items[i].arg, committed);
	ARRAY_DONE(hooks);
}

void db_on_end(struct db_tx *tx, void (*fn)(void *arg, bool committed), void *arg)
{
	ARRAY_ADD(&tx->hooks, (struct db_tx_hook){ .fn = fn, .arg = arg });
}

void db_ahead(struct db_tx *tx, const char *sql, struct db_args args)
{
	db_conn_ahead(tx->conn, tx->deadline, DB_AHEAD_QUERY, sql, args);
}

/* Texts are not kept, so a query with one ends what can be noted. */
static void note(struct db_tx *tx, const char *sql, struct db_args args)
{
	struct db_trail *trail = tx->trail;
	struct db_note new = { .sql = sql, .n_values = args.n };

	if (!trail || trail->n == COUNT_OF(trail->notes) || args.n > COUNT_OF(new.values))
		return;
	for (size_t i = 0; i < args.n; i++) {
		if (args.values[i].type != DB_TYPE_NULL && args.values[i].type != DB_TYPE_INT64)
			return;
		new.values[i] = args.values[i];
	}
	trail->notes[trail->n++] = new;
}

void db_tx_announce(struct db_tx *tx, const struct db_trail *trail)
{
	for (size_t i = 0; i < trail->n; i++) {
		const struct db_note *n = &trail->notes[i];

		db_ahead(tx, n->sql, (struct db_args){ .values = n->values, .n = n->n_values });
	}
}

int db_each(struct db_tx *tx, const char *sql, struct db_args args, db_row_fn *fn, void *arg,
            struct error **err)
{
	note(tx, sql, args);
	return done(tx, db_conn_query(tx->conn, tx->deadline, sql, args, fn, arg, err));
}

struct loading {
	const struct db_column *columns;
	size_t n_columns;
	size_t row_size;
	char *items;
	size_t n;
	size_t capacity;
};

static int load_row(const struct db_row *row, void *arg, struct error **err)
{
	struct loading *l = arg;

	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 16;
		char *items = xmalloc(capacity * l->row_size);

		if (l->n > 0)
			memcpy(items, l->items, l->n * l->row_size);
		free(l->items);
		l->items = items;
		l->capacity = capacity;
	}

	void *item = l->items + l->n * l->row_size;
	memset(item, 0, l->row_size);
	l->n++;
	return db_row_load(row, l->columns, l->n_columns, item, err);
}

static int load(struct db_tx *tx, const char *sql, struct db_args args, struct loading *l,
                struct error **err)
{
	int r = db_each(tx, sql, args, load_row, l, err);
	if (r >= 0)
		return 0;

	for (size_t i = 0; i < l->n; i++)
		db_row_unload(l->columns, l->n_columns, l->items + i * l->row_size);
	free(l->items);
	return r;
}

int db_list(struct db_tx *tx, const char *sql, struct db_args args, const struct db_column *columns,
            size_t n_columns, struct db_rows *ret_rows, struct error **err)
{
	struct loading l = { .columns = columns,
		             .n_columns = n_columns,
		             .row_size = ret_rows->row_size };

	int r = load(tx, sql, args, &l, err);
	if (r < 0)
		return r;

	ret_rows->items = l.items;
	ret_rows->n = l.n;
	return 0;
}

struct loading_one {
	const struct db_column *columns;
	size_t n_columns;
	void *row;
	size_t n;
};

static int load_one(const struct db_row *row, void *arg, struct error **err)
{
	struct loading_one *l = arg;

	if (l->n++ > 0)
		return 0;
	return db_row_load(row, l->columns, l->n_columns, l->row, err);
}

int db_get(struct db_tx *tx, const char *sql, struct db_args args, const struct db_column *columns,
           size_t n_columns, void *ret_row, struct error **err)
{
	struct loading_one l = { .columns = columns, .n_columns = n_columns, .row = ret_row };

	int r = db_each(tx, sql, args, load_one, &l, err);
	if (r < 0) {
		if (l.n > 0)
			db_row_unload(columns, n_columns, ret_row);
		return r;
	}

	return l.n == 0 ? error_set(err, 404, "Not found") : 0;
}

static int load_int(const struct db_row *row, void *arg, struct error **err)
{
	(void)err;
	*(int64_t *)arg = db_row_int(row, 0);
	return 0;
}

int db_get_int(struct db_tx *tx, const char *sql, struct db_args args, int64_t fallback,
               int64_t *ret_value, struct error **err)
{
	*ret_value = fallback;
	return db_each(tx, sql, args, load_int, ret_value, err);
}

static int run(struct db_tx *tx, const char *sql, struct db_args args, int64_t *ret_id,
               int64_t *ret_changes, struct error **err)
{
	if (!tx->may_write)
		return error_set(err, 500,
		                 "A statement that writes is in a transaction that reads");

	tx->has_written = true;
	return done(tx, db_conn_exec(tx->conn, tx->deadline, sql, args, ret_id, ret_changes, err));
}

int db_exec(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	return run(tx, sql, args, NULL, NULL, err);
}

int db_exec_count(struct db_tx *tx, const char *sql, struct db_args args, int64_t *ret_changes,
                  struct error **err)
{
	return run(tx, sql, args, NULL, ret_changes, err);
}

int db_insert(struct db_tx *tx, const char *sql, struct db_args args, int64_t *ret_id,
              struct error **err)
{
	return run(tx, sql, args, ret_id, NULL, err);
}
