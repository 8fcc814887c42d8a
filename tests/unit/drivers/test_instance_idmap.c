#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/instance/instance_idmap.h"
#include "lib/base/smap.h"
#include "lib/linux/idmap.h"

static struct idmap_entry host_entries[] = {
	{ .is_uid = true, .is_gid = true, .host_id = 1000000, .range = 1000000 },
};
static const struct idmap host = { host_entries, 1 };

/* The text of uid_map, to be freed. */
static char *uids(const struct smap *config, const struct idmap *others, size_t n,
                  uint32_t *ret_base)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(idmap_done) struct idmap map = { 0 };

	if (instance_idmap_choose(config, &host, others, n, &map, ret_base, &err) < 0)
		fail_msg("%s", err->msg);
	return idmap_format(&map, true);
}

static void all_of_the_host_by_default(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	uint32_t base = 7;
	scoped_free char *text = uids(&config, NULL, 0, &base);

	assert_string_equal(text, "0 1000000 1000000\n");
	assert_int_equal(base, 0);
}

static void none_if_privileged(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(idmap_done) struct idmap map = { 0 };
	scoped(error_freep) struct error *err = NULL;
	uint32_t base;

	smap_set(&config, "security.privileged", "true");
	assert_int_equal(instance_idmap_choose(&config, &host, NULL, 0, &map, &base, &err), 0);
	assert_int_equal(map.n_entries, 0);
}

static void isolated_ones_share_nothing(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	struct idmap_entry taken[] = { { .is_uid = true, .host_id = 1065536, .range = 65536 } };
	const struct idmap others = { taken, 1 };
	uint32_t base;

	smap_set(&config, "security.idmap.isolated", "true");
	scoped_free char *first = uids(&config, NULL, 0, &base);
	assert_string_equal(first, "0 1065536 65536\n");
	assert_int_equal(base, 1065536);
	scoped_free char *second = uids(&config, &others, 1, &base);
	assert_string_equal(second, "0 1131072 65536\n");
	/* It keeps what it had while that is free. */
	smap_set(&config, "volatile.idmap.base", "1500000");
	scoped_free char *third = uids(&config, &others, 1, &base);
	assert_string_equal(third, "0 1500000 65536\n");
	assert_int_equal(base, 1500000);
	smap_set(&config, "volatile.idmap.base", "1065536");
	scoped_free char *fourth = uids(&config, &others, 1, &base);
	assert_string_equal(fourth, "0 1131072 65536\n");
	smap_set(&config, "security.idmap.base", "5000000");
	smap_set(&config, "security.idmap.size", "100");
	scoped_free char *fifth = uids(&config, &others, 1, &base);
	assert_string_equal(fifth, "0 5000000 100\n");
}

static void raw_entries_are_cut_in(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	uint32_t base;

	smap_set(&config, "raw.idmap", "both 1000 1000");
	scoped_free char *text = uids(&config, NULL, 0, &base);
	assert_string_equal(text, "0 1000000 1000\n1001 1001001 998999\n1000 1000 1\n");
	smap_set(&config, "raw.idmap", "gid 50-60 500-510");
	scoped_free char *other = uids(&config, NULL, 0, &base);
	assert_string_equal(other, "0 1000000 1000000\n");
}

static void wrong_requests_are_refused(void **state)
{
	(void)state;
	/* clang-format off */
	static const struct {
		const char *key, *value;
	} wrong[] = {
		{ "raw.idmap", "both 1" },        { "raw.idmap", "both 1-2 1" }, { "raw.idmap", "us 1 1" },
		{ "raw.idmap", "uid 5-1 5-1" },   { "raw.idmap", "uid a b" },    { "raw.idmap", "uid 1 1 1" },
		{ "raw.idmap", "uid 1000005 5\nuid 1000005 6" },
		{ "security.idmap.size", "0" },   { "security.idmap.size", "2000000" },
		{ "security.idmap.size", "x" },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(idmap_done) struct idmap map = { 0 };
		scoped(error_freep) struct error *err = NULL;
		uint32_t base;

		smap_set(&config, wrong[i].key, wrong[i].value);
		if (instance_idmap_choose(&config, &host, NULL, 0, &map, &base, &err) == 0)
			fail_msg("%s=%s was taken", wrong[i].key, wrong[i].value);
		assert_int_equal(err->status, 400);
	}
}

static void full_hosts_say_so(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(idmap_done) struct idmap map = { 0 };
	scoped(error_freep) struct error *err = NULL;
	struct idmap_entry taken[] = { { .is_uid = true, .host_id = 1000000, .range = 1000000 } };
	const struct idmap others = { taken, 1 };
	uint32_t base;

	smap_set(&config, "security.idmap.isolated", "true");
	assert_true(instance_idmap_choose(&config, &host, &others, 1, &map, &base, &err) < 0);
	assert_int_equal(err->status, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_the_host_by_default),
		cmocka_unit_test(none_if_privileged),
		cmocka_unit_test(isolated_ones_share_nothing),
		cmocka_unit_test(raw_entries_are_cut_in),
		cmocka_unit_test(wrong_requests_are_refused),
		cmocka_unit_test(full_hosts_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
