#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/linux/idmap.h"

static void ids_go_both_ways(void **state)
{
	static const struct idmap_entry entries[] = {
		{ true, true, 1000000, 0, 1000 },
		{ true, false, 1000, 1000, 1 },
		{ false, true, 2000, 1000, 1 },
	};
	scoped(idmap_done) struct idmap map = { 0 };
	uid_t id;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(entries); i++)
		assert_int_equal(idmap_add(&map, &entries[i]), 0);

	assert_true(idmap_uid_to_host(&map, 5, &id));
	assert_int_equal(id, 1000005);
	assert_true(idmap_uid_to_host(&map, 1000, &id));
	assert_int_equal(id, 1000);
	assert_true(idmap_gid_to_host(&map, 1000, &id));
	assert_int_equal(id, 2000);
	assert_true(idmap_gid_from_host(&map, 2000, &id));
	assert_int_equal(id, 1000);
	assert_true(idmap_uid_from_host(&map, 1000999, &id));
	assert_int_equal(id, 999);
	assert_false(idmap_uid_to_host(&map, 1001, &id));
	assert_false(idmap_uid_from_host(&map, 2000, &id));
	assert_false(idmap_uid_from_host(&map, 0, &id));
}

static void bad_entries_are_refused(void **state)
{
	static const struct {
		struct idmap_entry entry;
		int result;
	} cases[] = {
		{ { true, true, 0, 0, 0 }, -EINVAL },
		{ { false, false, 0, 0, 1 }, -EINVAL },
		{ { true, true, UINT32_MAX, 0, 1 }, -EINVAL },
		{ { true, true, 0, UINT32_MAX - 1, 2 }, -EINVAL },
		{ { true, true, 100, 999, 10 }, -EEXIST },
		{ { true, true, 1000999, 5000, 10 }, -EEXIST },
		{ { false, true, 1000500, 5000, 10 }, -EEXIST },
		{ { true, true, 1001000, 1000, 10 }, 0 },
	};
	static const struct idmap_entry first = { true, true, 1000000, 0, 1000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(idmap_done) struct idmap map = { 0 };

		assert_int_equal(idmap_add(&map, &first), 0);
		assert_int_equal(idmap_add(&map, &cases[i].entry), cases[i].result);
		assert_int_equal(map.n_entries, cases[i].result == 0 ? 2 : 1);
	}
}

static void copies_are_equal_and_apart(void **state)
{
	static const struct idmap_entry first = { true, true, 1000000, 0, 1000 };
	static const struct idmap_entry second = { true, true, 5000, 5000, 1 };
	scoped(idmap_done) struct idmap map = { 0 };
	scoped(idmap_done) struct idmap copy = { 0 };
	scoped(idmap_done) struct idmap none = { 0 };

	(void)state;
	idmap_add(&map, &first);
	idmap_copy(&map, &copy);
	assert_true(idmap_is_equal(&map, &copy));
	assert_false(idmap_is_equal(&map, &none));
	idmap_add(&copy, &second);
	assert_false(idmap_is_equal(&map, &copy));
}

static void maps_are_written_as_the_kernel_reads_them(void **state)
{
	static const struct idmap_entry uids = { true, false, 1000000, 0, 65536 };
	static const struct idmap_entry gids = { false, true, 2000000, 0, 65536 };
	scoped(idmap_done) struct idmap map = { 0 };

	(void)state;
	idmap_add(&map, &uids);
	idmap_add(&map, &gids);
	scoped_free char *uid_text = idmap_format(&map, true);
	scoped_free char *gid_text = idmap_format(&map, false);
	assert_string_equal(uid_text, "0 1000000 65536\n");
	assert_string_equal(gid_text, "0 2000000 65536\n");
}

static void subid_lines(void **state)
{
	static const struct {
		const char *line;
		bool is_good;
	} cases[] = {
		{ "root:1000000:65536", true },
		{ "a.b-c:1:1", true },
		{ "root:1000000", false },
		{ "root:1000000:65536:1", false },
		{ ":1:1", false },
		{ "#root:1:1", false },
		{ "root:-1:5", false },
		{ "root:1:0", false },
		{ "root:4294967295:1", false },
		{ "root:1 :1", false },
		{ "", false },
	};
	char name[16];
	uint32_t first, count;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(
			idmap_parse_subid_line(cases[i].line, name, sizeof(name), &first, &count),
			cases[i].is_good);
	assert_false(idmap_parse_subid_line("a-much-too-long-name:1:1", name, sizeof(name), &first,
	                                    &count));
}

static char *write_temp(const char *text)
{
	char template[] = "/tmp/muster-subid-XXXXXX";
	int fd = mkstemp(template);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_replace(template, text, strlen(text), 0600), 0);
	return xstrdup(template);
}

static void the_hosts_ids(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint32_t first, count;
	} cases[] = {
		{ "root:500000:70000\n", 0, 500000, 70000 },
		{ "me:1:2\nroot:10:10\nroot:600000:65536\n", 0, 600000, 65536 },
		{ "me:1:65536\n", 0, 1000000, 1000000000 },
		{ "root:10:10\n", -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(idmap_done) struct idmap map = { 0 };
		scoped_free char *path = write_temp(cases[i].text);

		int r = idmap_of_host(path, path, &map);
		unlink(path);
		assert_int_equal(r, cases[i].result);
		if (r < 0)
			continue;
		assert_int_equal(map.n_entries, 2);
		assert_int_equal(map.entries[0].host_id, cases[i].first);
		assert_int_equal(map.entries[1].range, cases[i].count);
	}

	scoped(idmap_done) struct idmap fallback = { 0 };
	assert_int_equal(idmap_of_host("/nonexistent", "/nonexistent", &fallback), 0);
	assert_int_equal(fallback.entries[0].host_id, 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_go_both_ways),
		cmocka_unit_test(bad_entries_are_refused),
		cmocka_unit_test(copies_are_equal_and_apart),
		cmocka_unit_test(maps_are_written_as_the_kernel_reads_them),
		cmocka_unit_test(subid_lines),
		cmocka_unit_test(the_hosts_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
