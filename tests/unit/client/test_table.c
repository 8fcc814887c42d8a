#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/table.h"
#include "lib/base/macro.h"

static const char *const headers[] = { "NAME", "STATE", "ROLES", NULL };

static char *print(const struct table *table, enum table_style style)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	table_print(table, style, out);
	fclose(out);
	return text;
}

static struct table *sample(void)
{
	struct table *table = table_new(headers);
	static const char *const cells[] = { "m10",           "ONLINE", "voter", "m2", "OFFLINE",
		                             "leader\nvoter", "",       "X",     NULL };

	for (size_t i = 0; i < COUNT_OF(cells); i++)
		table_add(table, cells[i]);
	return table;
}

static void a_grid_centres_headers_and_breaks_lines(void **state)
{
	scoped(table_freep) struct table *table = sample();
	scoped_free char *text = print(table, TABLE_GRID);

	(void)state;
	assert_string_equal(text, "+------+---------+--------+\n"
	                          "| NAME |  STATE  | ROLES  |\n"
	                          "+------+---------+--------+\n"
	                          "| m10  | ONLINE  | voter  |\n"
	                          "+------+---------+--------+\n"
	                          "| m2   | OFFLINE | leader |\n"
	                          "|      |         | voter  |\n"
	                          "+------+---------+--------+\n"
	                          "|      | X       |        |\n"
	                          "+------+---------+--------+\n");
}

static void compact_has_no_lines(void **state)
{
	scoped(table_freep) struct table *table = sample();
	scoped_free char *text = print(table, TABLE_COMPACT);

	(void)state;
	assert_string_equal(text, "  NAME   STATE   ROLES   \n"
	                          "  m10   ONLINE   voter   \n"
	                          "  m2    OFFLINE  leader  \n"
	                          "                 voter   \n"
	                          "        X                \n");
}

static void csv_quotes_what_it_must(void **state)
{
	scoped(table_freep) struct table *table = table_new(headers);
	scoped_free char *text = NULL;

	(void)state;
	table_add(table, "a,b");
	table_add(table, "say \"x\"");
	table_add(table, "two\nlines");
	text = print(table, TABLE_CSV);
	assert_string_equal(text, "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\n");
}

static void rows_are_sorted_by_value_and_empty_ones_come_last(void **state)
{
	scoped(table_freep) struct table *table = sample();
	scoped_free char *text = NULL;

	(void)state;
	table_sort(table);
	text = print(table, TABLE_CSV);
	assert_string_equal(text, "m2,OFFLINE,\"leader\nvoter\"\nm10,ONLINE,voter\n,X,\n");
}

static void an_empty_table_is_its_header(void **state)
{
	scoped(table_freep) struct table *table = table_new(headers);
	scoped_free char *text = print(table, TABLE_GRID);

	(void)state;
	assert_int_equal(table_n_rows(table), 0);
	assert_string_equal(text, "+------+-------+-------+\n"
	                          "| NAME | STATE | ROLES |\n"
	                          "+------+-------+-------+\n");
}

static void width_is_counted_on_the_screen(void **state)
{
	static const char *const one[] = { "N", NULL };
	scoped(table_freep) struct table *table = table_new(one);
	scoped_free char *text = NULL;

	(void)state;
	table_add(table, "h\u00e9\u4e16");
	table_add(table, "abcd");
	table_add(table, "\xff");
	text = print(table, TABLE_GRID);
	assert_non_null(strstr(text, "| h\u00e9\u4e16 |"));
	assert_non_null(strstr(text, "| abcd |"));
	assert_non_null(strstr(text, "| \xff    |"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_grid_centres_headers_and_breaks_lines),
		cmocka_unit_test(compact_has_no_lines),
		cmocka_unit_test(csv_quotes_what_it_must),
		cmocka_unit_test(rows_are_sorted_by_value_and_empty_ones_come_last),
		cmocka_unit_test(an_empty_table_is_its_header),
		cmocka_unit_test(width_is_counted_on_the_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
