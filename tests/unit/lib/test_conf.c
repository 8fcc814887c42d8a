#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/strbuf.h"
#include "lib/conf/conf.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

static int check_even(const char *value, struct error **err)
{
	return strlen(value) % 2 ? error_set(err, 400, "Odd length") : 0;
}

static const char *const modes[] = { "fast", "safe", NULL };

/* clang-format off */
static const struct conf_key table[] = {
	{ .name = "user.*", .type = CONF_STRING, .flags = CONF_LIVE, .doc = "Free." },
	{ .name = "volatile.*.name", .type = CONF_STRING, .flags = CONF_INTERNAL, .doc = "Internal." },
	{ .name = "autostart", .type = CONF_BOOL, .fallback = "true", .doc = "Start at boot." },
	{ .name = "priority", .type = CONF_INT, .min = -5, .max = 5, .fallback = "1", .doc = "Order." },
	{ .name = "count", .type = CONF_UINT, .doc = "How many." },
	{ .name = "memory", .type = CONF_SIZE_OR_PERCENT, .flags = CONF_LIVE | CONF_CONTAINER, .doc = "Memory." },
	{ .name = "size", .type = CONF_SIZE, .fallback = "10GiB", .doc = "Size." },
	{ .name = "rate", .type = CONF_BITS, .doc = "Rate." },
	{ .name = "mode", .type = CONF_ENUM, .choices = modes, .fallback = "safe", .doc = "Mode." },
	{ .name = "modes", .type = CONF_LIST, .choices = modes, .doc = "Modes." },
	{ .name = "even", .type = CONF_STRING, .check = check_even, .doc = "Even." },
	{ .name = "timeout", .type = CONF_DURATION, .fallback = "30s", .doc = "Timeout." },
	{ .name = "expiry", .type = CONF_EXPIRY, .doc = "Expiry." },
	{ .name = "share", .type = CONF_PERCENT, .doc = "Share." },
	{ .name = NULL },
};
/* clang-format on */

static void values_are_checked_by_their_row(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value, *problem;
	} cases[] = {
		{ "user.any.thing", "x", NULL },
		{ "user.", "x", "Unknown configuration key: \"user.\"" },
		{ "bogus", "x", "Unknown configuration key: \"bogus\"" },
		{ "volatile.eth0.name", "x", NULL },
		{ "volatile.eth0.other", "x",
		  "Unknown configuration key: \"volatile.eth0.other\"" },
		{ "volatile..name", "x", "Unknown configuration key: \"volatile..name\"" },
		{ "autostart", "on", NULL },
		{ "autostart", "", NULL },
		{ "autostart", "maybe", "must be true or false" },
		{ "priority", "-5", NULL },
		{ "priority", "6", "must be from -5 to 5" },
		{ "count", "-1", "must be a non-negative integer" },
		{ "memory", "50%", NULL },
		{ "memory", "1GiB", NULL },
		{ "memory", "lots", "must be a size as \"10GiB\" or a percentage as \"50%\"" },
		{ "size", "-1GiB", "must be a size" },
		{ "rate", "10Mbit", NULL },
		{ "mode", "slow", "must be one of fast, safe" },
		{ "modes", "fast, safe", NULL },
		{ "modes", "fast,slow", "must be a list of fast, safe" },
		{ "even", "odd", "for configuration key \"even\": Odd length" },
		{ "expiry", "1d", NULL },
		{ "expiry", "1x", "must be an expiry" },
		{ "share", "101%", "must be a percentage" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		int r = conf_validate(table, cases[i].name, cases[i].value, &err);

		assert_int_equal(r, cases[i].problem ? -EINVAL : 0);
		if (cases[i].problem && !strstr(err->msg, cases[i].problem))
			fail_msg("%s", err->msg);
	}
}

static void maps_are_read_with_their_fallbacks(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(error_freep) struct error *err = NULL;

	assert_true(conf_get_bool(table, &config, "autostart"));
	assert_int_equal(conf_get_int(table, &config, "priority"), 1);
	assert_true(conf_get_size(table, &config, "size") == INT64_C(10) << 30);
	assert_int_equal(conf_get_duration(table, &config, "timeout"), 30000);
	assert_null(conf_get(table, &config, "even"));
	assert_int_equal(conf_get_size(table, &config, "rate"), 0);

	smap_set(&config, "autostart", "no");
	smap_set(&config, "mode", "");
	assert_false(conf_get_bool(table, &config, "autostart"));
	assert_string_equal(conf_get(table, &config, "mode"), "safe");
	conf_fill(table, &config);
	assert_string_equal(smap_get(&config, "mode"), "safe");
	assert_string_equal(smap_get(&config, "autostart"), "no");
	assert_int_equal(conf_validate_map(table, &config, &err), 0);
}

static void what_is_required_must_be_there(void **state)
{
	(void)state;
	static const struct conf_key needed[] = {
		{ .name = "source", .type = CONF_STRING, .flags = CONF_REQUIRED, .doc = "Source." },
		{ .name = NULL },
	};
	scoped(smap_done) struct smap config = { 0 };
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(conf_validate_map(needed, &config, &err), -EINVAL);
	assert_string_equal(err->msg, "Configuration key \"source\" must be set");
	smap_set(&config, "source", "x");
	error_clear(&err);
	assert_int_equal(conf_validate_map(needed, &config, &err), 0);
}

static int note(const char *name, const char *before, const char *after, void *arg)
{
	strbuf_addf(arg, "%s:%s>%s ", name, before ? before : "-", after ? after : "-");
	return 0;
}

static void differences_are_found(void **state)
{
	(void)state;
	scoped(smap_done) struct smap a = { 0 };
	scoped(smap_done) struct smap b = { 0 };
	scoped(strbuf_done) struct strbuf text = { 0 };

	smap_set(&a, "gone", "1");
	smap_set(&a, "kept", "1");
	smap_set(&a, "other", "1");
	smap_set(&b, "kept", "1");
	smap_set(&b, "new", "1");
	smap_set(&b, "other", "2");
	assert_int_equal(conf_diff(&a, &b, note, &text), 0);
	assert_string_equal(strbuf_text(&text), "gone:1>- new:->1 other:1>2 ");
}

static void tables_are_listed(void **state)
{
	(void)state;
	scoped(jv_unrefp) struct json_object *keys = conf_list(table);
	scoped_free char *memory = jv_print_text(jv_member(jv_item(keys, 4), "memory"), NULL);

	assert_int_equal(jv_len(keys), COUNT_OF(table) - 2);
	assert_string_equal(
		memory,
		"{\"condition\":\"container\",\"defaultdesc\":\"\",\"liveupdate\":\"yes\","
		"\"longdesc\":\"\",\"managed\":\"no\",\"required\":\"no\",\"scope\":\"global\","
		"\"shortdesc\":\"Memory.\",\"type\":\"string\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_checked_by_their_row),
		cmocka_unit_test(maps_are_read_with_their_fallbacks),
		cmocka_unit_test(what_is_required_must_be_there),
		cmocka_unit_test(differences_are_found),
		cmocka_unit_test(tables_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
