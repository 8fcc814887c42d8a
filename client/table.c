#include "client/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

struct table {
	char **headers;
	size_t n_columns;
	ARRAY_OF(char *) cells;
};

struct table *table_new(const char *const *headers)
{
	struct table *table = xcalloc(1, sizeof(*table));

	table->headers = strv_copy((char *const *)headers);
	table->n_columns = strv_len(table->headers);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cells.n_items; i++)
		free(table->cells.items[i]);
	ARRAY_DONE(&table->cells);
	strv_free(table->headers);
	free(table);
}

void table_add_take(struct table *table, char *text)
{
	ARRAY_ADD(&table->cells, text);
}

void table_add(struct table *table, const char *text)
{
	table_add_take(table, xstrdup(str_or_empty(text)));
}

void table_addf(struct table *table, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	table_add_take(table, xvasprintf(fmt, args));
	va_end(args);
}

size_t table_n_rows(const struct table *table)
{
	return table->n_columns ? table->cells.n_items / table->n_columns : 0;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct table *table = arg;
	char *const *x = a, *const *y = b;

	for (size_t i = 0; i < table->n_columns; i++) {
		if (strcmp(x[i], y[i]) == 0)
			continue;
		if (!*x[i] || !*y[i])
			return *x[i] ? -1 : 1;
		int r = str_compare_natural(x[i], y[i]);
		return r ? r : strcmp(x[i], y[i]);
	}
	return 0;
}

void table_sort(struct table *table)
{
	if (table_n_rows(table) > 1)
		qsort_r(table->cells.items, table_n_rows(table),
		        table->n_columns * sizeof(*table->cells.items), compare_rows, table);
}

/* One code point; anything that is no UTF-8 counts as one byte. */
static uint32_t next_char(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	size_t n = s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
	uint32_t c = n ? s[0] & (0x3fU >> n) : s[0];

	for (size_t i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*p += 1;
			return s[0];
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += n + 1;
	return c;
}

/* Columns that 'len' bytes take: East Asian and emoji characters take two, combining ones none. */
static size_t width_of(const char *s, size_t len)
{
	size_t width = 0;

	for (const char *end = s + len; s < end;) {
		uint32_t c = next_char(&s);
		bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
		            (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
		            (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
		            (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
		bool combining = (c >= 0x300 && c <= 0x36f) || c == 0x200b || c == 0x200d ||
		                 (c >= 0xfe00 && c <= 0xfe0f);

		width += combining ? 0 : wide ? 2 : 1;
	}
	return width;
}

/* The n-th line of a cell and its length; false after the last. */
static bool cell_line(const char *cell, size_t n, const char **ret_line, size_t *ret_len)
{
	for (; n; n--) {
		cell = strchr(cell, '\n');
		if (!cell)
			return false;
		cell++;
	}
	*ret_line = cell;
	*ret_len = strcspn(cell, "\n");
	return true;
}

static size_t cell_width(const char *cell)
{
	const char *line;
	size_t len, width = 0;

	for (size_t i = 0; cell_line(cell, i, &line, &len); i++) {
		size_t w = width_of(line, len);

		width = w > width ? w : width;
	}
	return width;
}

static void print_spaces(FILE *out, size_t n)
{
	fprintf(out, "%*s", (int)n, "");
}

static void print_rule(FILE *out, const size_t *widths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fputc('+', out);
		for (size_t j = 0; j < widths[i] + 2; j++)
			fputc('-', out);
	}
	fputs("+\n", out);
}

/* A row of cells; headers are centred. */
static void print_row(FILE *out, char *const *cells, const size_t *widths, size_t n, bool grid,
                      bool centred)
{
	bool more = true;

	for (size_t line = 0; more; line++) {
		more = false;
		fputc(grid ? '|' : ' ', out);
		for (size_t i = 0; i < n; i++) {
			const char *text = "", *unused;
			size_t len = 0, unused_len;

			if (!cell_line(cells[i], line, &text, &len))
				text = "";
			more |= cell_line(cells[i], line + 1, &unused, &unused_len);
			size_t gap = widths[i] - width_of(text, len);
			size_t left = centred ? gap / 2 : 0;

			fputc(' ', out);
			print_spaces(out, left);
			fwrite(text, 1, len, out);
			print_spaces(out, gap - left + 1);
			if (grid)
				fputc('|', out);
		}
		fputs(grid ? "\n" : " \n", out);
	}
}

static void print_grid(const struct table *table, bool grid, FILE *out)
{
	size_t n = table->n_columns, n_rows = table_n_rows(table);
	scoped_free size_t *widths = xcalloc(n ? n : 1, sizeof(*widths));

	for (size_t i = 0; i < n; i++) {
		widths[i] = cell_width(table->headers[i]);
		for (size_t row = 0; row < n_rows; row++) {
			size_t w = cell_width(table->cells.items[row * n + i]);

			widths[i] = w > widths[i] ? w : widths[i];
		}
	}
	if (grid)
		print_rule(out, widths, n);
	print_row(out, table->headers, widths, n, grid, true);
	if (grid)
		print_rule(out, widths, n);
	for (size_t row = 0; row < n_rows; row++) {
		print_row(out, &table->cells.items[row * n], widths, n, grid, false);
		if (grid)
			print_rule(out, widths, n);
	}
}

static void print_field(FILE *out, const char *text)
{
	if (!strpbrk(text, ",\"\r\n") && *text != ' ' && *text != '\t') {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (const char *p = text; *p; p++) {
		if (*p == '"')
			fputc('"', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

void table_print(const struct table *table, enum table_style style, FILE *out)
{
	if (style != TABLE_CSV) {
		print_grid(table, style == TABLE_GRID, out);
		return;
	}
	for (size_t i = 0; i < table->cells.n_items; i++) {
		print_field(out, table->cells.items[i]);
		fputc((i + 1) % table->n_columns ? ',' : '\n', out);
	}
}
