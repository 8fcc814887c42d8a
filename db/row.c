#include "db/row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

size_t db_row_n_columns(const struct db_row *row)
{
	return row->n_columns;
}

const char *db_row_name(const struct db_row *row, size_t column)
{
	return row->names[column];
}

enum db_type db_row_type(const struct db_row *row, size_t column)
{
	return row->values[column].type;
}

int64_t db_row_int(const struct db_row *row, size_t column)
{
	const struct db_value *value = &row->values[column];

	if (value->type == DB_TYPE_INT64)
		return value->i;
	return value->type == DB_TYPE_DOUBLE ? (int64_t)value->d : 0;
}

double db_row_double(const struct db_row *row, size_t column)
{
	const struct db_value *value = &row->values[column];

	if (value->type == DB_TYPE_DOUBLE)
		return value->d;
	return value->type == DB_TYPE_INT64 ? (double)value->i : 0;
}

const char *db_row_text(const struct db_row *row, size_t column)
{
	const struct db_value *value = &row->values[column];

	return value->type == DB_TYPE_TEXT ? value->s : "";
}

const void *db_row_blob(const struct db_row *row, size_t column, size_t *ret_size)
{
	const struct db_value *value = &row->values[column];

	*ret_size = value->type == DB_TYPE_BLOB ? value->size : 0;
	return value->type == DB_TYPE_BLOB ? value->blob : NULL;
}

static int64_t date_in(const struct db_row *row, size_t column)
{
	return db_row_type(row, column) == DB_TYPE_NULL ? DATE_NONE : db_row_int(row, column);
}

int db_row_load(const struct db_row *row, const struct db_column *columns, size_t n_columns,
                void *ret_row, struct error **err)
{
	if (row->n_columns != n_columns)
		return error_set(err, 500, "A statement gave %zu columns instead of %zu",
		                 row->n_columns, n_columns);

	for (size_t i = 0; i < n_columns; i++) {
		void *field = (char *)ret_row + columns[i].offset;

		switch (columns[i].type) {
		case DB_TYPE_INT64:
			*(int64_t *)field = db_row_int(row, i);
			break;
		case DB_TYPE_BOOL:
			*(bool *)field = db_row_int(row, i) != 0;
			break;
		case DB_TYPE_DATE:
			*(int64_t *)field = date_in(row, i);
			break;
		case DB_TYPE_TEXT:
			*(char **)field = xstrdup(db_row_text(row, i));
			break;
		case DB_TYPE_DOUBLE:
			*(double *)field = db_row_double(row, i);
			break;
		case DB_TYPE_NULL:
		case DB_TYPE_BLOB:
			break;
		}
	}

	return 0;
}

void db_row_unload(const struct db_column *columns, size_t n_columns, void *row)
{
	for (size_t i = 0; i < n_columns; i++) {
		char **field = (char **)(void *)((char *)row + columns[i].offset);

		if (columns[i].type == DB_TYPE_TEXT) {
			free(*field);
			*field = NULL;
		}
	}
}

/* SQLite's extended codes of violated constraints. */
enum {
	CONSTRAINT_FOREIGN_KEY = 787,
	CONSTRAINT_NOT_NULL = 1299,
	CONSTRAINT_PRIMARY_KEY = 1555,
	CONSTRAINT_UNIQUE = 2067,
	CONSTRAINT_TRIGGER = 1811,
};

int db_row_error(uint64_t code, const char *text, struct error **err)
{
	switch (code) {
	case CONSTRAINT_PRIMARY_KEY:
	case CONSTRAINT_UNIQUE:
		return error_set(err, 409, "Already exists: %s", text);
	case CONSTRAINT_FOREIGN_KEY:
	case CONSTRAINT_NOT_NULL: /* A subselect for the id of something found none. */
		return error_set(err, 404, "Not found: %s", text);
	case CONSTRAINT_TRIGGER: /* RAISE() with a sentence for the client. */
		return error_set(err, 400, "%s", text);
	default:
		return error_set(err, 500, "The database refused a statement: %s", text);
	}
}

int db_row_end(int r, const char *noun, struct error **err)
{
	if (r != -ENOENT && r != -EEXIST)
		return r;

	error_free(*err);
	*err = NULL;
	if (r == -ENOENT)
		return error_set(err, 404, "%s not found", noun);
	return error_set(err, 409, "%s already exists", noun);
}

int db_row_changed(int64_t changes, const char *noun, struct error **err)
{
	return changes == 0 ? error_set(err, 404, "%s not found", noun) : 0;
}

int db_row_in_use(const char *noun, struct error **err)
{
	error_free(*err);
	*err = NULL;
	return error_set(err, 400, "%s is currently in use", noun);
}
