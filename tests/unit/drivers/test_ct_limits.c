#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/instance/ct/ct_limits.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"

#define GIB (UINT64_C(1) << 30)

static struct ct_limits_host host_of(bool is_v2)
{
	struct ct_limits_host host = { .has_swap = true, .memory_total = 8 * GIB };

	for (int c = 0; c < N_CGROUP_CONTROLLERS; c++) {
		host.has[c] = true;
		host.is_v2[c] = is_v2;
	}
	return host;
}

static const char *value_of(const struct ct_limits *limits, const char *file)
{
	for (size_t i = 0; i < limits->n_items; i++) {
		if (str_equals(limits->items[i].file, file))
			return limits->items[i].value;
	}

	return NULL;
}

/* clang-format off */
static const struct {
	const char *key, *value;
	bool is_v2;
	const char *file, *expected;
} cases[] = {
	{ "limits.cpu.allowance",    "50%",        false, "cpu.shares",                  "512" },
	{ "limits.cpu.allowance",    "50%",        true,  "cpu.weight",                  "50" },
	{ "limits.cpu.allowance",    "25ms/100ms", false, "cpu.cfs_quota_us",            "25000" },
	{ "limits.cpu.allowance",    "25ms/100ms", true,  "cpu.max",                     "25000 100000" },
	{ "limits.cpu.allowance",    "10ms/20ms",  false, "cpu.cfs_period_us",           "20000" },
	{ "limits.cpu.priority",     "0",          false, "cpu.shares",                  "1014" },
	{ "limits.cpu.priority",     "0",          true,  "cpu.weight",                  "90" },
	{ "limits.memory",           "1GiB",       false, "memory.limit_in_bytes",       "1073741824" },
	{ "limits.memory",           "1GiB",       false, "memory.memsw.limit_in_bytes", "1073741824" },
	{ "limits.memory",           "1GiB",       true,  "memory.max",                  "1073741824" },
	{ "limits.memory",           "1GiB",       true,  "memory.swap.max",             "0" },
	{ "limits.memory",           "25%",        true,  "memory.max",                  "2147483648" },
	{ "limits.memory.swap",      "false",      false, "memory.swappiness",           "0" },
	{ "limits.memory.swap",      "false",      true,  "memory.swap.max",             "0" },
	{ "limits.memory.swap.priority", "3",      false, "memory.swappiness",           "53" },
	{ "limits.processes",        "100",        false, "pids.max",                    "100" },
	{ "limits.disk.priority",    "10",         false, "blkio.weight",                "1000" },
	{ "limits.disk.priority",    "0",          true,  "io.weight",                   "10" },
	{ "limits.hugepages.2MB",    "64MiB",      false, "hugetlb.2MB.limit_in_bytes",  "67108864" },
	{ "limits.hugepages.1GB",    "1GiB",       true,  "hugetlb.1GB.max",             "1073741824" },
};
/* clang-format on */

static void keys_become_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(error_freep) struct error *err = NULL;
		const struct ct_limits_host host = host_of(cases[i].is_v2);
		struct ct_limits limits;

		smap_set(&config, cases[i].key, cases[i].value);
		assert_int_equal(ct_limits_of(&config, &host, true, &limits, &err), 0);
		const char *value = value_of(&limits, cases[i].file);
		if (!value || strcmp(value, cases[i].expected) != 0)
			fail_msg("%s=%s: %s is %s, not %s", cases[i].key, cases[i].value,
			         cases[i].file, value ? value : "absent", cases[i].expected);
	}
}

static void nothing_set_is_no_limit(void **state)
{
	(void)state;
	for (int is_v2 = 0; is_v2 < 2; is_v2++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(error_freep) struct error *err = NULL;
		const struct ct_limits_host host = host_of(is_v2);
		struct ct_limits limits;

		assert_int_equal(ct_limits_of(&config, &host, true, &limits, &err), 0);
		assert_int_equal(limits.n_items, 0);
		assert_int_equal(ct_limits_of(&config, &host, false, &limits, &err), 0);
		assert_string_equal(value_of(&limits, "pids.max"), "max");
		if (is_v2)
			assert_string_equal(value_of(&limits, "memory.max"), "max");
		else
			assert_string_equal(value_of(&limits, "memory.limit_in_bytes"), "-1");
	}
}

static void soft_limits_only_guide(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(error_freep) struct error *err = NULL;
	struct ct_limits_host host = host_of(false);
	struct ct_limits limits;

	smap_set(&config, "limits.memory", "1GiB");
	smap_set(&config, "limits.memory.enforce", "soft");
	assert_int_equal(ct_limits_of(&config, &host, true, &limits, &err), 0);
	assert_string_equal(value_of(&limits, "memory.limit_in_bytes"), "-1");
	assert_string_equal(value_of(&limits, "memory.soft_limit_in_bytes"), "1073741824");
	host = host_of(true);
	assert_int_equal(ct_limits_of(&config, &host, true, &limits, &err), 0);
	assert_string_equal(value_of(&limits, "memory.high"), "1073741824");
	assert_string_equal(value_of(&limits, "memory.max"), "max");
}

static void wrong_values_are_refused(void **state)
{
	(void)state;
	/* clang-format off */
	static const struct {
		const char *key, *value;
	} wrong[] = {
		{ "limits.cpu.allowance", "0%" },       { "limits.cpu.allowance", "50" },
		{ "limits.cpu.allowance", "25/100" },   { "limits.cpu.allowance", "25ms/100" },
		{ "limits.cpu.allowance", "0ms/100ms" },{ "limits.cpu.allowance", "1ms/2000ms" },
		{ "limits.cpu.allowance", "/" },        { "limits.cpu.priority", "11" },
		{ "limits.memory", "0" },               { "limits.memory", "-1" },
		{ "limits.memory", "101%" },            { "limits.memory", "0%" },
		{ "limits.memory", "1 GiB" },           { "limits.memory", "1GiB\n2" },
		{ "limits.processes", "0" },            { "limits.processes", "1x" },
		{ "limits.hugepages.2MB", "x" },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(error_freep) struct error *err = NULL;
		const struct ct_limits_host host = host_of(false);
		struct ct_limits limits;

		smap_set(&config, wrong[i].key, wrong[i].value);
		if (ct_limits_of(&config, &host, true, &limits, &err) == 0)
			fail_msg("%s=%s was taken", wrong[i].key, wrong[i].value);
		assert_int_equal(err->status, 400);
	}
}

static void limits_need_their_controller(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(error_freep) struct error *err = NULL;
	const struct ct_limits_host host = { .memory_total = GIB };
	struct ct_limits limits;

	assert_int_equal(ct_limits_of(&config, &host, false, &limits, &err), 0);
	assert_int_equal(limits.n_items, 0);
	smap_set(&config, "limits.memory", "1GiB");
	assert_true(ct_limits_of(&config, &host, true, &limits, &err) < 0);
	assert_int_equal(err->status, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_become_files),
		cmocka_unit_test(nothing_set_is_no_limit),
		cmocka_unit_test(soft_limits_only_guide),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(limits_need_their_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
