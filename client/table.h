/*
 * Rows of text as a table, in the forms that lxc prints: a grid, columns without a grid, and CSV.
 *
 * Cells may hold several lines. Width is counted in characters on the screen.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

enum table_style { TABLE_GRID, TABLE_COMPACT, TABLE_CSV };

struct table;

/* 'headers' ends with NULL; copied. */
struct table *table_new(const char *const *headers) MUST_CHECK;
void table_free(struct table *table);
DEFINE_SCOPED(struct table *, table_free);

/* Adds the next cell, row by row. The text is copied; NULL is an empty one. */
void table_add(struct table *table, const char *text);
void table_add_take(struct table *table, char *text);
void table_addf(struct table *table, const char *fmt, ...) PRINTF(2, 3);

size_t table_n_rows(const struct table *table);

/* Sorts rows by all columns in order, numbers inside by value, empty cells last. */
void table_sort(struct table *table);

void table_print(const struct table *table, enum table_style style, FILE *out);
