/*
 * Rows of results: into structs by tables of columns, and the errors that statements end with.
 *
 * Shared by the files of this folder; the rest of the daemon uses db/db.h.
 */
#pragma once

#include "db/db.h"

struct db_row {
	const char *const *names;
	const struct db_value *values;
	size_t n_columns;
};

/* Fills 'ret_row', which is all zero, from a row of as many columns as there are. */
int db_row_load(const struct db_row *row, const struct db_column *columns, size_t n_columns,
                void *ret_row, struct error **err) MUST_CHECK;

/* Frees the texts of a row that db_row_load() filled, in whole or in part. */
void db_row_unload(const struct db_column *columns, size_t n_columns, void *row);

/*
 * Sets the error for a failure of SQLite with 'code' and 'text': violated constraints become a 409
 * (-EEXIST) or a 404 (-ENOENT), all else a 500. Returns its errno.
 */
int db_row_error(uint64_t code, const char *text, struct error **err);

/*
 * Ends a function that works on one row of a kind: turns the -ENOENT of 'r' into a 404 "<noun> not
 * found" and its -EEXIST into a 409 "<noun> already exists"; returns 'r'.
 */
int db_row_end(int r, const char *noun, struct error **err);

/* Replaces the error of a DELETE that a foreign key refused by a 400 "<noun> is currently in use".
 */
int db_row_in_use(const char *noun, struct error **err);

/* The 404 "<noun> not found" if 'changes' is 0, else 0. */
int db_row_changed(int64_t changes, const char *noun, struct error **err) MUST_CHECK;

/* db_list() into a typed list { rows, n } at 'ret_list'. */
#define db_row_list(tx, sql, args, columns, ret_list, err)                                        \
	__extension__({                                                                           \
		struct db_rows list_rows = { .row_size = sizeof(*(ret_list)->rows) };             \
		int list_r = db_list(tx, sql, args, columns, COUNT_OF(columns), &list_rows, err); \
		if (list_r == 0) {                                                                \
			(ret_list)->rows = list_rows.items;                                       \
			(ret_list)->n = list_rows.n;                                              \
		}                                                                                 \
		list_r;                                                                           \
	})

/* Sorts a typed list. */
#define db_row_sort(list, order)                                                      \
	do {                                                                          \
		if ((list)->n > 1)                                                    \
			qsort((list)->rows, (list)->n, sizeof(*(list)->rows), order); \
	} while (0)

/* One row as the owner of what is merged into 'field'. */
#define DB_OWNER(row, field)                                                \
	((struct db_owners){ .rows = (row),                                 \
	                     .n = 1,                                        \
	                     .row_size = sizeof(*(row)),                    \
	                     .id_offset = offsetof(__typeof__(*(row)), id), \
	                     .field_offset = offsetof(__typeof__(*(row)), field) })

/* The rows of a typed list as owners of what is merged into 'field'. */
#define DB_OWNERS(list, type, field)                          \
	((struct db_owners){ .rows = (list)->rows,            \
	                     .n = (list)->n,                  \
	                     .row_size = sizeof(type),        \
	                     .id_offset = offsetof(type, id), \
	                     .field_offset = offsetof(type, field) })
