#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/list_columns.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static char *name_text(struct json_object *o)
{
	return xstrdup(str_or_empty(jv_text(o, "name")));
}

static char *size_text(struct json_object *o)
{
	return xasprintf("%lld", (long long)jv_number(o, "size"));
}

static const struct list_column known[] = { { 'n', "NAME", name_text, false },
	                                    { 's', "SIZE", size_text, true },
	                                    { 0, NULL, NULL, false } };

static void letters_and_keys_mix(void **state)
{
	scoped(list_columns_done) struct list_columns columns = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(
		list_columns_parse("sn,user.k:KEY:5,n,devices:eth0.parent,config:image.os::0",
	                           known, true, &columns, &err),
		0);
	assert_int_equal(columns.n_shown, 6);
	assert_string_equal(columns.shown[2].header, "KEY");
	assert_int_equal(columns.shown[2].max_width, 5);
	assert_true(columns.shown[4].is_device);
	assert_string_equal(columns.shown[4].header, "eth0.parent");
	assert_int_equal(columns.shown[5].max_width, (int)strlen("image.os"));
	assert_true(list_columns_need_state(&columns));
}

static void mistakes_are_named(void **state)
{
	static const char *const texts[] = { "nx", "n,,s", "", "user.k:a:b:c", "user.k:K:x" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		scoped(list_columns_done) struct list_columns columns = { 0 };
		scoped(error_freep) struct error *err = NULL;

		assert_true(list_columns_parse(texts[i], known, true, &columns, &err) < 0);
		assert_int_equal(err->status, 400);
	}
}

static void keys_are_looked_up_and_cut(void **state)
{
	scoped(list_columns_done) struct list_columns columns = { 0 };
	scoped(error_freep) struct error *err = NULL;
	scoped(jv_unrefp) struct json_object *items = jv_array();
	struct json_object *item = jv_object(), *config = jv_object(), *devices = jv_object();
	struct json_object *nic = jv_object();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	jv_add_take(items, item);
	jv_set_string(item, "name", "c1");
	jv_set_take(item, "expanded_config", config);
	jv_set_string(config, "user.k", "longvalue");
	jv_set_take(item, "expanded_devices", devices);
	jv_set_take(devices, "eth0", nic);
	jv_set_string(nic, "parent", "br0");
	assert_int_equal(list_columns_parse("n,user.k::4,devices:eth0.parent,user.nosuch", known,
	                                    true, &columns, &err),
	                 0);
	scoped(table_freep) struct table *table = list_columns_table(&columns, items);
	table_print(table, TABLE_CSV, out);
	fclose(out);
	assert_string_equal(text, "c1,long,br0,\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_and_keys_mix),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(keys_are_looked_up_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
