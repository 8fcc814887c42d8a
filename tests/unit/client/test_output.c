#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/output.h"
#include "lib/base/macro.h"
#include "lib/data/jv.h"

static int set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

static void dates_are_short_or_long(void **state)
{
	static const struct {
		const char *date, *brief, *full;
	} cases[] = {
		{ "2026-11-04T15:01:00.769Z", "2026/11/04 15:01 UTC",
		  "Nov 4, 2026 at 3:01pm (UTC)" },
		{ "2026-01-24T00:05:00Z", "2026/01/24 00:05 UTC", "Jan 24, 2026 at 12:05am (UTC)" },
		{ "0001-01-01T00:00:00Z", "", "" },
		{ "1970-01-01T00:00:00Z", "", "" },
		{ "", "", "" },
		{ "junk", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *brief = output_date(cases[i].date);
		scoped_free char *full = output_long_date(cases[i].date);

		assert_string_equal(brief, cases[i].brief);
		assert_string_equal(full, cases[i].full);
	}
}

static void sizes_have_two_digits(void **state)
{
	static const struct {
		int64_t bytes;
		const char *iec, *si;
	} cases[] = {
		{ 0, "0B", "0B" },
		{ 999, "999B", "999B" },
		{ 1023, "1023B", "1.02kB" },
		{ 1536, "1.50KiB", "1.54kB" },
		{ 1572864, "1.50MiB", "1.57MB" },
		{ INT64_MAX, "8.00EiB", "9.22EB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *iec = output_size_iec(cases[i].bytes);
		scoped_free char *si = output_size_si(cases[i].bytes);

		assert_string_equal(iec, cases[i].iec);
		assert_string_equal(si, cases[i].si);
	}
}

static char *yaml_of(struct json_object *o)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	output_yaml(o, out);
	fclose(out);
	return text;
}

/* Only the server's own dates lose their quotes; a user's string stays a string. */
static void yaml_is_as_lxc_writes_it(void **state)
{
	scoped(jv_unrefp) struct json_object *o = jv_object();
	struct json_object *config = jv_object();
	scoped_free char *text = NULL;

	(void)state;
	jv_set_string(o, "created_at", "2026-11-24T15:01:00Z");
	jv_set_string(o, "looks_at", "yes");
	jv_set_take(o, "config", config);
	jv_set_string(config, "user.date", "2026-11-24T15:01:00Z");
	jv_set_null(o, "devices");
	jv_set_null(o, "profiles");
	jv_set_null(o, "other");
	text = yaml_of(o);
	assert_non_null(strstr(text, "created_at: 2026-11-24T15:01:00Z\n"));
	assert_non_null(strstr(text, "looks_at: \"yes\"\n"));
	assert_non_null(strstr(text, "user.date: \"2026-11-24T15:01:00Z\"\n"));
	assert_non_null(strstr(text, "devices: {}\nprofiles: []\nother: null\n"));
}

static void picking_keeps_the_order_of_the_names(void **state)
{
	static const char *const names[] = { "b", "missing", "a", NULL };
	scoped(jv_unrefp) struct json_object *o = jv_object(), *picked = NULL;

	(void)state;
	jv_set_int(o, "a", 1);
	jv_set_int(o, "c", 3);
	jv_set_int(o, "b", 2);
	picked = output_pick(o, names);
	assert_string_equal(json_object_to_json_string_ext(picked, JSON_C_TO_STRING_PLAIN),
	                    "{\"b\":2,\"a\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_short_or_long),
		cmocka_unit_test(sizes_have_two_digits),
		cmocka_unit_test(yaml_is_as_lxc_writes_it),
		cmocka_unit_test(picking_keeps_the_order_of_the_names),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
